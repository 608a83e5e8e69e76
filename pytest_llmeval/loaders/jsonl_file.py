r"""JSONL datasets: one JSON object per line, read as a stream.

Lines end with ``\n`` only; a BOM and CRLF are accepted.
"""

from collections.abc import Iterator
from pathlib import Path

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.strict_json import NotJsonError, parse
from pytest_llmeval.core.types import Sample
from pytest_llmeval.loaders.rows import to_sample
from pytest_llmeval.loaders.source import RowRef, checksum, readable, reread

__all__ = ["JsonlFile"]

_BOM = b"\xef\xbb\xbf"


class JsonlFile:
    """The rows of a JSONL file, blank lines skipped."""

    unit = "line"

    def __init__(self, path: Path, shown: str) -> None:
        self.path = path
        self.shown = shown

    def rows(self) -> Iterator[tuple[RowRef, Sample | DatasetError]]:
        """Yield the row of each line."""
        position, is_begun = 0, False
        with readable(self.shown), open(self.path, "rb") as file:
            for number, raw in enumerate(file, 1):
                line = (raw if position else raw.removeprefix(_BOM)).strip()
                if line.startswith(b"[") and not is_begun:
                    raise DatasetError(
                        f"{self.shown}:{number}: a JSON array, not one object a line; rename the file to .json"
                    )
                is_begun = is_begun or bool(line)
                if line:
                    ref = RowRef(position, len(raw), number, checksum(raw))
                    try:
                        yield ref, self._sample(raw, ref)
                    except DatasetError as error:
                        yield ref, error
                position += len(raw)

    def read(self, ref: RowRef) -> Sample:
        """Return the row of one line, reading it from the file again."""
        return self._sample(reread(self.path, self.shown, ref), ref)

    def _sample(self, raw: bytes, ref: RowRef) -> Sample:
        where = f"{self.shown}:{ref.line}"
        try:
            row = parse(raw.removeprefix(_BOM) if ref.position == 0 else raw)
        except NotJsonError as error:
            raise DatasetError(f"{where}: not valid JSON: {error}") from None
        return to_sample(row, where)
