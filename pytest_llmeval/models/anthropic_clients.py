"""The HTTP clients of ``anthropic:`` models: one per account and event loop, closed when its last user has gone.

Importing this module imports the vendor's SDK.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, cast
from weakref import WeakKeyDictionary

import anthropic
import httpx2

from pytest_llmeval.models.keys import Account

__all__ = ["AnthropicClients", "StatusError", "post_messages"]

API_VERSION = "2023-06-01"
CONNECT_TIMEOUT_S = 15.0
ERROR_BODY_BYTES = 64 * 1024


class StatusError(Exception):
    """The server answered with a status other than 2xx; the body is read up to 64 KiB."""

    def __init__(self, status: int, headers: httpx2.Headers, body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.headers = headers
        self.body = body


class AnthropicClients:
    """Hands out one client per account, so that all models of one server share its connections."""

    def __init__(self) -> None:
        # Connections belong to the event loop that opened them.
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Account, anthropic.AsyncAnthropic]]
        self._clients = WeakKeyDictionary()
        self._users: Counter[Account] = Counter()

    def hold(self, account: Account) -> None:
        """Count one more user of ``account``."""
        self._users[account] += 1

    def get(self, account: Account) -> anthropic.AsyncAnthropic:
        """Return the client of ``account`` in the running event loop."""
        clients = self._clients.setdefault(asyncio.get_running_loop(), {})
        if account not in clients:
            clients[account] = _client(account)
        return clients[account]

    async def release(self, account: Account) -> None:
        """Count one user less; close the running loop's client after the last one."""
        self._users[account] -= 1
        if self._users[account] > 0:
            return
        client = self._clients.get(asyncio.get_running_loop(), {}).pop(account, None)
        if client is not None:
            await client.close()


async def post_messages(client: anthropic.AsyncAnthropic, body: bytes, cap: int) -> tuple[bytes, bool]:
    """Send one request; return the body of its answer up to ``cap`` bytes, and whether there was more.

    Raises:
        StatusError: the status is no success.
        anthropic.APIConnectionError: there was no answer.
        httpx2.RequestError: the answer broke off or cannot be decoded.
    """
    try:
        # With stream=True and httpx2.Response the SDK hands out the response unread, so that the cap can hold.
        stream = await client.post(
            "/v1/messages",
            cast_to=httpx2.Response,
            content=body,
            stream=True,
            stream_cls=anthropic.AsyncStream[Any],
        )
    except anthropic.APIConnectionError as error:
        if isinstance(error.__cause__, StatusError):  # the SDK takes what a hook raises for a broken connection
            raise error.__cause__ from None
        raise
    response = cast(httpx2.Response, stream)
    try:
        return await _read_capped(response, cap)
    finally:
        await response.aclose()


async def _read_capped(response: httpx2.Response, cap: int) -> tuple[bytes, bool]:
    """Return up to ``cap`` decoded bytes of the body, and whether there were more."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > cap:
            return bytes(body[:cap]), True
    return bytes(body), False


def _client(account: Account) -> anthropic.AsyncAnthropic:
    """Return a client that retries and traces nothing, follows no redirect and sends only the account's headers."""
    http_client = httpx2.AsyncClient(
        follow_redirects=False,
        trust_env=not account.base_url.is_loopback,  # the proxy of the environment is not for this machine
        timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100),
        event_hooks={"request": [_own_headers(account)], "response": [_raise_for_status]},
    )
    return anthropic.AsyncAnthropic(
        api_key="set by the request hook",
        base_url=account.base_url.url,
        max_retries=0,
        default_query=dict(account.base_url.query),
        open_telemetry=False,
        http_client=http_client,
    )


def _own_headers(account: Account) -> Callable[[httpx2.Request], Awaitable[None]]:
    """Return a hook that replaces all headers.

    The SDK reads ANTHROPIC_CUSTOM_HEADERS by itself and would send them to any host.
    """

    async def replace_headers(request: httpx2.Request) -> None:
        request.headers = httpx2.Headers(
            {
                "Host": request.url.netloc.decode("ascii"),
                "Content-Length": str(len(request.content)),
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": f"pytest-llmeval (anthropic {anthropic.__version__})",
                "Anthropic-Version": API_VERSION,
                **dict(account.headers),
            }
        )

    return replace_headers


async def _raise_for_status(response: httpx2.Response) -> None:
    """Raise before the SDK reads an error's body, which it would do without any limit."""
    if not response.is_success:
        body, _ = await _read_capped(response, ERROR_BODY_BYTES)
        raise StatusError(response.status_code, response.headers, body)
