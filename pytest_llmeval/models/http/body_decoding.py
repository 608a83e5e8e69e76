"""Decoding of compressed response bodies, up to a number of bytes.

0.15 MB of gzip can expand to 150 MB, and the HTTP client's bound on what one read decompresses depends on its version
and on how it is read; so the bodies are decoded here.
"""

import zlib

__all__ = ["UndecodableError", "decoded"]

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS
_CM_DEFLATE = 8
_GZIP = b"\x1f\x8b"
_PIECE_BYTES = 4096  # each gzip member copies the rest of its piece, and 8 MiB may hold 400,000 members


class UndecodableError(Exception):
    """A body cannot be decoded; the message says why, in a few words."""


def decoded(body: bytes, encoding: str, cap: int, *, is_cut: bool) -> tuple[bytes, bool]:
    """Return up to ``cap`` bytes of the decoded body, and whether there is more.

    Args:
        body: the body as received.
        encoding: the Content-Encoding; an unknown one counts as none.
        cap: largest number of bytes to return, above 0.
        is_cut: whether only the beginning of the body was received.

    Raises:
        UndecodableError: the body is not in ``encoding``, or ends too early.
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
    """Return up to ``most`` decompressed bytes, and whether the last compressed member is complete.

    A gzip file may have several members in a row (RFC 1952, 2.2): some proxies make one of each flush.
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
    """Return the window bits for ``body``: some servers send deflate without the zlib header that HTTP requires."""
    is_wrapped = body.startswith(_GZIP) or body[0] & 0x0F == _CM_DEFLATE
    return _GZIP_OR_ZLIB if is_wrapped else _RAW_DEFLATE
