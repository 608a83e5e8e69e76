"""Which connections of the SDKs' HTTP client are kept: none on which more came than the answer that was asked for.

The client takes in an answer and whatever is behind it at once, and reads the rest as the answer to the next request.
"""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

__all__ = ["KeptConnections"]

_CHUNK = 256 * 1024  # the most that an event loop takes in at once, so that nothing waits unseen behind it
_HTTP = b"HTTP/"


class KeptConnections(httpx2.AsyncHTTPTransport):
    """The client's own transport, over streams that tell of the bytes that no answer took.

    It sends as it does when this is imported: tests put recorders in its place (vcrpy), which would keep keys.
    """

    handle_async_request = httpx2.AsyncHTTPTransport.handle_async_request

    def __init__(self, *, verify: ssl.SSLContext, limits: httpx2.Limits, proxy: str | None) -> None:
        super().__init__(verify=verify, limits=limits, proxy=proxy, trust_env=False)
        self._pool._network_backend = _Backend()  # a pool takes one, and the transport has no argument for it


class _Backend(httpcore2.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await super().connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore2.AsyncNetworkStream):
    """Gives the last byte that came only to who asks for more: an answer that ended before it leaves it here.

    What came before any HTTP is given as it came, since who speaks SOCKS does not ask twice.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._tls: ssl.SSLObject | None = stream.get_extra_info("ssl_object")
        self._left = b""
        self._is_http = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not self._left:
            self._left = await self._stream.read(max(max_bytes, _CHUNK), timeout)
            self._is_http = self._is_http or self._left.startswith(_HTTP[: len(self._left)])
        size = min(max_bytes, max(1, len(self._left) - self._is_http))
        given, self._left = self._left[:size], self._left[size:]
        return given

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Return what the client asks; an idle connection that is readable is closed, and not used again."""
        if info == "is_readable" and (self._left or self._has_record()):
            return True
        return self._stream.get_extra_info(info)

    def _has_record(self) -> bool:
        """Return whether TLS has taken in more than was read; the socket no longer tells of that."""
        if self._tls is None:
            return False
        try:
            self._tls.read(1)
        except ssl.SSLError as error:
            return not isinstance(error, ssl.SSLWantReadError)
        return True
