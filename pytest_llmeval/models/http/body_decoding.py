"""Bodies under a Content-Encoding, decoded up to a number of bytes.

Done here rather than by the HTTP client, whose bound on what one read decompresses depends on its version and on how
it is read: 0.15 MB of gzip can stand for 150 MB.
"""

import zlib

__all__ = ["UndecodableError", "decoded"]

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS
_CM_DEFLATE = 8
_GZIP = b"\x1f\x8b"
_PIECE_BYTES = 4096  # what follows a member is copied with each, and there may be 400,000 in 8 MiB


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
    try:
        plain, is_whole = _inflated(body, cap + 1)
    except zlib.error as error:
        raise UndecodableError(str(error)) from None
    if len(plain) > cap:
        return plain[:cap], True
    if not (is_whole or is_cut):
        raise UndecodableError("compressed data that ends too early")
    return plain, is_cut


def _inflated(body: bytes, most: int) -> tuple[bytes, bool]:
    """Return up to ``most`` bytes of what ``body`` stands for, and whether what it ends with came to its end.

    A gzip may have several members, one behind the other (RFC 1952, 2.2): some proxies make one of each flush.
    """
    decompressor, plain, at = zlib.decompressobj(_window(body)), bytearray(), 0
    while at < len(body) and len(plain) < most:
        if decompressor.eof:
            if not (body.startswith(_GZIP) and _GZIP.startswith(body[at : at + len(_GZIP)])):
                raise UndecodableError("data after the end of the compressed data")
            decompressor = zlib.decompressobj(_GZIP_OR_ZLIB)
        piece = body[at : at + _PIECE_BYTES]
        plain += decompressor.decompress(piece, most - len(plain))
        at += len(piece) - len(decompressor.unused_data) - len(decompressor.unconsumed_tail)
    return bytes(plain), decompressor.eof


def _window(body: bytes) -> int:
    """Return the window bits for ``body``: some servers send deflate without the header that HTTP asks for."""
    is_wrapped = body.startswith(_GZIP) or body[0] & 0x0F == _CM_DEFLATE
    return _GZIP_OR_ZLIB if is_wrapped else _RAW_DEFLATE
