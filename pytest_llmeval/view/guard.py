"""Protection of the pages against other websites.

The pages show untrusted text, and one of them writes. A page of another site can send requests to a server on this
machine. It must not be able to read a response (there is no CORS, and a foreign host name that resolves to this
machine, as in DNS rebinding, is refused), to submit a form (token, Origin and Sec-Fetch-Site), or to put a page into a
frame.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pytest_llmeval.models.base_url import is_loopback

__all__ = ["Guard"]

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_READING = ("GET", "HEAD")


class Guard:
    """ASGI middleware that refuses requests from other sites and sets the security headers of every response."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        """Guard ``app``.

        Args:
            app: the application to guard.
            host: the name or address that the server listens on.
        """
        self._app = app
        self._host = host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the application, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        why = self._refusal(scope["method"], Headers(scope=scope))
        answer = self._app if why is None else PlainTextResponse(f"refused: {why}\n", status_code=403)
        await answer(scope, receive, guarded)

    def _refusal(self, method: str, headers: Mapping[str, str]) -> str | None:
        """Return why a request is refused; None if it is not."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            return "the Host header names another server"
        if method in _READING:
            return None
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return "the form is from another site"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "the form is from another site"
        return None

    def _is_ours(self, host: str) -> bool:
        """Return whether a Host header names this server. One that listens on the network accepts any IP address."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if is_loopback(name) or name == self._host:
            return True
        return not is_loopback(self._host) and _is_address(name)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
