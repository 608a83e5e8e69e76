"""Anthropic's SDK, as ``sdk_transport`` uses it for every call.

Importing this module imports the SDK.
"""

from typing import Any

import anthropic

from pytest_llmeval.models.anthropic_wire import MESSAGES_PATH
from pytest_llmeval.models.sdk_transport import Sdk, SdkKey, http_client
from pytest_llmeval.models.shared_clients import SharedClients
from pytest_llmeval.models.transport import request_headers

__all__ = ["ANTHROPIC_SDK"]

API_VERSION = "2023-06-01"


def _client(key: SdkKey) -> anthropic.AsyncAnthropic:
    """Return a client that retries nothing and traces nothing."""
    account, proxy = key
    agent = f"anthropic {anthropic.__version__}"
    return anthropic.AsyncAnthropic(
        api_key="set by the HTTP client",
        base_url=account.base_url.url,
        max_retries=0,
        default_query=dict(account.base_url.query),
        open_telemetry=False,
        http_client=http_client(proxy, request_headers(account, agent, {"Anthropic-Version": API_VERSION})),
    )


ANTHROPIC_SDK = Sdk(
    clients=SharedClients(_client, anthropic.AsyncAnthropic.close),
    path=MESSAGES_PATH,
    stream=anthropic.AsyncStream[Any],
    connection_error=anthropic.APIConnectionError,
)
