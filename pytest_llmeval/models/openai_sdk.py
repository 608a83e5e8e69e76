"""OpenAI's SDK, as ``sdk_transport`` uses it for calls through a proxy.

Importing this module imports the SDK.
"""

from typing import Any, cast

import httpx2
import openai

from pytest_llmeval.models.sdk_transport import Sdk, SdkKey, http_client
from pytest_llmeval.models.shared_clients import SharedClients
from pytest_llmeval.models.transport import request_headers

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


async def _send(client: openai.AsyncOpenAI, body: bytes) -> httpx2.Response:
    # With stream=True and httpx2.Response the SDK hands out the response unread, so that the cap can hold.
    stream = await client.post(
        "/chat/completions",
        cast_to=httpx2.Response,
        content=body,
        stream=True,
        stream_cls=openai.AsyncStream[Any],
    )
    return cast(httpx2.Response, stream)


OPENAI_SDK = Sdk(
    clients=SharedClients(_client, openai.AsyncOpenAI.close),
    send=_send,
    connection_error=openai.APIConnectionError,
)
