"""A run as plain text: a table per suite, the first misses and errors, the verdict, and where to see more."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pytest_llmeval.core.gate.judging import WORST_FIRST
from pytest_llmeval.core.gate.weigh import lacks_its_suite
from pytest_llmeval.core.left_out import partial_words
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.text import counted, one_line
from pytest_llmeval.reports.model_names import distinct_names, model_words
from pytest_llmeval.reports.numbers import number, signed
from pytest_llmeval.reports.rule_words import MDE_MEANS, listed_reasons, metric_name, ruled_name
from pytest_llmeval.reports.run_view import RunView, SuiteView, TableRow, most_shown
from pytest_llmeval.reports.table import Column, table_lines, table_width, without
from pytest_llmeval.reports.text_width import cut, squeezed, wrapped
from pytest_llmeval.store.records import UNFINISHED, Run, Spending

__all__ = [
    "SHOW_ALL",
    "case_words",
    "heading",
    "money",
    "not_judged_lines",
    "note_lines",
    "outcome_words",
    "run_label",
    "run_lines",
    "spending_lines",
    "suite_table",
    "token_counts",
    "verdict_line",
]

_DIFFERENCES = 2
"""Largest number of lines on what was wrong with a case, if not shown in full."""
_IN_FULL = 20
"""Largest number of lines on what was wrong with a case, if shown in full."""
_INDENT = "  "
_UNKNOWN = "unknown"
SHOW_ALL = "llmeval show -v has all of them"
"""Where to see all misses and errors, for commands without ``-v``."""
_LEGIBLE = 14
"""Width at which most names and rules remain readable."""
_INTERVAL: Column = ("95% interval", "right")
_CHANGE: Column = ("change", "right")
_COLUMNS: tuple[Column, ...] = (
    ("model", "left"),
    ("metric", "left"),
    ("n", "right"),
    ("value", "right"),
    _INTERVAL,
    _CHANGE,
    ("MDE", "right"),
    ("errors", "right"),
    ("rule", "left"),
    ("verdict", "fixed"),
)
"""Columns of a suite's table."""


def run_lines(
    view: RunView,
    *,
    width: int,
    tables: int | None = None,
    verbosity: int = 0,
    in_full: bool | None = None,
    more: str = "-v shows more, llmeval show -v all of them",
) -> list[str]:
    """Return the lines that show a run.

    Args:
        view: the run.
        width: the largest number of columns in a line.
        tables: the largest number of columns in a table's line; ``width`` when None. If it is larger than ``width``,
            nothing is cut, and lines on misses and errors are wrapped.
        verbosity: 0 shows the suites, the slices that have rules and the first misses; 1 all slices and more misses; 2
            every miss.
        in_full: whether misses and errors are wrapped instead of cut; when None, from verbosity 1 on.
        more: where to see the misses and errors that are not shown.
    """
    lines: list[str] = []
    in_full = verbosity > 0 if in_full is None else in_full
    for suite in view.suites:
        lines += _head_lines(suite, width, tables or width, verbosity)
        called = view.called if in_full else None
        is_cut = tables is None or tables <= width
        lines += [*_unlucky_lines(suite, width, verbosity, called=called, more=more, is_cut=is_cut), ""]
    return lines


def run_label(run: Run) -> str:
    """Return the id of a run, and its name if it has one."""
    name = f" ({one_line(run.name, 60)})" if run.name else ""
    return f"{one_line(run.id)}{name}"


def heading(view: RunView, *, width: int) -> list[str]:
    """Return the lines that identify the run and say if it is partial, each of at most ``width`` columns."""
    run = view.run
    first = list(wrapped(f"run {run_label(run)}: {run.shown_status}{partial_words(run.left_out)}", width))
    lines = [f"began {one_line(run.started_at)}"]
    if run.git_commit:
        branch = f" on {one_line(run.git_branch)}" if run.git_branch else ""
        lines.append(f"commit {one_line(run.git_commit[:12])}{', with changes' if run.git_dirty else ''}{branch}")
    return [*first, *(cut(line, width) for line in lines)]


def not_judged_lines(view: RunView, width: int) -> list[str]:
    """Return a line, wrapped at ``width``, for each reason why rules were not judged and are in no table.

    If no case was selected of several suites, one line counts their rules. The last line gives the number of cases that
    were scored but count nowhere.
    """
    by_reason: dict[str, list[str]] = {}
    silent = [each for each in view.not_judged if not each.is_reported]
    unselected = Counter(one_line(each.suite) for each in silent if lacks_its_suite(each.reason))
    is_folded = len(unselected) > 1
    for verdict in (each for each in silent if not (is_folded and lacks_its_suite(each.reason))):
        name = f"{one_line(verdict.suite)} {metric_name(verdict)} {verdict.rule}"
        by_reason.setdefault(verdict.reason or "", []).append(name)
    if is_folded:
        rules = f"{counted(unselected.total(), 'rule')} of {', '.join(unselected)}"
        by_reason["no case of their suites was selected"] = [rules]
    parts = [f"not judged ({reason}): {', '.join(dict.fromkeys(rules))}" for reason, rules in by_reason.items()]
    if view.uncounted:
        was, had = ("case was", "it had") if view.uncounted == 1 else ("cases were", "they had")
        nowhere = "it counts nowhere" if view.uncounted == 1 else "they count nowhere"
        parts.append(f"{view.uncounted:,} {was} skipped or xfailed after {had} been scored: {nowhere}")
    return [line for each in parts for line in wrapped(each, width)]


def note_lines(notes: Sequence[str], lines: Sequence[str], width: int) -> list[str]:
    """Return ``notes`` wrapped at ``width``; the MDE column is explained only if a table among ``lines`` has it."""
    parts = [note for note in notes if note != MDE_MEANS or any(" MDE " in line for line in lines)]
    return [line for note in parts for line in wrapped(note, width)]


def verdict_line(view: RunView, exit_code: int | None = None) -> str:
    """Return one line with the verdict of the gate and the number of rules by verdict.

    ``exit_code``, if known, is added to a verdict that does not explain it, such as when an ordinary test failed.
    """
    status = view.run.shown_status
    if status in UNFINISHED:
        return f"gate: {'stopped' if status == 'interrupted' else status}, not judged"
    shard = view.run.settings.get("shard")
    if shard:
        return f"gate: shard {one_line(str(shard), 20)}, not judged; llmeval merge joins the shards and judges them"
    if view.is_told:
        again = f"llmeval gate {one_line(view.run.id, 40)} judges it by the rules of this project"
        return f"gate: {view.verdict.upper()} where it was recorded, whose rules are not here; {again}"
    rows = [row for suite in view.suites for row in suite.rows if row.verdict]
    counts: dict[str, int] = {name: sum(row.verdict == name for row in rows) for name in WORST_FIRST}
    counts["not judged"] = len(view.not_judged)
    message = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    verdict = view.verdict.upper() if view.verdict != "none" else "no rule was judged"
    other = f", status {exit_code}" if exit_code and view.verdict in ("pass", "none") else ""
    return f"gate: {verdict}" + (f" ({message})" if message else "") + other


def money(cost_usd: float | None, *, below: str = "less than ") -> str:
    """Return an amount for display, with ``below`` before the smallest amounts; ``unknown`` for None."""
    if cost_usd is None:
        return _UNKNOWN
    if 0 < cost_usd < 0.0001:
        return f"{below}$0.0001"
    return f"${cost_usd:.2f}" if cost_usd >= 1 or not cost_usd else f"${cost_usd:.4f}"


def token_counts(spending: Spending) -> tuple[str, str]:
    """Return the tokens sent to a model and those of its answers; ``at least N`` if its server did not report all."""
    return (
        _told_tokens(spending.input_tokens, spending.known_input_tokens),
        _told_tokens(spending.output_tokens, spending.known_output_tokens),
    )


def spending_lines(spending: Sequence[Spending], width: int) -> list[str]:
    """Return a line, wrapped at ``width``, for each model and role: calls, tokens and cost."""
    lines: list[str] = []
    names = distinct_names([each.model for each in spending])
    for each in spending:
        read, written = token_counts(each)
        parts = [
            f"{each.role} {squeezed(names.get(each.model, one_line(each.model)), 60)}: {counted(each.calls, 'answer')}",
            "tokens in unknown" if read == _UNKNOWN else f"{read} tokens in",
            "tokens out unknown" if written == _UNKNOWN else f"{written} out",
            f"cost {money(each.cost_usd)}",
        ]
        lines += wrapped(", ".join(parts), width)
    return lines


def _told_tokens(tokens: int | None, known: int) -> str:
    if tokens is None:
        return f"at least {known:,}" if known else _UNKNOWN
    return f"{tokens:,}"


def _head_lines(suite: SuiteView, width: int, tables: int, verbosity: int) -> Iterator[str]:
    """Yield the result of a suite: its counts, its table, and the reasons of verdicts."""
    names = suite.names
    models = f" on {', '.join(names.values() or map(one_line, suite.models))}" if suite.models else ""
    message = f": {outcome_words(suite)}"
    yield cut(f"{one_line(suite.name)}{models}", tables - len(message)) + message
    rows = suite.rows if verbosity > 0 else suite.main_rows
    yield from _table_lines(rows, tables, names)
    for line in listed_reasons(rows, names, every=verbosity > 0):
        yield from wrapped(line, width, indent=_INDENT)


def _unlucky_lines(
    suite: SuiteView,
    width: int,
    verbosity: int,
    *,
    called: Mapping[str, Sequence[str]] | None,
    more: str,
    is_cut: bool,
) -> Iterator[str]:
    """Yield the first errors and misses of a suite: in full, with the tool calls in ``called``, if that is given.

    Otherwise one or two lines of each, cut at ``width`` if ``is_cut``, else wrapped.
    """
    names = suite.names
    for word, cases in (("error", suite.broken), ("missed", suite.missed)):
        shown = cases[: most_shown(verbosity)]
        for case in shown:
            message = f"{word}: {case_words(case, names)}"
            if called is not None:
                yield from wrapped(message, width, indent=_INDENT)
                yield from _whole(_said_of(case), width)
                yield from _called_lines(called.get(case.id, ()), width)
            else:
                for indent, line in ((_INDENT, message), *((_INDENT * 2, line) for line in _differences(case))):
                    yield from [cut(indent + line, width)] if is_cut else wrapped(line, width, indent=indent)
        rest = suite.outcomes[word] - len(shown)
        if rest:
            left = counted(rest, "more error") if word == "error" else f"{rest:,} more {word}"
            line = f"... and {left}; {more}"
            yield from [cut(_INDENT + line, width)] if is_cut else wrapped(line, width, indent=_INDENT)


def outcome_words(suite: SuiteView) -> str:
    """Return the number of cases of a suite by outcome, in words."""
    found = suite.outcomes
    words = {"passed": "passed", "missed": "missed", "error": "error" if found["error"] == 1 else "errors"}
    counts = ", ".join(f"{found[name]} {word}" for name, word in {**words, "skipped": "skipped"}.items() if found[name])
    return counts or "no case finished"


def _table_lines(rows: Sequence[TableRow], width: int, names: Mapping[str, str]) -> list[str]:
    """Return the lines of a suite's table; if it is too wide, expendable columns are dropped before names are cut.

    Tables with changes drop the intervals if names get too little room. Otherwise intervals, then changes, are dropped
    only if names could not be distinguished or would not fit at their narrowest.
    """
    columns, cells = suite_table(rows, names)
    for title in ("MDE",) if any(row.errors for row in rows) else ("errors", "MDE"):
        if table_width(columns, cells) + len(_INDENT) > width:
            columns, cells = without(columns, cells, {title})
    if _CHANGE in columns and table_width(columns, cells, names=_LEGIBLE) + len(_INDENT) > width:
        columns, cells = without(columns, cells, {_INTERVAL[0]})
    more = [column[0] for column in columns if column in (_INTERVAL, _CHANGE)]
    return table_lines(columns, cells, width=width, indent=_INDENT, spare=more)


def suite_table(rows: Sequence[TableRow], names: Mapping[str, str]) -> tuple[list[Column], list[list[str]]]:
    """Return the columns of a suite's table and the cells of ``rows``, without columns that would say nothing.

    Those are the model column if ``names`` does not name several, and the columns of changes if there are none.
    """
    changes = {"change", "MDE"} if all(row.delta is None for row in rows) else set()
    return without(_COLUMNS, [_cells(row, names) for row in rows], changes if names else {"model", *changes})


def _cells(row: TableRow, names: Mapping[str, str]) -> list[str]:
    interval = "" if row.low is None or row.high is None else f"{number(row.low, row.high)}..{number(row.high)}"
    return [
        names.get(row.model, one_line(row.model)),
        ruled_name(row),
        str(row.n),
        "none" if row.value is None else number(row.value),
        interval,
        "" if row.delta is None else signed(row.delta),
        "" if row.mde is None else number(row.mde),
        str(row.errors),
        one_line(row.rule or ""),
        (row.verdict or "").replace("_", " "),
    ]


def case_words(case: StoredCase, names: Mapping[str, str]) -> str:
    """Return the name of a case and what is wrong with it, with its model if ``names`` has several."""
    epoch = f" (epoch {case.key.epoch})" if case.key.epoch > 1 else ""
    low = [f"{one_line(score.name)} {number(score.value or 0)}" for score in case.scores if score.passed is False]
    what = case.error_kind or ", ".join(low) or "assertion"
    return f"{one_line(case.key.sample_id, 60)}{model_words(case.key.model, names)}{epoch}: {what}"


def _differences(case: StoredCase) -> list[str]:
    """Return the first lines of what was wrong with a case; for a failed assert, one line."""
    if case.error and case.outcome == "error":
        return [one_line(case.error, 400)]
    lines = _said_of(case)[: 1 if case.error else _DIFFERENCES]
    return [one_line(line.strip(), 400) for line in lines]


def _said_of(case: StoredCase) -> list[str]:
    """Return the lines on what was wrong with a case; lines that several scores share appear once."""
    if case.error:
        return case.error.splitlines()
    reasons = (score.reason for score in case.scores if score.passed is False and score.reason)
    said = dict.fromkeys(tuple(reason.splitlines()[1:]) for reason in reasons)
    return [line for lines in said for line in lines]


def _called_lines(called: Sequence[str], width: int) -> list[str]:
    """Return a line, cut at ``width``, for each tool call; at most the first 20."""
    lines = [cut(f"    called {one_line(each, width)}", width) for each in called[:_IN_FULL]]
    return [*lines, "    ..."] if len(called) > _IN_FULL else lines


def _whole(lines: Sequence[str], width: int) -> list[str]:
    """Return ``lines`` wrapped at ``width``; at most the first 20."""
    indent = _INDENT * 2
    bounded = (cut(line, _IN_FULL * width) for line in lines[: _IN_FULL + 1])
    broken = [part for line in bounded for part in wrapped(line, width, indent=indent)]
    return broken if len(broken) <= _IN_FULL else [*broken[: _IN_FULL - 1], f"{indent}..."]
