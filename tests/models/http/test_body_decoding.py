"""Laws of decoding: what was packed comes back, never more than asked for."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.models.http.body_decoding import UndecodableError, decoded


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "": bytes}
packers = st.sampled_from(
    [*PACKERS.items(), ("x-gzip", gzip.compress), ("deflate", raw_deflate), (" GZIP ", gzip.compress)]
)


@given(packers, st.binary(min_size=1, max_size=500), st.integers(1, 600))
def test_what_was_packed_comes_back_up_to_the_cap(
    packer: tuple[str, Callable[[bytes], bytes]], body: bytes, cap: int
) -> None:
    encoding, pack = packer
    assert decoded(pack(body), encoding, cap, is_cut=False) == (body[:cap], len(body) > cap)


@given(st.lists(st.binary(max_size=200), min_size=2), st.integers(1, 600), st.data())
def test_a_gzip_may_have_several_members(parts: list[bytes], cap: int, data: st.DataObject) -> None:
    """RFC 1952, 2.2: it is a series of them, as proxies send that compress each flush by itself."""
    body, members = b"".join(parts), [gzip.compress(part) for part in parts]
    packed = b"".join(members)
    assert decoded(packed, "gzip", cap, is_cut=False) == (body[:cap], len(body) > cap)
    end = data.draw(st.integers(len(packed) - len(members[-1]) + 1, len(packed) - 1))  # in the last of them
    plain, is_cut = decoded(packed[:end], "gzip", len(packed) * 10, is_cut=True)
    assert body.startswith(plain) and len(plain) >= len(body) - len(parts[-1]) and is_cut
    with pytest.raises(UndecodableError, match="too early"):
        decoded(packed[:end], "gzip", len(body) + 1, is_cut=False)


@given(st.sampled_from(["gzip", "deflate"]), st.binary(max_size=200), st.booleans())
def test_any_bytes_are_decoded_or_refused(encoding: str, body: bytes, is_cut: bool) -> None:
    """No other error escapes."""
    try:
        plain, _ = decoded(body, encoding, 100, is_cut=is_cut)
    except UndecodableError as error:
        assert str(error)
    else:
        assert len(plain) <= 100


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw_deflate])
def test_a_packed_body_must_be_whole(pack: Callable[[bytes], bytes]) -> None:
    """An end that is missing or one that is no end is not a text cut short, unless only the beginning was read."""
    packed = pack(b"some words " * 50)
    with pytest.raises(UndecodableError, match="too early"):
        decoded(packed[:-9], "deflate", 10_000, is_cut=False)
    with pytest.raises(UndecodableError, match="after the end"):
        decoded(packed + b"more", "deflate", 10_000, is_cut=False)
    if pack is not gzip.compress:
        with pytest.raises(UndecodableError, match="after the end"):
            decoded(packed + gzip.compress(b"more"), "deflate", 10_000, is_cut=False)
    assert decoded(packed[:-9], "deflate", 10_000, is_cut=True)[1]


def test_an_unknown_encoding_is_none() -> None:
    """The body then shows what it is."""
    assert decoded(b"abc", "br", 2, is_cut=False) == (b"ab", True)
