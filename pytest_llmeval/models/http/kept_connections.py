"""HTTP transport for the SDKs that keeps no connection on which surplus bytes arrived after an answer.

The client reads an answer and any bytes after it at once, and would take the rest for the answer to the next request.
"""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

__all__ = ["KeptConnections"]

_CHUNK = 256 * 1024  # the most that an event loop reads at once, so that no further bytes wait unseen
_HTTP = b"HTTP/"


class KeptConnections(httpx2.AsyncHTTPTransport):
    """httpx2's transport over streams that report bytes which no answer consumed.

    It keeps the request method of the time of import: tests replace that method with recorders (vcrpy), which would
    store keys.
    """

    handle_async_request = httpx2.AsyncHTTPTransport.handle_async_request

    def __init__(self, *, verify: ssl.SSLContext, limits: httpx2.Limits, proxy: str | None) -> None:
        super().__init__(verify=verify, limits=limits, proxy=proxy, trust_env=False)
        self._pool._network_backend = _Backend()  # a pool takes one, but the transport has no argument for it


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
    """Holds back the last received byte until more is asked for, so that a surplus byte after an answer stays here.

    Bytes before the first HTTP are passed on at once, as the SOCKS handshake does not read twice.
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
        """Return the info; report surplus bytes as readable, as the pool closes an idle connection that is readable."""
        if info == "is_readable" and (self._left or self._has_record()):
            return True
        return self._stream.get_extra_info(info)

    def _has_record(self) -> bool:
        """Return whether TLS holds received bytes that were not read; the socket does not show those."""
        if self._tls is None:
            return False
        try:
            self._tls.read(1)
        except ssl.SSLError as error:
            return not isinstance(error, ssl.SSLWantReadError)
        return True
