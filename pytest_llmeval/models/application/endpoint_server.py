"""aiohttp's HTTP server for an endpoint, extended to report requests that it cannot read."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

__all__ = ["Server"]

_LONGEST = 64 * 1024
"""Largest size in bytes of a URL and of a header; headers for tracing and user data of applications can be long."""


class Server(web.Server):
    """Creates a connection for each client."""

    def __init__(
        self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], unread: Callable[[str], object]
    ) -> None:
        """Prepare; requires a running event loop.

        Args:
            handle: answers a request.
            unread: called with what is wrong with a request that could not be read.
        """
        super().__init__(handle)
        self._unread = unread

    def __call__(self) -> web.RequestHandler:
        """Return a new connection."""
        return _Connection(self, self._unread)


class _Connection(web.RequestHandler):
    """Refuses requests that it cannot read with status 400; these never reach the handler."""

    def __init__(self, server: Server, unread: Callable[[str], object]) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # as web.Server passes it on, which takes None for no log
            max_line_size=_LONGEST,
            max_field_size=_LONGEST,
        )
        self._unread = unread

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Report the request, and return the error response."""
        self._unread(message or f"{type(exc).__name__}: {exc}")
        return super().handle_error(request, status, exc, message)
