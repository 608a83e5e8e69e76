"""CSV export of a run: a table of its cases and a table of its metrics.

Text from a model is shown as on a terminal, with control characters as visible escapes. Anything in a cell that a
spreadsheet would read as a formula gets an apostrophe before it; a text that is a number stays as it is.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.ids import shown_name
from pytest_llmeval.core.metrics import Metric, summarise
from pytest_llmeval.core.text import printable
from pytest_llmeval.core.types import Score
from pytest_llmeval.reports.exported import ExportedCase, shown_response, shown_target
from pytest_llmeval.reports.formulas import guarded
from pytest_llmeval.reports.row_texts import asked_text

__all__ = ["cases_csv", "summary_csv"]

Cell = str | int | float | None

_LONGEST = 32_000
"""Largest number of characters in a cell. Excel accepts 32,767, Python's own reader 131,072."""
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_CASE_COLUMNS = (
    "run",
    "suite",
    "slices",
    "sample_id",
    "model",
    "epoch",
    "outcome",
    "error_kind",
    "error",
    "input",
    "response",
    "expected",
    "latency_s",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "attempts",
    "cached",
    "started_at",
    "nodeid",
)
_SUMMARY_COLUMNS = (
    "run",
    "suite",
    "model",
    "slice",
    "metric",
    "n",
    "mean",
    "low",
    "high",
    "misses",
    "errors",
    "skipped",
    "cases",
)


def cases_csv(run_id: str, scores: Mapping[str, bool], cases: Iterable[ExportedCase]) -> Iterator[str]:
    """Yield the lines of a table with a row for each case, the header first.

    Args:
        run_id: the id of the run.
        scores: whether there is a column for who decided the score, by name of the score, in the order of the columns.
        cases: the cases of the run.
    """
    decided = [name for name, is_told in scores.items() if is_told]
    parts = [(name, ("value", "passed", "reason", *(("decided_by",) if name in decided else ()))) for name in scores]
    titles = [*_CASE_COLUMNS, *(f"{shown_name(name)}.{part}" for name, told in parts for part in told)]
    yield _line(titles)
    for exported in cases:
        own = {score.name: score for score in exported.case.scores}
        cells = [_part(own.get(name), part) for name, told in parts for part in told]
        yield _line([*_case_cells(run_id, exported), *cells])


def summary_csv(run_id: str, cases: Sequence[JudgedCase]) -> Iterator[str]:
    """Yield the lines of a table with a row for each metric of each suite, model and slice, the header first.

    The mean is over samples, with the gate's 95 % interval. A miss is a case whose score did not pass; for
    ``pass_rate``, a case that missed.
    """
    yield _line(_SUMMARY_COLUMNS)
    misses = _misses(cases)
    for metric in summarise(cases):
        yield _line(_summary_cells(run_id, metric, misses[metric.suite, metric.model, metric.slice, metric.name]))


def _case_cells(run_id: str, exported: ExportedCase) -> list[Cell]:
    case = exported.case
    return [
        run_id,
        case.key.suite,
        json.dumps(case.slices, ensure_ascii=False),
        case.key.sample_id,
        case.key.model,
        case.key.epoch,
        case.outcome,
        case.error_kind,
        case.error,
        asked_text(case, exported.calls),
        shown_response(case, exported.calls),
        None if case.target is None else shown_target(case.target),
        case.latency_s,
        case.input_tokens,
        case.output_tokens,
        case.cost_usd,
        case.attempts,
        int(case.cached),
        case.started_at,
        case.key.nodeid,
    ]


def _part(score: Score | None, part: str) -> Cell:
    value: Cell = None if score is None else getattr(score, part)
    return int(value) if isinstance(value, bool) else value


def _summary_cells(run_id: str, metric: Metric, misses: int) -> list[Cell]:
    return [
        run_id,
        metric.suite,
        metric.model,
        metric.slice,
        metric.name,
        metric.n,
        metric.value,
        metric.low,
        metric.high,
        misses,
        metric.errors,
        metric.skipped,
        metric.collected,
    ]


def _misses(cases: Iterable[JudgedCase]) -> Counter[tuple[str, str, str | None, str]]:
    """Return the number of cases that did not pass, by suite, model, slice (None for all) and metric."""
    found: Counter[tuple[str, str, str | None, str]] = Counter()
    for case in (each for each in cases if each.outcome != "skipped"):
        names = [name for name, passed in case.passed.items() if passed is False and name in case.scores]
        names += ["pass_rate"] if case.outcome == "missed" else []
        found.update((case.suite, case.model, part, name) for part in (None, *case.slices) for name in names)
    return found


def _line(cells: Sequence[Cell]) -> str:
    """Return one CSV row without its line end."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([_safe(cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue()[:-1]


def _safe(text: str) -> str:
    """Return a text made safe for a cell."""
    shown = printable(text)
    if _NUMBER.fullmatch(shown):
        return shown
    shown = guarded(shown)
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]}... {len(shown) - _LONGEST} characters more"
    return shown
