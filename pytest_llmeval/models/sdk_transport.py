"""The transport for calls through a proxy: OpenAI's SDK, whose HTTP client knows proxies of every kind.

Importing this module imports the SDK.
"""

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any, cast

import httpx2
import openai

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.keys import Account
from pytest_llmeval.models.shared_clients import SharedClients
from pytest_llmeval.models.transport import (
    CONNECT_TIMEOUT_S,
    Answer,
    body_cap,
    connection_fault,
    request_headers,
    unconnected_fault,
    undecodable_fault,
)
from pytest_llmeval.models.wire import Redact

__all__ = ["SdkTransport"]

_Key = tuple[Account, str | None]


class SdkTransport:
    """Asks one account, directly or through a proxy; implements ``transport.Transport``."""

    def __init__(self, account: Account, redact: Redact, proxy: str | None = None) -> None:
        """Stand for the account behind ``proxy``, a URL.

        Raises:
            ModelError: the proxy is of no kind that can be used.
        """
        if proxy is not None:
            _check_proxy(proxy, redact)
        self._key = (account, proxy)
        self._redact = redact
        _CLIENTS.hold(self._key)

    async def post(self, body: bytes) -> Answer:
        """Return the answer to one request; raise AttemptError where no whole one came."""
        client = await _CLIENTS.get(self._key)
        try:
            response = await _sent(client, body)
            try:
                return await _answer(response)
            finally:
                await response.aclose()
        except _HttpStatusError as error:
            return error.answer
        except openai.APITimeoutError:
            raise unconnected_fault() from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise connection_fault(cause, str(cause), self._redact) from None
        except httpx2.DecodingError as error:
            raise undecodable_fault(str(error), self._redact) from None
        except httpx2.RequestError as error:
            raise connection_fault(error, str(error), self._redact) from None

    async def aclose(self) -> None:
        """Close the connections that no other transport of the account uses."""
        await _CLIENTS.release(self._key)


class _HttpStatusError(Exception):
    """The server answered with a status other than 2xx."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


async def _sent(client: openai.AsyncOpenAI, body: bytes) -> httpx2.Response:
    """Return the response to one request, its body unread."""
    # With stream=True and httpx2.Response the SDK hands out the response unread, so that the cap can hold.
    stream = await client.post(
        "/chat/completions",
        cast_to=httpx2.Response,
        content=body,
        stream=True,
        stream_cls=openai.AsyncStream[Any],
    )
    return cast(httpx2.Response, stream)


async def _answer(response: httpx2.Response) -> Answer:
    """Return the response with its body up to the cap."""
    cap, body = body_cap(response.status_code), bytearray()
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > cap:
                break
    except httpx2.DecodingError:
        if response.is_success:
            raise
        body.clear()
    is_cut = len(body) > cap
    return Answer(status=response.status_code, headers=response.headers, body=bytes(body[:cap]), is_cut=is_cut)


def _client(key: _Key) -> openai.AsyncOpenAI:
    """Return a client that retries nothing, follows no redirect and sends only the account's headers."""
    account, proxy = key
    http_client = httpx2.AsyncClient(
        follow_redirects=False,
        proxy=proxy,
        trust_env=False,  # the proxy is chosen already
        verify=httpx2.create_ssl_context(trust_env=True),
        timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100),
        event_hooks={"request": [_own_headers(account)], "response": [_raise_for_status]},
    )
    return openai.AsyncOpenAI(
        api_key="set by the request hook",
        base_url=account.base_url.url,
        max_retries=0,
        default_query=dict(account.base_url.query),
        http_client=http_client,
    )


def _own_headers(account: Account) -> Callable[[httpx2.Request], Awaitable[None]]:
    """Return a hook that replaces all headers.

    The SDK reads OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS by itself and would send them to
    any host.
    """
    headers = request_headers(account, f"openai {openai.__version__}")

    async def replace_headers(request: httpx2.Request) -> None:
        own = {"Host": request.url.netloc.decode("ascii"), "Content-Length": str(len(request.content))}
        request.headers = httpx2.Headers({**own, **headers})

    return replace_headers


async def _raise_for_status(response: httpx2.Response) -> None:
    """Raise before the SDK reads an error's body, which it would do without any limit."""
    if not response.is_success:
        raise _HttpStatusError(await _answer(response))


def _check_proxy(proxy: str, redact: Redact) -> None:
    """Raise ModelError where ``proxy`` is none that the SDK's client can use."""
    try:
        scheme = httpx2.Proxy(proxy).url.scheme
    except (ValueError, httpx2.InvalidURL) as error:
        raise ModelError(f"the proxy of the environment cannot be used: {redact(str(error))}") from None
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise ModelError("the proxy of the environment speaks SOCKS, which needs: pip install 'httpx2[socks]'")


_CLIENTS: SharedClients[_Key, openai.AsyncOpenAI] = SharedClients(_client, openai.AsyncOpenAI.close)
