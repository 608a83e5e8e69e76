"""Baseline files: a run exported to JSON Lines, one header and then its cases, for git or as an artifact.

The same run always gives the same bytes. A file whose name ends in ``.gz`` is compressed.
"""

import contextlib
import gzip
import itertools
import zlib
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.strict_json import NotJsonError, parse
from pytest_llmeval.core.text import shown_value
from pytest_llmeval.core.types import JudgeRecord
from pytest_llmeval.store.baseline_fields import NewerFormatError, NotALineError
from pytest_llmeval.store.baseline_lines import (
    checked_case,
    checked_header,
    to_case,
    to_case_row,
    to_header,
    to_judges,
    to_line,
    to_run,
    to_score_rows,
)
from pytest_llmeval.store.judged import judged_cases
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.whole_file import whole_file

__all__ = ["BaselineFile", "write_baseline"]

_GZIP = b"\x1f\x8b"
"""First two bytes of a compressed file."""
_LONGEST_LINE = 64 * 1024 * 1024
"""Largest number of bytes in a line; a foreign file must not fill the memory."""
_AGAIN = "export it again with `llmeval baseline export`"


class BaselineFile:
    """An exported run, streamed from its file on every read and validated meanwhile."""

    def __init__(self, path: Path, shown: str) -> None:
        """Read the header of ``path``, which messages call ``shown``.

        Raises:
            StoreError: the file cannot be read, is not an exported baseline, or was written by a newer version.
        """
        self.path = path
        self.shown = shown
        lines = self._lines()
        with contextlib.closing(lines):
            number, data = next(lines, (1, None))
        header = self._understood(number, checked_header, data)
        self.name: str = header["name"]
        self.count: int = header["cases"]
        """Number of cases in the file, according to its header."""
        self.run: Run = to_run(header["run"])
        self.judges: list[JudgeRecord] = to_judges(header)
        """The judges of its scores (what each judge_id stands for); empty for a file of an older version."""

    def cases(self) -> Iterator[StoredCase]:
        """Yield each case with its scores, in the order of recording; raise StoreError on a bad line."""
        return (to_case(self.run.id, found) for _, found in self._checked())

    def judged(self) -> Iterator[JudgedCase]:
        """Yield what the gate needs of each case; raise StoreError on a bad line."""
        rows = ((to_case_row(number, found), [*to_score_rows(number, found)]) for number, found in self._checked())
        of_cases, of_scores = itertools.tee(rows)
        return judged_cases((case for case, _ in of_cases), (score for _, scores in of_scores for score in scores))

    def _checked(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each validated case with its line number."""
        known: set[int] = set()  # only hashes of the keys, as there may be very many
        with contextlib.closing(self._lines()) as lines:
            next(lines, None)
            for number, data in lines:
                found = self._understood(number, checked_case, data)
                key = hash((found["suite"], found["model"], found["sample_id"], found["epoch"]))
                if key in known:
                    raise self._error(number, f"sample {shown_value(found['sample_id'])} appears twice")
                known.add(key)
                yield number, found
        if len(known) != self.count:
            raise StoreError(
                f"{self.shown}: it holds {len(known)} cases, and its first line says {self.count}: a part is missing"
                f" or was added; {_AGAIN}"
            )

    def _understood(self, number: int, check: Any, data: Any) -> Any:
        try:
            return check(data)
        except NewerFormatError as error:
            raise self._error(number, str(error), "upgrade pytest-llmeval") from None
        except NotALineError as error:
            raise self._error(number, str(error)) from None

    def _lines(self) -> Generator[tuple[int, Any], None, None]:
        """Yield the parsed JSON of each line with its number, from 1."""
        with self._opened() as file:
            for number, raw in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), b""), 1):
                if len(raw) > _LONGEST_LINE:
                    raise self._error(number, f"it is longer than {_LONGEST_LINE:,} bytes")
                try:
                    yield number, parse(raw)
                except NotJsonError as error:
                    raise self._error(number, f"not valid JSON: {error}") from None

    @contextlib.contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """Open the file for reading, uncompressed; errors inside become a StoreError."""
        try:
            with open(self.path, "rb") as raw:
                packed = raw.read(2) == _GZIP
                raw.seek(0)
                if not packed:
                    yield raw
                    return
                with gzip.GzipFile(fileobj=raw, mode="rb") as file:
                    yield file  # type: ignore[misc]  # it reads as a BinaryIO does
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise StoreError(f"{self.shown}: the compressed file is damaged: {error}; {_AGAIN}") from None
        except OSError as error:
            raise StoreError(f"{self.shown}: cannot be read: {error.strerror or error}") from None

    def _error(self, number: int, found: str, advice: str = _AGAIN) -> StoreError:
        return StoreError(f"{self.shown}:{number}: {found}; {advice}")


def write_baseline(
    path: Path,
    *,
    shown: str,
    name: str,
    run: Run,
    count: int,
    cases: Iterable[StoredCase],
    judges: Iterable[JudgeRecord] = (),
    answers: bool = True,
) -> None:
    """Write a run to ``path`` atomically, see ``whole_file``.

    Args:
        path: the file; it is compressed if its name ends in ``.gz``.
        shown: the name of the file in messages.
        name: the name of the baseline.
        run: a run that has ended.
        count: the number of its cases.
        cases: its cases.
        judges: what the judge_ids of their scores stand for.
        answers: whether to write the answers of the models, and texts that may quote them or the dataset.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        with whole_file(path) as raw:
            with _packed(raw, is_packed=path.name.endswith(".gz")) as file:
                header = to_header(name, run, cases=count, answers=answers, judges=judges)
                file.write(f"{header}\n".encode("ascii"))
                written = 0
                for case in cases:
                    file.write(f"{to_line(case, answers=answers)}\n".encode("ascii"))
                    written += 1
            if written != count:
                raise StoreError(f"{shown}: run {run.id} changed while it was written; do it again")
    except ValueError as error:
        raise StoreError(f"{shown}: run {run.id} cannot be written: {error}") from None
    except OSError as error:
        raise StoreError(f"{shown}: cannot be written: {error.strerror or error}") from None


@contextlib.contextmanager
def _packed(raw: BinaryIO, *, is_packed: bool) -> Iterator[BinaryIO]:
    """Open ``raw`` for writing, compressed if asked for, without time and name: the bytes depend on the text alone."""
    if not is_packed:
        yield raw
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as file:
        yield file  # type: ignore[misc]  # it writes as a BinaryIO does
