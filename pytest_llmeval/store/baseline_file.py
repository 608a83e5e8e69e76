"""A run in a file of its own, to be kept in git or as an artifact: JSON Lines, a header and then the cases.

The same run gives the same bytes. A name that ends in ``.gz`` is compressed.
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
_LONGEST_LINE = 64 * 1024 * 1024
_AGAIN = "export it again with `llmeval baseline export`"


class BaselineFile:
    """An exported run, read as a stream each time; it is checked as it is read."""

    def __init__(self, path: Path, shown: str) -> None:
        """Read the header of ``path``, which messages call ``shown``.

        Raises:
            StoreError: it cannot be read, is no exported baseline, or a newer version wrote it.
        """
        self.path = path
        self.shown = shown
        lines = self._lines()
        with contextlib.closing(lines):
            number, data = next(lines, (1, None))
        header = self._understood(number, checked_header, data)
        self.name: str = header["name"]
        self.count: int = header["cases"]
        """How many cases it holds."""
        self.run: Run = to_run(header["run"])
        self.judges: list[JudgeRecord] = to_judges(header)
        """What stands behind the judge_ids of its scores; none in a file of an older version."""

    def cases(self) -> Iterator[StoredCase]:
        """Yield each case with its scores, in the order of recording; raise StoreError where a line is bad."""
        return (to_case(self.run.id, found) for _, found in self._checked())

    def judged(self) -> Iterator[JudgedCase]:
        """Yield what the gate needs of each case; raise StoreError where a line is bad."""
        rows = ((to_case_row(number, found), [*to_score_rows(number, found)]) for number, found in self._checked())
        of_cases, of_scores = itertools.tee(rows)
        return judged_cases((case for case, _ in of_cases), (score for _, scores in of_scores for score in scores))

    def _checked(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each case, by the number of its line."""
        known: set[int] = set()  # of the keys no more than their hashes: there may be very many
        with contextlib.closing(self._lines()) as lines:
            next(lines, None)
            for number, data in lines:
                found = self._understood(number, checked_case, data)
                key = hash((found["suite"], found["model"], found["sample_id"], found["epoch"]))
                if key in known:
                    raise self._error(number, f"sample {shown_value(found['sample_id'])} stands twice")
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
        """Yield what each line holds, by its number from 1."""
        with self._opened() as file:
            for number, raw in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), b""), 1):
                if len(raw) > _LONGEST_LINE:
                    raise self._error(number, f"it is longer than {_LONGEST_LINE:,} bytes")
                try:
                    yield number, parse(raw)
                except NotJsonError as error:
                    raise self._error(number, f"no JSON: {error}") from None

    @contextlib.contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """Give the file's bytes, uncompressed; what goes wrong inside is a StoreError."""
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
    """Write a run into ``path`` as ``whole_file`` does.

    Args:
        path: where; compressed where its name ends in ``.gz``.
        shown: what messages call it.
        name: of the baseline.
        run: one that has ended.
        count: how many cases it has.
        cases: those.
        judges: what stands behind the judge_ids of their scores.
        answers: whether what the models said is written, and what quotes it or the dataset.

    Raises:
        StoreError: it cannot be written.
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
    """Give what to write to; no time and no name stands in a compressed file, so that it depends on its text alone."""
    if not is_packed:
        yield raw
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as file:
        yield file  # type: ignore[misc]  # it writes as a BinaryIO does
