"""The transport over a vendor's SDK, whose HTTP client supports all kinds of proxies.

Importing this module imports the HTTP client; ``openai_sdk`` and ``models.anthropic.sdk`` import the SDKs.
"""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

import httpx2

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind, ModelError
from pytest_llmeval.models.http.kept_connections import KeptConnections
from pytest_llmeval.models.http.loop_client import LoopClient
from pytest_llmeval.models.http.proxies import UNUSABLE
from pytest_llmeval.models.http.sending import is_connecting, note_connecting, note_sent
from pytest_llmeval.models.http.transport import (
    CONNECT_TIMEOUT_S,
    Answer,
    blocked_fault,
    body_cap,
    connection_fault,
    is_whole,
    request_headers,
    unconnected_fault,
    undecodable_fault,
)
from pytest_llmeval.models.http.wire import Redact
from pytest_llmeval.models.keys import Account

__all__ = ["Sdk", "SdkTransport"]

_UNSENT = (httpx2.ConnectError, httpx2.ProxyError)
"""Exceptions of the client for requests that got no connection to the server."""
_REFUSED_LOGIN = "407"
"""Start of the client's message if a proxy refused a tunnel for lack of a login; it has the status nowhere else."""
_NO_ANSWER = "Server disconnected without"
"""Start of httpcore2's message for a connection that ended before an answer began."""


class Sdk:
    """One vendor's SDK. The supported ones come from one generator and differ only in their names."""

    def __init__(
        self, module: Any, client: Any, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        """Describe the SDK.

        Args:
            module: the SDK's module.
            client: its client class; the SDK's own retries are switched off.
            path: path of its requests, appended to the account's base URL.
            headers: headers that the protocol requires besides those of every request.
            options: further arguments for its clients.
        """
        self.path = path
        self.stream = module.AsyncStream[Any]
        """The SDK's class of streamed responses."""
        self.connection_error: type[Exception] = module.APIConnectionError
        """Exception raised if there is no response; its cause is the exception of the HTTP client."""
        self.close = client.close
        """Closes a client."""
        self._made = partial(client, api_key="set by the HTTP client", max_retries=0, **options)
        self._agent = f"{module.__name__} {module.__version__}"
        self._headers = headers

    def client(self, account: Account, proxy: str | None) -> Any:
        """Return a client for an account, which connects directly (None) or through the proxy at a URL."""
        return self._made(
            base_url=account.base_url.url,
            default_query=dict(account.base_url.query),
            http_client=_http_client(proxy, request_headers(account, self._agent, self._headers)),
        )


class SdkTransport:
    """Sends requests to one account, directly or through a proxy; implements ``transport.Transport``."""

    def __init__(self, sdk: Sdk, account: Account, redact: Redact, proxy: str | None) -> None:
        """Prepare requests to the account, through the proxy at a URL or directly (None).

        Raises:
            ModelError: the proxy's URL cannot be used.
        """
        if proxy is not None:
            _check_proxy(proxy)
        self._sdk = sdk
        self._redact = redact
        self._client = LoopClient(partial(sdk.client, account, proxy), sdk.close)

    async def post(self, body: bytes) -> Answer:
        """Return the answer to one request; raise AttemptError if no complete one came."""
        client = await self._client.get()
        has_begun = False
        note_connecting()
        try:
            response = await self._sent(client, body)
            has_begun = True  # an error status raises instead
            try:
                return await _answer(response)
            finally:
                await response.aclose()
        except self._sdk.connection_error as error:
            return self._answer_of(error.__cause__ or error, has_begun=has_begun)
        except (_HttpStatusError, httpx2.RequestError) as error:
            return self._answer_of(error, has_begun=has_begun)
        except (RuntimeError, ExceptionGroup) as error:
            if not is_connecting():
                raise
            raise blocked_fault(error, self._redact) from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _sent(self, client: Any, body: bytes) -> httpx2.Response:
        # With stream=True and httpx2.Response the SDKs return the response unread, so that the cap on its size can be
        # applied. OpenAI's SDK before 3.0 does not know that class and returns the response as part of its stream.
        sent = await client.post(
            self._sdk.path, cast_to=httpx2.Response, content=body, stream=True, stream_cls=self._sdk.stream
        )
        return cast(httpx2.Response, getattr(sent, "response", sent))

    def _answer_of(self, error: BaseException, *, has_begun: bool) -> Answer:
        """Return the answer that ``error`` holds, or raise it as an AttemptError."""
        if isinstance(error, _HttpStatusError):
            return error.answer
        if isinstance(error, httpx2.TimeoutException):
            raise unconnected_fault() from None
        if isinstance(error, httpx2.DecodingError):
            raise undecodable_fault(str(error), self._redact) from None
        if isinstance(error, httpx2.ProxyError) and str(error).startswith(_REFUSED_LOGIN):
            return Answer(status=407, headers={}, body=str(error).removeprefix(_REFUSED_LOGIN).strip().encode())
        is_unsent = isinstance(error, _UNSENT)
        has_begun |= isinstance(error, httpx2.RemoteProtocolError) and not str(error).startswith(_NO_ANSWER)
        raise connection_fault(error, str(error), self._redact, has_begun=has_begun, is_unsent=is_unsent) from None


class _HttpStatusError(Exception):
    """The server answered with a status other than 2xx."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


def _http_client(proxy: str | None, headers: Mapping[str, str]) -> httpx2.AsyncClient:
    """Return a client that follows no redirect and sends ``headers``, and none that the SDK adds."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=100)
    return httpx2.AsyncClient(
        follow_redirects=False,
        transport=KeptConnections(verify=_tls(), limits=limits, proxy=proxy),
        trust_env=False,  # the proxy has already been chosen
        timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S),
        event_hooks={"request": [_own_headers(headers)], "response": [_raise_for_status]},
    )


def _tls() -> ssl.SSLContext:
    """Return a context that trusts the certificates in SSL_CERT_FILE or SSL_CERT_DIR, else the system's."""
    try:
        return httpx2.create_ssl_context(trust_env=True)
    except OSError as error:
        message = f"the certificates in SSL_CERT_FILE or SSL_CERT_DIR cannot be read: {error}"
        raise AttemptError(ErrorKind.CONNECTION, message) from None


def _own_headers(headers: Mapping[str, str]) -> Callable[[httpx2.Request], Awaitable[None]]:
    """Return a hook that replaces all headers of a request.

    The SDKs read OPENAI_CUSTOM_HEADERS, ANTHROPIC_CUSTOM_HEADERS and the like themselves and would send them to any
    host.
    """

    async def replace_headers(request: httpx2.Request) -> None:
        request.headers = httpx2.Headers({"Host": request.url.netloc.decode("ascii")})
        request.headers.update(headers)
        request.headers["Content-Length"] = str(len(request.content))
        request.extensions = {**request.extensions, "trace": _note_sent}

    return replace_headers


async def _note_sent(event: str, info: Mapping[str, Any]) -> None:
    """Note when the request is sent; see https://www.encode.io/httpcore/extensions/#trace."""
    if event == "http11.send_request_headers.started":
        note_sent()


async def _raise_for_status(response: httpx2.Response) -> None:
    """Raise for an error status before the SDK reads the body, which it would do without any limit."""
    if not response.is_success:
        raise _HttpStatusError(await _answer(response))


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
    except httpx2.TransportError:
        if not is_whole(response.status_code, response.headers, bytes(body)):
            raise
    is_cut = len(body) > cap
    return Answer(status=response.status_code, headers=response.headers, body=bytes(body[:cap]), is_cut=is_cut)


def _check_proxy(proxy: str) -> None:
    """Raise ModelError if the HTTP client cannot use ``proxy``; the client's own message would quote the URL."""
    try:
        httpx2.Proxy(proxy)
    except (ValueError, httpx2.InvalidURL):
        raise ModelError(UNUSABLE) from None
