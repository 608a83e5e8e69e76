"""What every source of rows offers, and how a row is found again."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.types import Sample

__all__ = ["Dataset", "RowRef", "checksum", "readable", "reread"]


class RowRef(NamedTuple):
    """Where a row stands: enough to read it again and to see that it did not change meanwhile.

    A tuple, as one is made for each row at collection: a frozen dataclass takes twice as long.
    """

    position: int
    """Byte offset in a file or in the copy that is read again instead; index in a list."""
    length: int
    """Bytes of the row there."""
    line: int
    """Line in a file of text, from 1; elsewhere the number of the row (``Dataset.unit``)."""
    checksum: int
    """The first 64 bits of the sha256 of the row as it was read."""


class Dataset(Protocol):
    """Rows of one source."""

    shown: str
    """Its name in messages."""
    unit: str
    """What the ``line`` of its references counts: line or row."""

    def rows(self) -> Iterator[tuple[RowRef, Sample | DatasetError]]:
        """Yield each row in order; what is no row comes as the error that describes it.

        Raises:
            DatasetError: where the source as a whole cannot be read any further.
        """
        ...

    def read(self, ref: RowRef) -> Sample:
        """Return the row at ``ref``; raise DatasetError where it is no longer what it was."""
        ...


def checksum(raw: bytes) -> int:
    """Return the first 64 bits of the sha256 of a row's bytes."""
    return int.from_bytes(hashlib.sha256(raw).digest()[:8])


@contextlib.contextmanager
def readable(shown: str) -> Iterator[None]:
    """Turn what the file system refuses meanwhile into a DatasetError that begins with ``shown``."""
    try:
        yield
    except OSError as error:
        raise DatasetError(f"{shown}: {error.strerror or error}") from None


def reread(path: Path, shown: str, ref: RowRef) -> bytes:
    """Return the bytes of a row of a file; raise DatasetError where the file changed since it was collected."""
    with readable(f"{shown}:{ref.line}"), open(path, "rb", buffering=0) as file:
        file.seek(ref.position)
        raw = file.read(ref.length)
    if checksum(raw) != ref.checksum:
        raise DatasetError(f"{shown}:{ref.line}: the file changed while the session ran; run it again")
    return raw
