"""Reader of a GGUF file's header: its metadata, and the names and shapes of its tensors, without their data.

The format is described in https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pytest_llmeval.core.errors import ModelError

__all__ = ["GgufHeader", "read_gguf_header"]

_STRING, _ARRAY = 8, 9
_SCALARS: Mapping[int, str] = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
"""``struct`` format characters by GGUF type of a metadata value."""
_TENSOR_BYTES: Mapping[int, int] = {0: 4, 1: 2, 30: 2}
"""Bytes per element by GGUF type of a tensor: float32, float16, bfloat16."""
_ALIGNMENT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """The header of one file."""

    fields: Mapping[str, Any]
    """Metadata by key: numbers, booleans and strings. Arrays, mostly the vocabulary, are left out."""
    tensors: Mapping[str, tuple[int, ...]]
    """Shapes of the tensors by name, in the order of the format: the length of a row first."""

    def count(self, key: str) -> int | None:
        """Return the whole number under ``key``; None if the file has none."""
        value = self.fields.get(key)
        return value if isinstance(value, int) else None

    def text(self, key: str) -> str:
        """Return the string under ``key``; an empty one if the file has none."""
        value = self.fields.get(key)
        return value if isinstance(value, str) else ""


def read_gguf_header(path: Path, where: str) -> GgufHeader:
    """Return the header of the file at ``path``.

    Args:
        path: the file.
        where: beginning of error messages.

    Raises:
        ModelError: the file cannot be read, is not a GGUF file, or is cut off.
    """
    try:
        with open(path, "rb") as file:
            return _Reader(file, path.stat().st_size).header()
    except OSError as error:
        raise ModelError(f"{where}: {path}: cannot be read: {error.strerror or error}") from None
    except (_HeaderError, UnicodeDecodeError, MemoryError, RecursionError) as error:
        raise ModelError(
            f"{where}: {path}: {error if isinstance(error, _HeaderError) else 'not a GGUF file'}"
        ) from None


class _HeaderError(Exception):
    """What is wrong with a file, in a few words."""


class _Reader:
    """Reads one file from its beginning."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size

    def header(self) -> GgufHeader:
        if self._size < 4 or self._bytes(4) != b"GGUF":
            raise _HeaderError("not a GGUF file")
        version = self._number("I")
        if version not in (2, 3):
            raise _HeaderError(f"a GGUF file of version {version}; 2 and 3 can be read")
        tensor_count, field_count = self._number("Q"), self._number("Q")
        fields = {}
        for _ in range(field_count):
            key = self._text()
            value = self._value(self._number("I"))
            if value is not None:
                fields[key] = value
        tensors, ends = {}, [0]
        for _ in range(tensor_count):
            name = self._text()
            shape = tuple(self._number("Q") for _ in range(self._number("I")))
            kind, offset = self._number("I"), self._number("Q")
            tensors[name] = shape
            ends.append(offset + math.prod(shape) * _TENSOR_BYTES.get(kind, 0))
        alignment = fields.get("general.alignment", _ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1:
            raise _HeaderError(f"general.alignment is {alignment!r:.60}, which is not a whole number above 0")
        start = -(-self._file.tell() // alignment) * alignment
        if start + max(ends) > self._size and tensors:
            raise _HeaderError("the file is cut off")
        return GgufHeader(fields=fields, tensors=tensors)

    def _value(self, kind: int) -> Any:
        """Return a field's value; skip an array and return None."""
        if kind == _STRING:
            return self._text()
        if kind == _ARRAY:
            self._pass_over(self._number("I"), self._number("Q"))
            return None
        if kind not in _SCALARS:
            raise _HeaderError(f"not a GGUF file: a field of type {kind}")
        return self._number(_SCALARS[kind])

    def _pass_over(self, kind: int, count: int) -> None:
        """Skip the items of an array."""
        if kind in _SCALARS:
            self._skip(count * struct.calcsize(_SCALARS[kind]))
            return
        for _ in range(count):
            if kind == _STRING:
                self._skip(self._number("Q"))
            else:
                self._value(kind)

    def _text(self) -> str:
        return self._bytes(self._number("Q")).decode()

    def _number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self._bytes(struct.calcsize(f"<{code}")))[0]

    def _bytes(self, count: int) -> bytes:
        found = self._file.read(count) if count <= self._size else b""
        if len(found) != count:
            raise _HeaderError("the file is cut off")
        return found

    def _skip(self, count: int) -> None:
        if self._file.tell() + count > self._size:
            raise _HeaderError("the file is cut off")
        self._file.seek(count, 1)
