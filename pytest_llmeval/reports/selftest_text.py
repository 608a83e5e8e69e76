"""Plain text of a self test: how often the rules raise a false alarm."""

from collections.abc import Iterator, Sequence

from pytest_llmeval.core.planning.selftest import RuleTally, SelfTest
from pytest_llmeval.core.stats.intervals import Interval
from pytest_llmeval.core.text import counted, one_line
from pytest_llmeval.reports.rule_words import metric_name
from pytest_llmeval.reports.table import Column, table_lines, without
from pytest_llmeval.reports.text_width import wrapped

__all__ = ["selftest_lines"]

_COLUMNS: tuple[Column, ...] = (
    ("suite", "left"),
    ("model", "left"),
    ("metric", "left"),
    ("rule", "left"),
    ("n", "right"),
    ("differ", "right"),
    ("fails", "right"),
    ("95% interval", "right"),
    ("unsure", "right"),
)
_INDENT = "  "
_SPARE = ("95% interval", "unsure")
"""Columns to drop, in this order, before suites or rules cannot be distinguished."""
_USUAL = 2.0
"""Multiple of alpha up to which a false alarm rate is normal. McNemar's mid-p test of one rule stays below it for any
number of differing rows (1.46 times 5 % for 12 of them, 1.87 times a third of that for 6); averaged over all numbers it
keeps to alpha."""


def selftest_lines(
    found: SelfTest, runs: str, *, seed: int, width: int, tables: int | None = None, is_cut: bool = False
) -> list[str]:
    """Return the lines that show a self test.

    Args:
        found: its result.
        runs: the display text of the two runs.
        seed: the seed of its swaps.
        width: the largest number of characters in a line.
        tables: the largest number of characters in a table's line; ``width`` when None.
        is_cut: whether fewer pairs than usual were judged because the runs are large.
    """
    changes = [rule for rule in found.rules if rule.is_change]
    others = [rule for rule in found.rules if not rule.is_change]
    lines = [*wrapped(runs, width), *wrapped(_what_was_done(found, seed, is_cut), width)]
    lines += [
        "",
        *wrapped(_headline(found), width),
        *(line for text in _advice(found) for line in wrapped(text, width)),
    ]
    lines += ["", "rules on a change, by how often each alone fails", *_table(changes, tables or width)]
    if others:
        title = "other rules, of whose false alarms swapping says nothing: how often a mix of the two runs fails them"
        lines += ["", *wrapped(title, width), *_table(others, tables or width)]
    for rule in found.rules:
        if rule.reason is not None:
            word = "not judged" if rule.verdicts.get("not_judged") else "unmeasurable"
            lines += wrapped(f"{word}: {metric_name(rule)} {rule.rule}: {rule.reason}", width, indent=_INDENT)
    return lines


def _what_was_done(found: SelfTest, seed: int, is_cut: bool) -> str:
    rows = counted(found.rows, "row")
    swapped = "each swapped" if found.units == found.rows else f"swapped in {counted(found.units, 'group')}"
    more = " (--pairs judges more)" if is_cut else ""
    return f"{rows} in both runs, {swapped} with chance 1/2; {counted(found.pairs, 'pair')} judged{more}, seed {seed}"


def _headline(found: SelfTest) -> str:
    """Return the false alarm rate, compared with alpha."""
    rate = f"false alarms: {_percent(found.rate)} of sessions ({_interval(found.interval)})"
    if not _has_differing(found):
        return f"{rate}, which says nothing: no value differs between the two runs, so that a swap changes nothing"
    if not _was_judged(found):
        return f"{rate}, which says nothing: no rule on a change could be judged"
    alpha = f"alpha, {_percent(found.alpha)}"
    if found.is_above:
        return f"{rate}: clearly MORE than {alpha}"
    if found.interval.high <= found.alpha:
        return f"{rate}: no more than {alpha}"
    return f"{rate}: not clearly more than {alpha}"


def _advice(found: SelfTest) -> Iterator[str]:
    if not _has_differing(found):
        yield "take two runs whose answers differ: of another commit, prompt or model, or at a temperature above 0"
        return
    if found.unsure:
        yield f"inconclusive or unmeasurable, without a failure: {_percent(found.unsure / found.pairs)} of sessions"
    if found.is_above and found.interval.low <= _USUAL * found.alpha:
        yield (
            "so little above is usual: McNemar's mid-p test keeps alpha over many pairs of runs, not for each number of"
            " rows that differ"
        )
    elif found.is_above:
        yield "the tests do not hold for rows like these, few or in few clusters: add some, or take a stricter alpha"
    if found.uneven:
        yield (
            f"{counted(found.uneven, 'row')} with more epochs in one run than in the other: where means are near 0 or"
            " 1, rules on a change fail more often than is seen here; take two runs with as many"
        )
    if found.units == found.rows:
        yield "rows are swapped one by one: if some hang together, a `cluster` has to say so, or it is not seen here"


def _has_differing(found: SelfTest) -> bool:
    return any(rule.differing for rule in found.rules if rule.is_change)


def _was_judged(found: SelfTest) -> bool:
    """Whether any pair was judged by a change rule, so that an alarm was possible."""
    judged = ("pass", "fail", "inconclusive")
    return any(rule.verdicts.get(word) for rule in found.rules if rule.is_change for word in judged)


def _table(rules: Sequence[RuleTally], width: int) -> list[str]:
    """Return the lines of a table, without the suite or model column if all its rows have the same one."""
    cells = [_cells(rule) for rule in rules]
    alike = [title for place, (title, _) in enumerate(_COLUMNS[:2]) if len({row[place] for row in cells}) < 2]
    columns, cells = without(_COLUMNS, cells, alike)
    return table_lines(columns, cells, width=width, indent=_INDENT, spare=_SPARE)


def _cells(rule: RuleTally) -> list[str]:
    unsure = rule.verdicts.get("inconclusive", 0) + rule.verdicts.get("unmeasurable", 0)
    return [
        one_line(rule.suite),
        one_line(rule.model),
        metric_name(rule),
        one_line(rule.rule),
        f"{rule.n:,}",
        f"{rule.differing:,}",
        _percent(rule.fails / rule.pairs),
        _interval(rule.interval),
        _percent(unsure / rule.pairs),
    ]


def _interval(interval: Interval) -> str:
    return f"{100 * interval.low:.1f}..{_percent(interval.high)}"


def _percent(share: float) -> str:
    return f"{share:.1%}"
