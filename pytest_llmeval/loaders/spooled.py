"""Datasets without cheap access to a single row: read as a stream, and copied to a temporary file."""

import os
import tempfile
import weakref
from collections.abc import Iterable
from typing import Any

from pytest_llmeval.loaders.memory import MemoryRows
from pytest_llmeval.loaders.source import RowRef, checksum, readable

__all__ = ["SpooledRows"]


class SpooledRows(MemoryRows):
    """A dataset that keeps each row as JSON text in an unnamed temporary file, with one row in memory at a time.

    A case sees the row that was collected, even if the source changes meanwhile. Reading is thread-safe.
    """

    def __init__(self, shown: str, numbered: Iterable[tuple[int, Any]], *, revision: str = "") -> None:
        """Prepare to copy the rows from ``numbered``.

        Args:
            shown: the name of the dataset in messages.
            numbered: pairs of row number, from 1, and row; a row that cannot be read comes as its DatasetError.
            revision: the revision of the source, which the rows' checksums, and so the dataset's digest, cover.
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
