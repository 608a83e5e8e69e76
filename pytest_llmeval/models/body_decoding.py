"""Bodies under a Content-Encoding, decoded up to a number of bytes.

Done here rather than by the HTTP client, whose bound on what one read decompresses depends on its version and on how
it is read: 0.15 MB of gzip can stand for 150 MB.
"""

import zlib

__all__ = ["UndecodableError", "decoded"]

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS
_CM_DEFLATE = 8


class UndecodableError(Exception):
    """What is wrong with a body, in a few words."""


def decoded(body: bytes, encoding: str, cap: int, *, is_cut: bool) -> tuple[bytes, bool]:
    """Return up to ``cap`` bytes of what ``body`` stands for, and whether there is more.

    Args:
        body: as it was received.
        encoding: the Content-Encoding; an unknown one is taken as none.
        cap: in bytes, above 0.
        is_cut: whether only the beginning of the body was received.

    Raises:
        UndecodableError: the body is not what ``encoding`` says, or ends too early.
    """
    if not body or encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        return body[:cap], is_cut or len(body) > cap
    decompressor = zlib.decompressobj(_window(body))
    try:
        plain = decompressor.decompress(body, cap + 1)
    except zlib.error as error:
        raise UndecodableError(str(error)) from None
    if len(plain) > cap:
        return plain[:cap], True
    if not (decompressor.eof or is_cut):
        raise UndecodableError("compressed data that ends too early")
    if decompressor.unused_data:
        raise UndecodableError("data after the end of the compressed data")
    return plain, is_cut


def _window(body: bytes) -> int:
    """Return the window bits for ``body``: some servers send deflate without the header that HTTP asks for."""
    is_wrapped = body.startswith(b"\x1f\x8b") or body[0] & 0x0F == _CM_DEFLATE
    return _GZIP_OR_ZLIB if is_wrapped else _RAW_DEFLATE
