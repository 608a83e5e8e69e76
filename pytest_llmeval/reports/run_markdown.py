"""A run as Markdown, for the summary of a GitHub job: verdict, gate, flips, worst misses, errors, cost."""

from collections.abc import Iterator, Mapping, Sequence

from pytest_llmeval.reports.against import NOT_HELD
from pytest_llmeval.reports.comparison_markdown import flips_folded, flips_title
from pytest_llmeval.reports.comparison_words import expected_text
from pytest_llmeval.reports.exported import shown_response
from pytest_llmeval.reports.markdown import LONGEST, MARKS, escaped, fitted, folded, table, titled_texts
from pytest_llmeval.reports.model_names import distinct_names
from pytest_llmeval.reports.row_texts import asked_text
from pytest_llmeval.reports.rule_words import listed_reasons
from pytest_llmeval.reports.run_report import RunReport
from pytest_llmeval.reports.run_text import (
    case_words,
    heading,
    money,
    not_judged_lines,
    outcome_words,
    suite_table,
    token_counts,
    verdict_line,
)
from pytest_llmeval.reports.run_view import SuiteView
from pytest_llmeval.reports.worst_cases import WorstCase
from pytest_llmeval.store.records import UNFINISHED, Spending

__all__ = ["run_markdown"]

_WIDE = 10_000
_MARK_OF_STATUS = {1: "fail", 10: "unmeasurable"}
_SHOW = "`llmeval show -v` has them."


def run_markdown(report: RunReport, *, longest: int = LONGEST) -> str:
    """Return a run as GitHub-flavoured Markdown of at most ``longest`` bytes, with a note on what is left out."""
    view, worst, against = report.view, report.worst, report.against
    blocks = [block for block in _head(report) if block]
    text, left = fitted(blocks, longest)
    if left:
        return f"{text}\n\n*{left} tables found no room here; {_SHOW}*\n"
    names = distinct_names(view.run.models)
    sections = [
        (f"Misses: {worst.missed}, the worst first", worst.misses, worst.missed),
        (f"Errors: {worst.broken}", worst.errors, worst.broken),
    ]
    parts = 1 + sum(bool(cases) for _, cases, _ in sections)
    if against is not None and against.flipped.flips:
        text += f"\n\n{flips_folded(against.flipped, _share(text, longest, parts))}"
    for title, cases, count in sections:
        parts -= bool(cases)
        if cases:
            rows = [_case(each, names) for each in cases]
            room = _share(text, longest, parts)
            text += f"\n\n{folded(title, rows, room, hidden=count - len(rows), more='{} more; ' + _SHOW)}"
    return f"{text}\n"


def _share(text: str, longest: int, parts: int) -> int:
    """Return the bytes available to each of ``parts`` sections that follow ``text``."""
    return (longest - len(text.encode()) - 3) // max(parts, 1)


def _head(report: RunReport) -> Iterator[str]:
    view, against = report.view, report.against
    end = view.run.end
    is_whole = view.run.shown_status not in UNFINISHED
    mark = _MARK_OF_STATUS.get(end.exit_code, view.verdict) if end is not None and is_whole else "unmeasurable"
    status = f", exit status {end.exit_code}" if end is not None else ""
    yield f"### {MARKS[mark]} llmeval: {escaped(verdict_line(view).removeprefix('gate: '))}{status}"
    yield " · ".join(map(escaped, heading(view, width=_WIDE)))
    if against is not None:
        is_told = against.is_held or against.flipped.worse or against.flipped.better
        told = flips_title(against.flipped) if is_told else NOT_HELD
        yield f"Against {escaped(against.base)} (run {escaped(against.base_id)}): {told}"
        yield escaped(against.differs) if against.differs else ""
    for suite in view.suites:
        yield from _suite(suite)
    yield "\n".join(f"- {escaped(line)}" for line in [*not_judged_lines(view, _WIDE), *report.notes])
    yield _spent(report.spending)


def _suite(suite: SuiteView) -> Iterator[str]:
    models = f" on {', '.join(map(escaped, suite.models))}" if suite.models else ""
    yield f"**{escaped(suite.name)}**{models}: {outcome_words(suite)}"
    rows, names = suite.main_rows, suite.names
    columns, cells = suite_table(rows, names)
    yield table([title for title, _ in columns], cells) if rows else ""
    yield "\n".join(f"- {escaped(line)}" for line in listed_reasons(rows, names))


def _spent(spending: Sequence[Spending]) -> str:
    rows = [
        (f"{each.role} {each.model}", f"{each.calls:,}", *token_counts(each), money(each.cost_usd)) for each in spending
    ]
    return table(("model", "answers", "tokens in", "tokens out", "cost"), rows) if rows else ""


def _case(worst: WorstCase, names: Mapping[str, str]) -> str:
    """Return one case: prompt, target, answer, and why it did not pass."""
    case = worst.case
    reasons = [f"{score.name}: {score.reason}" for score in case.scores if score.passed is False and score.reason]
    fields = {
        "asked": asked_text(case, worst.calls),
        "expected": expected_text(case.target),
        "answer": shown_response(case, worst.calls),
        "why": case.error or "\n".join(reasons) or None,
    }
    title = f"**{escaped(case.key.suite, 60)}** {escaped(case_words(case, names))}"
    return titled_texts(title, {name: text for name, text in fields.items() if text is not None})
