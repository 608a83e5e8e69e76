"""The interface of every dataset, and the references by which a row is read again."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.types import Sample

__all__ = ["Dataset", "RowRef", "checksum", "readable", "reread"]


class RowRef(NamedTuple):
    """The position of a row: enough to read it again and to notice that it has changed.

    A tuple, because one is created per row at collection and a frozen dataclass would take twice as long.
    """

    position: int
    """Byte offset in the file, or in the copy that is read in its place; index in a list."""
    length: int
    """Length of the row in bytes."""
    line: int
    """Line in a text file, from 1; in other datasets the number of the row (``Dataset.unit``)."""
    checksum: int
    """First 64 bits of the sha256 of the row as it was read."""


class Dataset(Protocol):
    """The rows of one dataset."""

    shown: str
    """Name of the dataset in messages."""
    unit: str
    """What ``RowRef.line`` counts: ``line`` or ``row``."""

    def rows(self) -> Iterator[tuple[RowRef, Sample | DatasetError]]:
        """Yield each row in order; an invalid row comes as the error that describes it.

        Raises:
            DatasetError: if the rest of the dataset cannot be read at all.
        """
        ...

    def read(self, ref: RowRef) -> Sample:
        """Return the row at ``ref``; raise DatasetError if it has changed since."""
        ...


def checksum(raw: bytes) -> int:
    """Return the first 64 bits of the sha256 of a row's bytes."""
    return int.from_bytes(hashlib.sha256(raw).digest()[:8])


@contextlib.contextmanager
def readable(shown: str) -> Iterator[None]:
    """Turn an OSError inside the context into a DatasetError that begins with ``shown``."""
    try:
        yield
    except OSError as error:
        raise DatasetError(f"{shown}: {error.strerror or error}") from None


def reread(path: Path, shown: str, ref: RowRef) -> bytes:
    """Return the bytes of a row in a file; raise DatasetError if the row has changed since collection."""
    with readable(f"{shown}:{ref.line}"), open(path, "rb", buffering=0) as file:
        file.seek(ref.position)
        raw = file.read(ref.length)
    if checksum(raw) != ref.checksum:
        raise DatasetError(f"{shown}:{ref.line}: the file changed while the session ran; run it again")
    return raw
