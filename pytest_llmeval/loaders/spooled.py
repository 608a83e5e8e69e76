"""Rows that are read as a stream from what has no cheap way back to one row, and copied to a temporary file."""

import os
import tempfile
import weakref
from collections.abc import Iterable
from typing import Any

from pytest_llmeval.loaders.memory import MemoryRows
from pytest_llmeval.loaders.source import RowRef, checksum, readable

__all__ = ["SpooledRows"]


class SpooledRows(MemoryRows):
    """Rows of which each is kept as JSON text in an unnamed temporary file; the memory holds one at a time.

    A case sees the row that was collected, whatever becomes of the source meanwhile. Reading is safe in every thread.
    """

    def __init__(self, shown: str, numbered: Iterable[tuple[int, Any]], *, revision: str = "") -> None:
        """Prepare to copy the rows that ``numbered`` yields.

        Args:
            shown: the name of the source in messages.
            numbered: rows with their numbers, from 1; an error in the place of a row that cannot be read.
            revision: of the source; the rows' checksums, and so the digest of the dataset, cover it.
        """
        super().__init__(shown, numbered)
        self.unit = "row"
        self._revision = revision.encode()
        with readable(shown):
            self._file = tempfile.TemporaryFile(prefix="llmeval-")  # noqa: SIM115 - lives as long as the rows
        weakref.finalize(self, self._file.close)
        self._end = 0

    def _keep(self, raw: bytes) -> int:
        position, self._end = self._end, self._end + len(raw)
        with readable(f"{self.shown}: copying its rows to {tempfile.gettempdir()}"):
            self._file.write(raw)
        return position

    def _kept(self, ref: RowRef) -> bytes:
        with readable(f"{self.shown}: reading the copy of its rows in {tempfile.gettempdir()}"):
            self._file.flush()
            return os.pread(self._file.fileno(), ref.length, ref.position)

    def _checksum(self, raw: bytes) -> int:
        return checksum(self._revision + raw)
