"""The server of an endpoint, as aiohttp has it, but that it tells of requests which it cannot read."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

__all__ = ["Server"]

_LONGEST = 64 * 1024
"""Of a URL and of a header in bytes: what applications trace with, and tell who they ask for, comes to some."""


class Server(web.Server):
    """Makes a connection for each client."""

    def __init__(
        self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], unread: Callable[[str], object]
    ) -> None:
        """Prepare; the loop runs.

        Args:
            handle: answers a request.
            unread: takes what was wrong with one of which no more than that is known.
        """
        super().__init__(handle)
        self._unread = unread

    def __call__(self) -> web.RequestHandler:
        """Return a connection."""
        return _Connection(self, self._unread)


class _Connection(web.RequestHandler):
    """Refuses what it cannot read under status 400, before any handler could know of it."""

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
        """Return the refusal."""
        self._unread(message or f"{type(exc).__name__}: {exc}")
        return super().handle_error(request, status, exc, message)
