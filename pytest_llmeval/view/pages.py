"""The contents of each page, read from the database; shared by the server and the files."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.judge.scored import judged_run
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.text import shell_words
from pytest_llmeval.core.types import OUTCOMES, Call
from pytest_llmeval.reports.comparison import Comparison
from pytest_llmeval.reports.comparison_words import (
    LEGEND,
    expected_text,
    is_worth_a_word,
    measure_cells,
    measure_name,
    opening,
    verdict_cells,
)
from pytest_llmeval.reports.exported import shown_in, shown_response
from pytest_llmeval.reports.html.chat import bubble, chat
from pytest_llmeval.reports.html.diff import difference
from pytest_llmeval.reports.html.escape import Html
from pytest_llmeval.reports.row_texts import asked_messages, message_texts
from pytest_llmeval.reports.run_text import verdict_line
from pytest_llmeval.reports.run_view import RunCases, view_run
from pytest_llmeval.store.baselines import FoundBaseline
from pytest_llmeval.store.browsing import Against, BrowsingReader, CasePage, Wanted
from pytest_llmeval.store.records import Run
from pytest_llmeval.view.links import Links
from pytest_llmeval.view.rendering import render
from pytest_llmeval.view.side_by_side import LONGEST_NAME, heading, offers, only_model, shown_as
from pytest_llmeval.view.summaries import Overview
from pytest_llmeval.view.trends import Trend, sparkline

__all__ = ["Frame", "against_of", "base_ref", "case_page", "compare_page", "run_page", "runs_page"]

_MOST_BASES = 1_000
"""Largest number of runs offered to compare with, beside those on the page itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The frame of every page: links, name of the database, style and script."""

    links: Links
    database: str
    """Display name of the database."""
    head: Html
    """HTML of the style and the script: links to them, or their text."""

    def render(self, template: str, title: str, **values: Any) -> str:
        """Return a rendered page."""
        return render(template, links=self.links, database=self.database, head=self.head, title=title, **values)


def runs_page(
    frame: Frame,
    runs: Sequence[Run],
    trends: Sequence[Trend],
    *,
    every: Sequence[Run],
    waiting: int,
    older: str | None,
    newer: str | None,
) -> str:
    """Return the list of runs.

    Args:
        frame: the frame of the page.
        runs: the runs on this page, the newest first.
        trends: the trends of the metrics.
        every: the runs of all pages, the newest first.
        waiting: the number of runs whose metrics are not known yet.
        older: the URL of the next page; None on the last one.
        newer: the URL of the page before; None on the first one.
    """
    by_suite: dict[str, list[tuple[Trend, Html]]] = {}
    for trend in trends:
        by_suite.setdefault(trend.suite, []).append((trend, sparkline(trend)))
    return frame.render(
        "runs.html",
        "Runs",
        runs=runs,
        trends=by_suite,
        earlier={run.id: before for run, before in pairwise(every)},
        bases=[run for place, run in enumerate(every) if place < _MOST_BASES or run in runs],
        waiting=waiting,
        older=older,
        newer=newer,
    )


def run_page(
    frame: Frame,
    reader: BrowsingReader,
    run: Run,
    overview: Overview | None,
    *,
    wanted: Wanted,
    page: CasePage,
    total: int | None,
    against: Against | None,
    sample: str | None = None,
    details: Mapping[str, Html] | None = None,
) -> str:
    """Return the page of a run.

    Args:
        frame: the frame of the page.
        reader: the database.
        run: the run to show.
        overview: its metrics; None if they are not known yet.
        wanted: the filter of the listed cases.
        page: the listed cases.
        total: the number of cases that match the filter; None if they are not counted.
        against: the run that flips refer to; None if there is none.
        sample: which cases are shown, in words, if not all; None for all.
        details: full cases by id, if this page contains them.
    """
    groups = reader.groups(run.id) if overview is None else overview.groups
    view = view_run(run, RunCases(), reader.verdicts(run.id)) if overview is None else overview.view
    slices = reader.slice_names(run.id) if overview is None else overview.slices
    counts = Counter({outcome: 0 for outcome in OUTCOMES})
    for group in groups:
        counts[group.outcome] += group.cases
    fitting = [each for each in groups if wanted.suite in (None, each.suite) and wanted.model in (None, each.model)]
    return frame.render(
        "run.html",
        run.name or run.id,
        run=run,
        view=view,
        verdict=verdict_line(view).removeprefix("gate: "),
        gate=[(suite.name, row) for suite in view.suites for row in suite.rows if row.rule],
        is_counted=overview is not None,
        suites_shown=Html() if overview is None else overview.suites,
        counts=counts,
        spending=() if overview is None else overview.spending,
        notes=() if overview is None else overview.notes,
        settings=_json(run.settings),
        suites=_choices(group.suite for group in groups),
        models=_choices(group.model for group in groups),
        slices=_choices(slices),
        tabs=[("all", None, sum(each.cases for each in fitting))]
        + [(outcome, outcome, sum(each.cases for each in fitting if each.outcome == outcome)) for outcome in OUTCOMES],
        is_sliced=wanted.slice is not None or bool(wanted.search) or wanted.flipped is not None,
        wanted=wanted,
        page=page,
        said=_excerpts(reader, (case for case, _ in page.pairs)),
        total=total,
        against=against,
        base_ref=None if against is None else base_ref(run, against),
        offers=offers(run, groups) if frame.links.is_live else (),
        can_label=frame.links.is_live and bool(reader.judges(run.id)),
        sample=sample,
        details=details or {},
        query=_query_of(wanted),
    )


def _query_of(wanted: Wanted) -> dict[str, Any]:
    """Return the query parameters of a run's URL for a filter of cases."""
    fields = {name: getattr(wanted, name) for name in ("suite", "model", "slice", "outcome", "search")}
    return {**fields, "flipped": "1" if wanted.flipped is not None else None}


def case_page(frame: Frame, reader: BrowsingReader, run: Run, case: StoredCase, against: Against | None) -> str:
    """Return the page of one case in full."""
    return frame.render(
        "case.html",
        case.key.sample_id,
        run=run,
        case=case,
        body=case_body(frame, reader, run, case, against),
    )


def case_body(frame: Frame, reader: BrowsingReader, run: Run, case: StoredCase, against: Against | None) -> Html:
    """Return a case in full: chat, response, target, scores, votes, labels and calls."""
    calls = reader.calls(case.id)
    partner = None if against is None else reader.partner(case, against)
    response = shown_response(case, calls)
    expected = expected_text(case.target)
    before = None if partner is None else shown_response(partner, reader.calls(partner.id))
    return Html(
        render(
            "case_body.html",
            links=frame.links,
            run=run,
            case=case,
            chat=chat(asked_messages(case, calls), response, expected, missing=_missing(case)),
            partner=partner,
            before="baseline" if _is_baseline(run, against) else "run before",
            change=None if before is None or response is None else difference(response, before, other="before"),
            calls=[_shown_call(call) for call in calls],
            votes=[(score.name, vote) for score in case.scores for vote in score.votes],
            labels=reader.labels_of(case.id),
            epochs=reader.epochs(run.id, case),
            can_label=frame.links.is_live and _can_label(reader, run, case),
        )
    )


def _can_label(reader: BrowsingReader, run: Run, case: StoredCase) -> bool:
    """Return whether a case may be labelled: of each row and model, only the first epoch that was judged."""
    for _, case_id, _ in reader.epochs(run.id, case):
        found = case if case_id == case.id else reader.case(case_id)
        if found is not None and _is_judged(reader, run, found):
            return case_id == case.id
    return False


def _is_judged(reader: BrowsingReader, run: Run, case: StoredCase) -> bool:
    """Return whether a case has scores that can be labelled; none can if the record of the judge is unknown."""
    try:
        return bool(judged_run(run.id, [case], reader.judges(run.id)).labelable(case))
    except StoreError:  # recorded by an older version
        return False


def compare_page(
    frame: Frame,
    reader: BrowsingReader,
    base: FoundBaseline,
    current: FoundBaseline,
    comparison: Comparison | str | None,
    *,
    page: CasePage,
    total: int,
) -> str:
    """Return two runs, models or suites side by side.

    Args:
        frame: the frame of the page.
        reader: the database.
        base: the side to compare with.
        current: the side under test.
        comparison: the comparison; a text with the reason if the rules cannot be used; None if it is not known yet.
        page: some of the cases of ``current`` that flipped, each with its case in ``base``.
        total: the number of cases that flipped.
    """
    told = comparison if isinstance(comparison, Comparison) else None
    changes = (
        [] if told is None else [(each, verdict_cells(told, each), is_worth_a_word(each)) for each in told.changes]
    )
    quiet = [each for each in changes if each[0].slice is not None and each[0].verdict == "pass"]
    return frame.render(
        "compare.html",
        f"{shown_as(current)} against {shown_as(base)}",
        heading=heading(base, current),
        base=base,
        current=current,
        shown_as=shown_as,
        command=f"llmeval compare {shell_words([base.spec, current.spec]) or 'BASE CURRENT'}",
        comparison=told,
        problem=comparison if isinstance(comparison, str) else None,
        opening=[] if told is None else opening(told)[1],
        changes=[each for each in changes if each not in quiet],
        quiet=quiet,
        legend=LEGEND,
        measures=[] if told is None else [(each, measure_name(each), measure_cells(each)) for each in told.measures],
        page=page,
        said=_excerpts(reader, (case for pair in page.pairs for case in pair)),
        total=total,
    )


def against_of(reader: BrowsingReader, run: Run) -> Against | None:
    """Return the run that a run's flips refer to: its baseline if that is in this database, else an earlier run.

    The earlier run is the newest whole run of the same models and suites that began before.
    """
    chosen = run.settings.get("baseline") or {}
    base = reader.run(str(chosen["run"])) if chosen.get("run") else None
    if base is None:
        suites = set(run.suites)
        earlier = [
            each
            for each in reader.runs()
            if each.started_at < run.started_at
            and each.models == run.models
            and set(each.suites) == suites
            and each.is_full
        ]
        return Against(run_id=earlier[0].id) if earlier else None
    return Against(run_id=base.id, model=chosen.get("model") or only_model(base.models, run.models))


def base_ref(run: Run, against: Against) -> str:
    """Return the reference to the run that flips refer to, with its model if the baseline is a single model."""
    chosen = (run.settings.get("baseline") or {}).get("model") if _is_baseline(run, against) else None
    return against.run_id if chosen is None else f"{against.run_id}@{chosen}"


def _is_baseline(run: Run, against: Against | None) -> bool:
    """Return whether ``against`` is the run's baseline rather than an earlier run."""
    return against is not None and (run.settings.get("baseline") or {}).get("run") == against.run_id


def _choices(names: Iterable[str]) -> list[str]:
    """Return the names to choose from, sorted, without those too long for a URL."""
    return sorted({name for name in names if len(name) <= LONGEST_NAME})


def _excerpts(reader: BrowsingReader, cases: Iterable[StoredCase | None]) -> dict[str, str | None]:
    """Return the response of each case, by its id."""
    return {case.id: shown_response(case, reader.calls(case.id)) for case in cases if case is not None}


def _missing(case: StoredCase) -> str:
    return "no response: the case ended in an error" if case.outcome == "error" else "no response"


def _shown_call(call: Call) -> tuple[Call, Sequence[Html], str, str]:
    """Return a call, its messages and answer as bubbles, and its other parameters and details as JSON."""
    said = shown_in(call)
    bubbles = [bubble(role, text) for role, text in message_texts(call.request)]
    answer = [] if said is None else [bubble("response", said)]
    params = {key: value for key, value in call.request.items() if key != "messages"}
    detail = {key: value for key, value in call.detail.items() if key != "text"}
    return call, [*bubbles, *answer], _json(params), _json(detail)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)
