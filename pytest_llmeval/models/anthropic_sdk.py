"""Anthropic's SDK, as ``sdk_transport`` uses it for every call.

Importing this module imports the SDK.
"""

from typing import Any, cast

import anthropic
import httpx2

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


async def _send(client: anthropic.AsyncAnthropic, body: bytes) -> httpx2.Response:
    # With stream=True and httpx2.Response the SDK hands out the response unread, so that the cap can hold.
    stream = await client.post(
        "/v1/messages",
        cast_to=httpx2.Response,
        content=body,
        stream=True,
        stream_cls=anthropic.AsyncStream[Any],
    )
    return cast(httpx2.Response, stream)


ANTHROPIC_SDK = Sdk(
    clients=SharedClients(_client, anthropic.AsyncAnthropic.close),
    send=_send,
    connection_error=anthropic.APIConnectionError,
)
