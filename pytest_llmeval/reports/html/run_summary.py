"""The head of a report: the verdict, the baseline, the tables of the gate, and the cost."""

from collections.abc import Iterator, Mapping, Sequence

from pytest_llmeval.reports.against import NOT_HELD, difference_line
from pytest_llmeval.reports.beside_baseline import Beside, flip_counts
from pytest_llmeval.reports.html.escape import Html, element, joined
from pytest_llmeval.reports.html.tables import chip, table
from pytest_llmeval.reports.rule_words import listed_reasons
from pytest_llmeval.reports.run_text import (
    heading,
    money,
    not_judged_lines,
    outcome_words,
    suite_table,
    token_counts,
    verdict_line,
)
from pytest_llmeval.reports.run_view import RunView, SuiteView
from pytest_llmeval.store.baselines import FoundBaseline
from pytest_llmeval.store.records import UNFINISHED, Spending

__all__ = ["run_summary"]

_WIDE = 10_000
_WORDS = {"none": "not judged"}
_FIRST = ("model", "metric", "rule", "verdict")
"""Titles of the columns that come first, visible without scrolling sideways."""


def run_summary(
    view: RunView,
    spending: Sequence[Spending],
    base: FoundBaseline | None,
    beside: Mapping[tuple[str, str], Beside],
    charts: Mapping[str, Html],
    notes: Sequence[str],
    *,
    is_held: bool = True,
) -> Html:
    """Return the head of a report.

    Args:
        view: the run.
        spending: the totals of its calls.
        base: the baseline that it was compared with; None if there was none.
        beside: the baseline's counterpart of each suite and model.
        charts: the charts of each suite, by name.
        notes: notes and warnings on the run, in sentences.
        is_held: whether its change rules, if it has any, were judged against ``base``.
    """
    word = "none" if view.run.shown_status in UNFINISHED else view.verdict
    told = verdict_line(view).removeprefix("gate: ")
    title = element("h2", "llmeval ", chip(word, _WORDS.get(word, word)), class_="le-title")
    parts = [title, element("p", told), element("p", " · ".join(heading(view, width=_WIDE)), class_="le-note")]
    if base is not None:
        parts.append(element("p", _against(base, beside, is_held=is_held)))
        differs = difference_line(base.run, view.run)
        parts += [element("p", differs, class_="le-note")] if differs else []
    for suite in view.suites:
        parts += [*_suite(suite), charts.get(suite.name, Html(""))]
    parts += [element("p", line, class_="le-note") for line in [*not_judged_lines(view, _WIDE), *notes]]
    parts += _spent(spending)
    return joined(parts)


def _against(base: FoundBaseline, beside: Mapping[tuple[str, str], Beside], *, is_held: bool) -> str:
    counts = flip_counts(beside.values())
    told = f"{counts['worse']:,} rows flipped for the worse, {counts['better']:,} for the better"
    told = told if counts else "no row flipped" if is_held else NOT_HELD
    return f"Against {base.name} (run {base.run.id}): {told}."


def _suite(suite: SuiteView) -> Iterator[Html]:
    models = f" on {', '.join(suite.models)}" if suite.models else ""
    yield element("h3", f"{suite.name}{models}")
    yield element("p", outcome_words(suite))
    rows, names = suite.main_rows, suite.names
    if rows:
        columns, cells = suite_table(rows, names)
        titles = sorted((title for title, _ in columns), key=lambda title: title not in _FIRST)
        lines = []
        for row, texts in zip(rows, cells, strict=True):
            fields: dict[str, str] = {title: text for (title, _), text in zip(columns, texts, strict=True)}
            fields["verdict"] = chip(row.verdict, fields["verdict"]) if row.verdict else ""
            lines.append([fields[title] for title in titles])
        yield table(titles, lines, right={title for title, side in columns if side == "right"})
    for line in listed_reasons(rows, names):
        yield element("p", line, class_="le-note")


def _spent(spending: Sequence[Spending]) -> Iterator[Html]:
    if not spending:
        return
    rows = [[each.role, each.model, f"{each.calls:,}", *token_counts(each), money(each.cost_usd)] for each in spending]
    titles = ["role", "model", "answers", "tokens in", "tokens out", "cost"]
    yield element("h3", "Calls")
    yield table(titles, rows, right={*titles[2:]})
