"""OpenAI's SDK, as ``sdk_transport`` uses it for calls through a proxy.

Importing this module imports the SDK.
"""

from typing import Any

import openai

from pytest_llmeval.models.sdk_transport import Sdk, SdkKey, http_client
from pytest_llmeval.models.shared_clients import SharedClients
from pytest_llmeval.models.transport import request_headers
from pytest_llmeval.models.wire import CHAT_PATH

__all__ = ["OPENAI_SDK"]


def _client(key: SdkKey) -> openai.AsyncOpenAI:
    """Return a client that retries nothing."""
    account, proxy = key
    return openai.AsyncOpenAI(
        api_key="set by the HTTP client",
        base_url=account.base_url.url,
        max_retries=0,
        default_query=dict(account.base_url.query),
        http_client=http_client(proxy, request_headers(account, f"openai {openai.__version__}")),
    )


OPENAI_SDK = Sdk(
    clients=SharedClients(_client, openai.AsyncOpenAI.close),
    path=CHAT_PATH,
    stream=openai.AsyncStream[Any],
    connection_error=openai.APIConnectionError,
)
