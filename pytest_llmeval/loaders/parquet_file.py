"""Parquet datasets (extra ``parquet``), read as a stream: a few pages of a row group at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # has no stubs
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # as above

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.loaders.arrow_rows import BATCH, arrow_rows, check_columns
from pytest_llmeval.loaders.source import readable
from pytest_llmeval.loaders.spooled import SpooledRows

__all__ = ["open_parquet"]

_PAGES_BYTES = 1 << 16
"""Number of bytes of a column read at once. Without this, or with pre_buffer, a whole row group would be read."""


def open_parquet(path: Path, shown: str) -> SpooledRows:
    """Return the rows of a Parquet file, which is opened only when they are read."""
    return SpooledRows(shown, _rows(path, shown))


def _rows(path: Path, shown: str) -> Iterator[tuple[int, Any]]:
    with readable(shown), open(path, "rb") as source:
        try:
            file = pq.ParquetFile(source, buffer_size=_PAGES_BYTES, pre_buffer=False, arrow_extensions_enabled=False)
            check_columns(file.schema_arrow, shown)
            yield from arrow_rows(file.iter_batches(BATCH, use_threads=False), shown)
        except pa.ArrowException as error:
            raise DatasetError(f"{shown}: not a Parquet file: {one_line(str(error))}") from None
