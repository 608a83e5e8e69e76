"""A comparison as plain text for a terminal."""

from collections.abc import Iterator, Sequence

from pytest_llmeval.core.comparing import MeasureChange
from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.left_out import partial_words
from pytest_llmeval.core.text import one_line, printable
from pytest_llmeval.reports.comparison import Comparison
from pytest_llmeval.reports.comparison_words import (
    LEGEND,
    by_suite,
    flip_texts,
    has_legend,
    measure_cells,
    measure_name,
    opening,
    reason_of,
    reason_titles,
    row_name,
    score_words,
    verdict_cells,
)
from pytest_llmeval.reports.own_gate import gate_lines
from pytest_llmeval.reports.row_flips import Flip
from pytest_llmeval.reports.rule_words import metric_name, ruled_name
from pytest_llmeval.reports.table import Column, table_lines, table_width
from pytest_llmeval.reports.text_width import cut, squeezed, wrapped

__all__ = ["comparison_lines"]

_CHANGES: tuple[Column, ...] = (
    ("metric", "left"),
    ("n", "right"),
    ("base", "right"),
    ("now", "right"),
    ("change (90%)", "right"),
    ("p", "right"),
    ("MDE", "right"),
    ("verdict", "fixed"),
)
_MEASURES: tuple[Column, ...] = (
    ("measure", "left"),
    ("n", "right"),
    ("base", "right"),
    ("now", "right"),
    ("change (90%)", "right"),
)
_LONG = 40
"""Number of lines from which the verdict is repeated at the end, where a terminal shows it."""

_INDENT = "  "
_GAP = " ... "
_LONGEST = 100_000
"""Largest number of characters of a text considered for shortening; both its ends are kept."""
_FIRST = 3
"""Number of lines shown of a reason: one on the score, two on what differs."""


def comparison_lines(comparison: Comparison, *, width: int, tables: int | None = None, verbosity: int = 0) -> list[str]:
    """Return the lines that show a comparison, the verdict first.

    Args:
        comparison: the comparison to show.
        width: the largest number of columns in a line.
        tables: the largest number of columns in a table's line; ``width`` when None.
        verbosity: 0 shows each answer on one line, 1 in full.
    """
    begin = list(_opening(comparison, width))
    base = _run(comparison.base, comparison.base_id, comparison.base_partial)
    now = _run(comparison.current, comparison.current_id, comparison.current_partial)
    lines = [*begin, *wrapped(f"base: {base}", width), *wrapped(f"now: {now}", width)]
    if comparison.set_up:
        lines += wrapped(f"differs in: {'; '.join(map(one_line, comparison.set_up))}", width)
    for (suite, model), (changes, measures) in by_suite(comparison).items():
        title = f"{one_line(suite)} on {one_line(model)}"
        lines += ["", *_suite_lines(comparison, title, changes, measures, width, tables or width)]
    if has_legend(comparison):
        lines += ["", *wrapped(LEGEND, width)]
    lines += ["", *_flip_lines(comparison, width, verbosity)]
    for note in comparison.notes:
        lines += wrapped(f"note: {one_line(note)}", width)
    left_out = [each for each in comparison.changes if each.verdict == "not_judged" and not each.is_reported]
    for reason in dict.fromkeys(each.reason or "" for each in left_out):
        rules = ", ".join(f"{one_line(each.suite)} {metric_name(each)}" for each in left_out if each.reason == reason)
        lines += wrapped(f"not judged ({reason}): {rules}", width)
    return lines if len(lines) < _LONG else [*lines, "", *begin]


def _opening(comparison: Comparison, width: int) -> Iterator[str]:
    """Yield the verdicts of the run's own gate and of the comparison, and any rules of the gate that do not pass."""
    _, (first, *others) = opening(comparison)
    yield from wrapped(first, width)
    if others:
        for line in gate_lines(comparison.gate):
            yield from wrapped(line, width, indent=_INDENT)
    for line in others:
        yield from wrapped(line, width)


def _suite_lines(
    comparison: Comparison,
    title: str,
    changes: Sequence[Verdict],
    measures: Sequence[MeasureChange],
    width: int,
    tables: int,
) -> Iterator[str]:
    yield cut(title, tables)
    rows = [[ruled_name(each), *verdict_cells(comparison, each)] for each in changes]
    if rows:
        yield from table_lines(_CHANGES, _narrowed(rows, tables - len(_INDENT)), width=tables, indent=_INDENT)
    for each in changes:
        if (reason := reason_of(each)) is not None:
            yield from wrapped(reason, width, indent="  ")
    rows = [[measure_name(each), *measure_cells(each)] for each in measures]
    if rows:
        yield from [""] if changes else []
        yield from table_lines(_MEASURES, rows, width=tables, indent=_INDENT)


def _narrowed(rows: Sequence[Sequence[str]], width: int) -> Sequence[Sequence[str]]:
    """Return ``rows``, without the intervals of the changes if they would leave no room for whole names."""
    if table_width(_CHANGES, rows) <= width:
        return rows
    return [[*row[:4], row[4].partition(" ")[0], *row[5:]] for row in rows]


def _flip_lines(comparison: Comparison, width: int, verbosity: int) -> Iterator[str]:
    yield f"rows that flipped: {comparison.worse} for the worse, {comparison.better} for the better"
    for flip in comparison.flips:
        yield cut(f"  {flip.direction}: {row_name(flip)}: {score_words(flip)}", width)
        yield from _texts(flip, width, verbosity)
    hidden = comparison.worse + comparison.better - sum(flip.by_outcome for flip in comparison.flips)
    if hidden:
        yield f"  ... and {hidden} more; --json has them"


def _texts(flip: Flip, width: int, verbosity: int) -> Iterator[str]:
    reasons = reason_titles(flip)
    for title, text in flip_texts(flip).items():
        if verbosity < 1:
            yield from _short(title, text.splitlines()[:_FIRST] if title in reasons else [text], width)
            continue
        yield f"    {title}"
        yield from (f"      {line}".rstrip() for line in printable(text).splitlines())


def _short(title: str, lines: Sequence[str], width: int) -> Iterator[str]:
    """Yield ``lines`` after their title, each shortened in the middle to ``width``."""
    label = f"    {title:<9} "
    for line in lines or [""]:
        yield (label + squeezed(one_line(line, _LONGEST), width - len(label), _GAP)).rstrip()
        label = " " * len(label)


def _run(name: str, run_id: str, partial: Sequence[str]) -> str:
    named = f"run {run_id}" if name == run_id else f"{one_line(name, 80)} (run {run_id})"
    return f"{named}{partial_words(partial)}"
