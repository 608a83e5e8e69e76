"""The parts of a pytest-html report for a stored run: its head, the cells of each case, and the cases in full.

The full cases are ``template`` elements, which a browser parses but does not render; the page's script inserts one
where its row is unfolded. A page of 1,000 cases therefore opens as fast as its table.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.against import is_held_against
from pytest_llmeval.reports.beside_baseline import Beside, beside_baseline, flip_counts
from pytest_llmeval.reports.comparing import recorded_baseline
from pytest_llmeval.reports.html.case_detail import case_detail
from pytest_llmeval.reports.html.chosen_cases import choose_cases, left_out_words
from pytest_llmeval.reports.html.escape import Html, element, joined
from pytest_llmeval.reports.html.run_charts import main_score, run_charts
from pytest_llmeval.reports.html.run_summary import run_summary
from pytest_llmeval.reports.html.tables import chip
from pytest_llmeval.reports.numbers import short
from pytest_llmeval.reports.row_flips import Direction, RowKey, RowText
from pytest_llmeval.reports.row_texts import row_texts
from pytest_llmeval.reports.run_notes import run_notes
from pytest_llmeval.reports.run_text import money
from pytest_llmeval.reports.run_view import RunCases, view_run
from pytest_llmeval.store.baselines import FoundBaseline
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["COLUMNS", "ReportCase", "RunParts", "read_parts"]

COLUMNS = ("outcome", "suite", "slice", "model", "score", "tokens", "cost")
"""Columns of the table, in the order of a case's cells."""
_LONGEST_TEXT = 4_000
"""Largest number of characters shown of each text of a case."""
_OUTCOMES = ("error", "missed", "passed", "skipped")
"""Outcomes in their sort order."""
_MOST_SLICES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCase:
    """One case of a report."""

    nodeid: str
    outcome: str
    error: str | None
    latency_s: float | None
    cells: tuple[Html, ...]
    """``td`` elements, one for each of COLUMNS; empty if the case has no row."""
    place: Html
    """Element in which its details appear."""
    is_shown: bool
    """Whether the case has a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunParts:
    """The parts of a report on one run."""

    summary: Html
    filters: Html
    details: Sequence[Html]
    """The full cases, which may be anywhere in the page."""
    cases: Mapping[str, ReportCase]
    """Cases by node id: first those that are shown, in their order, then the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """The data that the parts are made from."""

    run: Run
    rules: Thresholds
    reader: SqliteReader
    cases: Sequence[JudgedCase]
    base: FoundBaseline | None
    beside: Mapping[tuple[str, str], Beside]
    mains: Mapping[str, str]
    slices: Mapping[str, int]
    """Number of each slice, which the filters refer to."""
    repeated: frozenset[tuple[str, str, str]]
    """Suite, model and sample id of the rows that have several cases."""

    def flip(self, suite: str, model: str, sample_id: str) -> Direction | None:
        beside = self.beside.get((suite, model))
        return None if beside is None else beside.flips.get(sample_id)


def read_parts(run: Run, rules: Thresholds, *, reader: SqliteReader, root: Path) -> RunParts:
    """Return the parts of a report.

    Args:
        run: a recorded run.
        rules: the thresholds, which say what its scores have to reach.
        reader: its database.
        root: the root of the project.

    Raises:
        StoreError: if the database cannot be read.
    """
    read = _read(run, rules, reader, root)
    verdicts = reader.verdicts(run.id)
    view = view_run(run, RunCases(judged=read.cases), verdicts)
    groups = grouped(read.cases, lambda case: (case.suite, case.model))
    charts = run_charts(view, groups, read.beside, read.mains, rules)
    flips = [read.flip(case.suite, case.model, case.sample_id) for case in read.cases]
    chosen = choose_cases(read.cases, flips)
    found, details = _cases(read, chosen)
    unlucky = sum(
        case.outcome in ("error", "missed") or flip is not None for case, flip in zip(read.cases, flips, strict=True)
    )
    notes = run_notes(run, read.cases, reader)
    told = left_out_words(len(read.cases), unlucky, len(chosen))
    return RunParts(
        summary=run_summary(
            view,
            reader.spending(run.id),
            read.base,
            read.beside,
            charts,
            notes,
            is_held=is_held_against(verdicts, is_beside=bool(read.beside)),
        ),
        filters=_filters(read, told),
        details=details,
        cases=found,
    )


def _read(run: Run, rules: Thresholds, reader: SqliteReader, root: Path) -> _Read:
    cases = list(reader.judged(run.id))
    base = recorded_baseline(run, reader=reader, root=root)
    beside: Mapping[tuple[str, str], Beside] = {}
    try:
        beside = beside_baseline(base, cases) if base is not None else {}
    except StoreError:  # the baseline's file is damaged
        base = None
    by_suite = grouped(cases, lambda case: case.suite)
    rows = Counter((case.suite, case.model, case.sample_id) for case in cases)
    names = sorted({part for case in cases for part in case.slices})
    return _Read(
        run=run,
        rules=rules,
        reader=reader,
        cases=cases,
        base=base,
        beside=beside,
        mains={suite: main_score(suite, own, rules) for suite, own in by_suite.items()},
        slices={name: number for number, name in enumerate(names)},
        repeated=frozenset(row for row, count in rows.items() if count > 1),
    )


def _cases(read: _Read, chosen: Sequence[int]) -> tuple[dict[str, ReportCase], list[Html]]:
    """Return the cases, the ``chosen`` ones first, and the chosen ones in full; each case is read only once."""
    order = {place: nth for nth, place in enumerate(chosen)}
    before = _before(read, chosen)
    shown: dict[int, ReportCase] = {}
    others: list[ReportCase] = []
    details: list[Html] = []
    for place, case in enumerate(read.reader.cases(read.run.id)):
        if place not in order:
            others.append(_case(read, case, f"llmeval-{place}", is_shown=False))
            continue
        shown[order[place]] = _case(read, case, f"llmeval-{place}", is_shown=True)
        was = before.get((case.key.suite, case.key.model, case.key.sample_id))
        detail = case_detail(case, read.reader.calls(case.id), limit=_LONGEST_TEXT, before=was)
        details.append(element("template", detail, id=f"llmeval-{place}"))
    ordered = [*(shown[nth] for nth in sorted(shown)), *others]
    return {case.nodeid: case for case in ordered}, details


def _before(read: _Read, chosen: Sequence[int]) -> dict[tuple[str, str, str], RowText]:
    """Return the baseline's texts of the rows that flipped, by suite, model and sample id in this run."""
    wanted: dict[tuple[str, str, str], RowKey] = {}
    for place in chosen:
        case = read.cases[place]
        if read.flip(case.suite, case.model, case.sample_id) is not None:
            there = read.beside[case.suite, case.model].before[0].model
            wanted[case.suite, case.model, case.sample_id] = RowKey(case.suite, there, case.sample_id)
    if read.base is None:
        return {}
    texts = row_texts(read.base, {key: read.flip(*here) == "worse" for here, key in wanted.items()})
    return {here: texts[key] for here, key in wanted.items() if key in texts}


def _case(read: _Read, case: StoredCase, place: str, *, is_shown: bool) -> ReportCase:
    return ReportCase(
        nodeid=case.key.nodeid,
        outcome=case.outcome,
        error=case.error,
        latency_s=case.latency_s,
        cells=tuple(_cells(read, case)) if is_shown else (),
        place=element("div", class_="llmeval-case", data_case=place),
        is_shown=is_shown,
    )


def _cells(read: _Read, case: StoredCase) -> Iterator[Html]:
    """Yield the cells. Each begins with its hidden sort key, and none contains a line end."""
    key = case.key
    flip = read.flip(key.suite, key.model, key.sample_id)
    marks = [chip(case.outcome, case.outcome if case.error_kind is None else f"error: {one_line(case.error_kind)}")]
    who = "row " if (key.suite, key.model, key.sample_id) in read.repeated else ""
    marks += [chip(flip, f"{who}got {flip}")] if flip else []
    numbers = " ".join(f"s{read.slices[name]}" for name in case.slices if name in read.slices)
    sort_by = f"{_OUTCOMES.index(case.outcome)}{flip == 'better':d}{flip is None:d}"
    yield _cell("outcome", sort_by, joined(marks, " "), data_outcome=case.outcome, data_slices=numbers, data_flip=flip)
    yield _cell("suite", "", one_line(key.suite, 60))
    names = [one_line(name, 30) for name in case.slices[:_MOST_SLICES]]
    names += [f"+{len(case.slices) - _MOST_SLICES}"] if len(case.slices) > _MOST_SLICES else []
    yield _cell("slice", "", ", ".join(names))
    yield _cell("model", "", one_line(key.model, 60))
    yield _score_cell(read.mains[key.suite], case)
    yield _tokens_cell(case)
    cost = case.cost_usd
    yield _cell("cost", f"{cost if cost is not None else -1:020.9f}", "" if cost is None else money(cost))


def _score_cell(name: str, case: StoredCase) -> Html:
    """Return the cell of the suite's main score; of the lowest score with a pass mark if the case lacks that one."""
    named = [score for score in case.scores if score.name == name and score.value is not None]
    demanded = [score for score in case.scores if score.passed is not None and score.value is not None]
    found = next(iter([*named, *sorted(demanded, key=lambda score: score.value or 0.0)]), None)
    if found is None or found.value is None:
        return _cell("score", "", "")
    shown = joined([f"{short(found.value)} ", element("small", one_line(found.name, 40))])
    return _cell("score", f"{found.value + 1e9:020.6f}", shown)


def _tokens_cell(case: StoredCase) -> Html:
    parts = (case.input_tokens, case.output_tokens)
    shown = " / ".join("?" if part is None else f"{part:,}" for part in parts) if parts != (None, None) else ""
    return _cell("tokens", f"{sum(part or 0 for part in parts):012d}", shown)


def _cell(column: str, sort_by: str, shown: str, **attributes: str | None) -> Html:
    hidden = element("span", sort_by, hidden=True) if sort_by and shown else ""
    title = column if shown else None
    return element("td", hidden, shown, class_=f"col-llmeval_{column}", data_title=title, **attributes)


def _filters(read: _Read, told: str | None) -> Html:
    """Return the filters; a row is shown if its outcome cell matches everything that is chosen."""
    outcomes = [case.outcome for case in read.cases]
    counted = [(name, outcomes.count(name)) for name in _OUTCOMES if name in outcomes]
    choices = [_choice("Outcome", [(f'[data-outcome="{name}"]', f"{name} ({count:,})") for name, count in counted])]
    if read.slices:
        named = [(f'[data-slices~="s{number}"]', one_line(name, 60)) for name, number in read.slices.items()]
        choices.append(_choice("Slice", named))
    if read.base is not None:
        counts = flip_counts(read.beside.values())
        any_flip = ("[data-flip]", f"any ({counts.total():,})")
        either = [(f'[data-flip="{way}"]', f"got {way} ({counts[way]:,})") for way in ("worse", "better")]
        choices.append(_choice("Flipped rows", [any_flip, *either]))
    note = element("p", told, class_="le-note", id="llmeval-left-out") if told else ""
    count = element("output", id="llmeval-count", class_="le-note")
    return joined([note, element("div", *choices, count, class_="le-filters", id="llmeval-filters")])


def _choice(name: str, options: Sequence[tuple[str, str]]) -> Html:
    listed = [element("option", text, value=value) for value, text in [("", "all"), *options]]
    return element("label", f"{name} ", element("select", *listed))
