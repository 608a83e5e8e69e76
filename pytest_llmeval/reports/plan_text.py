"""Plain text of a plan: what each suite can detect, what the columns mean, and which rules cannot fail."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

from pytest_llmeval.core.gate.power import hopeless
from pytest_llmeval.core.gate.sight import MOST_EPOCHS
from pytest_llmeval.core.gate.spread import ASSUMED_CORRELATION
from pytest_llmeval.core.planning.plan import Plan, Planned
from pytest_llmeval.core.rules import Rule, Thresholds, kind_of
from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.numbers import number
from pytest_llmeval.reports.rule_words import metric_name
from pytest_llmeval.reports.table import Column, table_lines, table_width, without
from pytest_llmeval.reports.text_width import cut, wrapped

__all__ = ["plan_lines"]

_COLUMNS: tuple[Column, ...] = (
    ("metric", "left"),
    ("rule", "left"),
    ("n", "right"),
    ("mean", "right"),
    ("sd", "right"),
    ("sees", "right"),
    ("rows", "right"),
    ("epochs", "right"),
)
_INDENT = "  "


def plan_lines(
    found: Plan,
    thresholds: Thresholds,
    *,
    twin: str | None,
    width: int,
    tables: int | None = None,
    silent: Mapping[Rule, str] | None = None,
) -> list[str]:
    """Return the lines that show a plan.

    Args:
        found: the plan.
        thresholds: the rules that it was made with.
        twin: the display name of the other run of the same rows; None if there was none.
        width: the largest number of columns in a line.
        tables: the largest number of columns in a table's line; ``width`` when None.
        silent: further rules, which may not gate, with the reasons.
    """
    lines: list[str] = []
    for (suite, model), rows in itertools.groupby(found.rows, key=lambda row: (row.suite, row.model)):
        lines += [*_suite_lines(suite, model, list(rows), twin, width, tables or width), ""]
    for text in (*_legend(found), *(f"note: {message}" for message in hopeless(thresholds, found.sizes))):
        lines += wrapped(text, width)
    for rule, why in (silent or {}).items():
        name = f"{one_line(rule.suite)} {metric_name(rule)} {rule.text}"
        lines += wrapped(f"note: {name}: its judge may not gate, so that it takes no share: {why}", width)
    return lines


def _suite_lines(
    suite: str, model: str, rows: Sequence[Planned], twin: str | None, width: int, tables: int
) -> Iterator[str]:
    size = f": {_size(rows)}"
    yield cut(f"{one_line(suite)} on {one_line(model)}", tables - len(size)) + size
    yield from _table(rows, tables)
    for hint in dict.fromkeys(row.hint for row in rows if row.hint is not None):
        named = ", ".join(f"{metric_name(row)} {row.rule or ''}".rstrip() for row in rows if row.hint == hint)
        yield from wrapped(f"no number of rows for {named}: {hint}", width, indent=_INDENT)
    for source in dict.fromkeys(row.source for row in rows):
        same = [row for row in rows if row.source == source]
        which = "" if len(same) == len(rows) else f" ({', '.join(dict.fromkeys(map(metric_name, same)))})"
        yield from wrapped(f"{_source(same, twin)}{which}", width, indent=_INDENT)


def _size(rows: Sequence[Planned]) -> str:
    n, epochs = max(row.n for row in rows), max(row.epochs for row in rows)
    return f"{_plural(n, 'row')}, {_plural(round(epochs, 1), 'epoch')}"


def _table(rows: Sequence[Planned], width: int) -> list[str]:
    """Return the lines of the table; if it is too wide, the deviation is dropped before names are cut."""
    needless = () if any(row.rule for row in rows) else ("rule",)
    columns, cells = without(_COLUMNS, [_cells(row) for row in rows], needless)
    if table_width(columns, cells) + len(_INDENT) > width:
        columns, cells = without(columns, cells, ("sd",))
    return table_lines(columns, cells, width=width, indent=_INDENT)


def _cells(row: Planned) -> list[str]:
    none = "" if row.rows_needed is None else "none"
    return [
        metric_name(row),
        one_line(row.rule or ""),
        f"{row.n:,}",
        number(row.mean),
        "" if row.sd is None else number(row.sd),
        "nothing" if row.sees is None else number(row.sees),
        "" if row.rows_needed is None else f"{row.rows_needed:,}",
        none if row.epochs_needed is None else str(row.epochs_needed),
    ]


def _source(rows: Sequence[Planned], twin: str | None) -> str:
    """Return a sentence on the source of the answers' variance."""
    whole = [row for row in rows if row.slice is None] or rows  # small slices are too noisy on their own
    found = sorted(row.correlation for row in whole if row.correlation is not None)
    ends = [f"{each:.2f}" for each in found[:: max(1, len(found) - 1)][:2]]
    correlate = f"rows correlate by {' to '.join(dict.fromkeys(ends))} between runs" if ends else "no value varied"
    if rows[0].source == "epochs":
        return f"how much answers vary: from the epochs of each row; {correlate}"
    if rows[0].source == "two runs":
        return f"how much answers vary: from the difference to run {twin}; {correlate}"
    return (
        f"how much answers vary is not known, as each row was answered once: rows are taken to correlate by"
        f" {ASSUMED_CORRELATION:.2g} between runs. A second run, or --epochs 2, measures it."
    )


def _legend(found: Plan) -> Iterator[str]:
    share = f"{found.power:.0%} of runs"
    yield f"sees: the least drop that a rule finds in {share}, with the rows and epochs of this run"
    yield (
        f"rows, epochs: what finds a drop of {found.drop:.4g} in {share}: rows with one epoch each, or epochs with"
        f" the rows of this run (none: {MOST_EPOCHS} are not enough)"
    )
    if any(row.rule is None for row in found.rows):
        yield "without a rule on a change: as if max_drop=0 were added"
    if any(kind_of(row.rule or "") == "noninferior" for row in found.rows):
        yield (
            "noninferior: sees is the least margin that can be judged, rows and epochs are what its own margin takes:"
            f" {share} in which nothing changed pass"
        )


def _plural(count: float, word: str) -> str:
    return f"{count:,.12g} {word}{'' if count == 1 else 's'}"
