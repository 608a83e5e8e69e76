"""A run as plain text: one table a suite, the first misses and errors, the verdict, and where to look further."""

import textwrap
from collections.abc import Iterator, Sequence

from pytest_llmeval.core.text import one_line, printable, shorten
from pytest_llmeval.reports.run_view import RunView, SuiteView, TableRow
from pytest_llmeval.reports.table import Column, table_lines
from pytest_llmeval.store.records import UNFINISHED, StoredCase

__all__ = ["heading", "money", "not_judged_lines", "run_lines", "verdict_line"]

_FIRST = 3
"""Misses and errors shown of each suite; with -v ten times as many, with -vv all."""
_DIFFERENCES = 2


def run_lines(view: RunView, *, width: int, verbosity: int = 0) -> list[str]:
    """Return the lines that show a run.

    Args:
        view: the run.
        width: the most characters of a line.
        verbosity: 0 shows the suites, the slices that have rules and the first misses; 1 all slices and more misses;
            2 every miss.
    """
    lines: list[str] = []
    for suite in view.suites:
        lines += [*_suite_lines(suite, width, verbosity), ""]
    return lines


def heading(view: RunView, *, width: int) -> list[str]:
    """Return the lines that say which run this is, each of at most ``width`` characters."""
    run = view.run
    name = f" ({one_line(run.name, 40)})" if run.name else ""
    lines = [f"run {printable(run.id)}{name}: {run.shown_status}", f"began {run.started_at}"]
    if run.git_commit:
        branch = f" on {one_line(run.git_branch)}" if run.git_branch else ""
        lines.append(f"commit {run.git_commit[:12]}{', with changes' if run.git_dirty else ''}{branch}")
    return [shorten(line, width) for line in lines]


def not_judged_lines(view: RunView, width: int) -> list[str]:
    """Return one line, broken at ``width``, for each reason why rules were not judged."""
    by_reason: dict[str, list[str]] = {}
    for verdict in view.not_judged:
        part = f" [{verdict.slice}]" if verdict.slice is not None else ""
        by_reason.setdefault(verdict.reason or "", []).append(
            f"{verdict.suite} {verdict.metric}{part} {verdict.rule}".replace("\n", " ")
        )
    return [
        line
        for reason, rules in by_reason.items()
        for line in _wrapped(f"not judged ({reason}): {', '.join(dict.fromkeys(rules))}", width, indent="")
    ]


def verdict_line(view: RunView) -> str:
    """Return one line with the verdict of the gate and how many rules came to which verdict."""
    status = view.run.shown_status
    if status in UNFINISHED:
        return f"gate: {'stopped' if status == 'interrupted' else status}, not judged"
    rows = [row for suite in view.suites for row in suite.rows if row.verdict]
    counts = {
        name: sum(row.verdict == name for row in rows) for name in ("fail", "unmeasurable", "inconclusive", "pass")
    }
    counts["not judged"] = len(view.not_judged)
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"gate: {view.verdict.upper() if view.verdict != 'none' else 'no rule was judged'}" + (
        f" ({told})" if told else ""
    )


def money(cost_usd: float | None) -> str:
    """Return an amount as people read it; ``unknown`` for None."""
    if cost_usd is None:
        return "unknown"
    if 0 < cost_usd < 0.0001:
        return "less than $0.0001"
    return f"${cost_usd:.2f}" if cost_usd >= 1 or not cost_usd else f"${cost_usd:.4f}"


def _suite_lines(suite: SuiteView, width: int, verbosity: int) -> Iterator[str]:
    names = ("passed", "missed", "error", "skipped")
    counts = ", ".join(f"{suite.outcomes[name]} {_counted(name, suite)}" for name in names if suite.outcomes[name])
    models = f" on {', '.join(map(one_line, suite.models))}" if suite.models else ""
    told = f": {counts or 'no case finished'}"
    yield shorten(f"{one_line(suite.name)}{models}", width - len(told)) + told
    rows = [row for row in suite.rows if row.slice is None or row.rule or verbosity > 0]
    yield from table_lines(*_table(rows, many=len(suite.models) > 1), width=width, indent="  ")
    for row in rows:
        if row.reason:
            word = "note" if row.verdict == "pass" else row.verdict
            yield from _wrapped(f"{word}: {_name(row)} {row.rule}: {row.reason}", width)
    shown = (_FIRST, _FIRST * 10, len(suite.missed) + len(suite.broken))[max(0, min(verbosity, 2))]
    yield from _listed("error", suite.broken, shown, width)
    yield from _listed("missed", suite.missed, shown, width)


def _counted(name: str, suite: SuiteView) -> str:
    return "errors" if name == "error" and suite.outcomes[name] != 1 else name


def _table(rows: Sequence[TableRow], *, many: bool) -> tuple[list[Column], list[list[str]]]:
    columns: list[Column] = [("metric", "left"), ("n", "right"), ("value", "right"), ("95% interval", "right")]
    columns += [("errors", "right"), ("rule", "left"), ("verdict", "fixed")]
    if many:
        columns.insert(0, ("model", "left"))
    return columns, [([one_line(row.model)] if many else []) + _cells(row) for row in rows]


def _cells(row: TableRow) -> list[str]:
    interval = "" if row.low is None or row.high is None else f"{_number(row.low)}..{_number(row.high)}"
    value = "none" if row.value is None else _number(row.value)
    return [_name(row), str(row.n), value, interval, str(row.errors), one_line(row.rule or ""), row.verdict or ""]


def _name(row: TableRow) -> str:
    name = one_line(row.metric)
    return f"{name} [{one_line(row.slice)}]" if row.slice is not None else name


def _number(value: float) -> str:
    if 0 < abs(value) < 0.0005:  # a price, say
        return f"{value:.1e}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.5g}"


def _listed(word: str, cases: Sequence[StoredCase], most: int, width: int) -> Iterator[str]:
    for case in cases[:most]:
        yield shorten(f"  {word}: {_case(case)}", width)
        yield from (shorten(f"    {line}", width) for line in _differences(case))
    if len(cases) > most:
        yield f"  ... and {len(cases) - most} more {word}; -v shows more, llmeval show -v all of them"


def _case(case: StoredCase) -> str:
    epoch = f" (epoch {case.key.epoch})" if case.key.epoch > 1 else ""
    low = [f"{one_line(score.name)} {_number(score.value or 0)}" for score in case.scores if score.passed is False]
    what = case.error_kind or ", ".join(low) or "assertion"
    return f"{one_line(case.key.sample_id, 60)}{epoch}: {what}"


def _differences(case: StoredCase) -> list[str]:
    if case.error:
        return [one_line(case.error, 400)]
    lines = []
    for score in case.scores:
        if score.passed is False and score.reason:
            lines += score.reason.splitlines()[1:]
    return [one_line(line.strip(), 400) for line in lines[:_DIFFERENCES]]


def _wrapped(text: str, width: int, *, indent: str = "  ") -> Iterator[str]:
    lines = textwrap.wrap(
        printable(text), width - 1, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
    yield from map(printable, lines)  # a line may begin with a command of the CI now; there is room for one character
