"""The view model of a run: counts, metrics and verdicts by suite, and the first misses and errors."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_llmeval.core.gate.case import XPASSED, JudgedCase
from pytest_llmeval.core.gate.judging import WORST_FIRST, SessionVerdict, Verdict, session_verdict
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.metrics import Metric, summarise
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.reports.exported import called_in
from pytest_llmeval.reports.model_names import distinct_names
from pytest_llmeval.store.protocol import StoreReader
from pytest_llmeval.store.records import UNFINISHED, Run

__all__ = ["GOAL_KINDS", "RunCases", "RunView", "SuiteView", "TableRow", "goal_and_worst", "most_shown", "view_run"]

GOAL_KINDS = ("min", "max")
"""Kinds of rules whose bound charts draw as a goal: they bound the value itself, not its confidence limit."""

_MOSTLY = 0.9
_FIRST = 3
"""Number of misses and of errors shown of each suite; ten times as many with -v, all with -vv."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One line of a suite's table: a metric, with one of the rules on it."""

    model: str
    slice: str | None
    metric: str
    n: int
    value: float | None
    low: float | None
    """This and ``high`` are the ends of an interval of the value; None for a rule on a change."""
    high: float | None
    errors: int
    delta: float | None = None
    """Change since the baseline."""
    mde: float | None = None
    """Smallest change that the rule's test detects four times in five."""
    rule: str | None = None
    verdict: str | None = None
    reason: str | None = None
    scored: int = 0
    """Rows of this run with a value, for a rule on a score: more than ``n`` if some do not pair with the baseline."""

    @property
    def is_worth_a_word(self) -> bool:
        """Whether the reason is shown; for a change rule that passes, only if it left out over a tenth of the rows."""
        return self.verdict != "pass" or self.delta is None or self.n < _MOSTLY * self.scored


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteView:
    """One suite: its table, and its misses and errors."""

    name: str
    models: tuple[str, ...]
    outcomes: Counter[str]
    """Number of cases by outcome."""
    rows: tuple[TableRow, ...]
    """Each metric with the rules on it; a metric with several rules has one row per rule, with that rule's figures."""
    numbers: tuple[TableRow, ...]
    """Each metric once, without its rules; then the rules on anything that is not a score (latency, cost, tokens)."""
    missed: tuple[StoredCase, ...]
    """The first misses, which were read in full."""
    broken: tuple[StoredCase, ...]
    """The first errors, likewise."""
    error_kinds: Counter[str]
    """Number of cases that ended in an error, by kind."""
    judges: Mapping[tuple[str, str], str]
    """Ids of the judges behind a metric, by model and metric, for metrics that judges made."""

    @property
    def names(self) -> dict[str, str]:
        """Display names of its models, if there are several."""
        return distinct_names(self.models)

    @property
    def main_rows(self) -> list[TableRow]:
        """The ``rows`` that concern the whole suite or have a rule."""
        return [row for row in self.rows if row.slice is None or row.rule]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run, ready to be shown."""

    run: Run
    suites: tuple[SuiteView, ...]
    verdict: SessionVerdict
    not_judged: tuple[Verdict, ...]
    """Rules that were not judged, including those with figures, which the tables of the suites show."""
    uncounted: int
    """Number of cases that were scored but skipped or expected to fail, and so count nowhere."""
    is_told: bool = False
    """Whether the verdict is the one an imported run recorded: its rules stayed where it was judged."""
    called: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """As in ``RunCases.called``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCases:
    """The cases of a run that a view needs."""

    judged: Sequence[JudgedCase] = ()
    """All cases, with what the gate needs of each."""
    unlucky: Sequence[StoredCase] = ()
    """The first misses and errors, in full."""
    called: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Tool calls of answers without text, by the id of the case."""

    @classmethod
    def read(cls, store: StoreReader, run_id: str, *, verbosity: int = 0) -> "RunCases":
        """Return the cases of a stored run, with as many misses and errors as ``verbosity`` shows."""
        unlucky = list(store.unlucky(run_id, most=most_shown(verbosity)))
        silent = (case for case in unlucky if case.response is not None and not case.response.strip())
        called = {case.id: called_in(case, store.calls(case.id)) for case in silent}
        return cls(judged=list(store.judged(run_id)), unlucky=unlucky, called=called)


def most_shown(verbosity: int) -> int | None:
    """Return the number of misses and of errors shown of a suite; None for all."""
    return (_FIRST, _FIRST * 10, None)[max(0, min(verbosity, 2))]


def view_run(run: Run, cases: RunCases, verdicts: Sequence[Verdict], *, is_anew: bool = False) -> RunView:
    """Return the view of a run; ``is_anew`` says that ``verdicts`` are not the recorded ones."""
    judged, unlucky = cases.judged, cases.unlucky
    failed = any(each.verdict == "fail" for each in verdicts)
    verdict = "none" if run.shown_status in UNFINISHED and not failed else session_verdict(verdicts, judged)
    is_told = run.end is not None and run.is_imported and not (verdicts or is_anew)
    told = run.end.verdict if run.end is not None and is_told else "none"
    metrics = summarise(judged)
    by_suite = grouped(judged, lambda case: case.suite)
    unlucky_by_suite = grouped(unlucky, lambda case: case.key.suite)
    metrics_by_suite = grouped(metrics, lambda metric: metric.suite)
    shown = [each for each in verdicts if each.verdict != "not_judged" or each.is_reported]
    verdicts_by_suite = grouped(shown, lambda each: each.suite)
    return RunView(
        run=run,
        suites=tuple(
            _suite(
                name,
                by_suite.get(name, ()),
                unlucky_by_suite.get(name, ()),
                metrics_by_suite.get(name, ()),
                verdicts_by_suite.get(name, ()),
            )
            for name in sorted(by_suite.keys() | verdicts_by_suite.keys())
        ),
        verdict=verdict if told == "none" else told,
        not_judged=tuple(verdict for verdict in verdicts if verdict.verdict == "not_judged"),
        uncounted=sum(map(_is_uncounted, judged)),
        is_told=told != "none",
        called=cases.called,
    )


def goal_and_worst(rows: Sequence[TableRow], goal: str | None) -> tuple[str | None, tuple[str, str] | None]:
    """Return the verdict of the rule ``goal``, and the first rule with a worse verdict, together with that verdict.

    Either is None if there is none; a rule that was not judged has no verdict.
    """
    found = [(row.rule, row.verdict) for row in rows if row.rule is not None and row.verdict in WORST_FIRST]
    own = next((verdict for rule, verdict in found if rule == goal), None)
    worst = next((each for word in WORST_FIRST for each in found if each[1] == word), None)
    return own, None if worst is None or worst[1] == own else worst


def _is_uncounted(case: JudgedCase) -> bool:
    """Whether a case has a score that counts nowhere. A case that had to fail and passed fails its run instead."""
    is_skipped = case.outcome == "skipped" and case.error_kind != XPASSED
    return is_skipped and any(value is not None for value in case.scores.values())


def _suite(
    name: str,
    cases: Sequence[JudgedCase],
    unlucky: Sequence[StoredCase],
    metrics: Sequence[Metric],
    verdicts: Sequence[Verdict],
) -> SuiteView:
    return SuiteView(
        name=name,
        models=tuple(sorted({case.model for case in cases})),
        outcomes=Counter(case.outcome for case in cases),
        rows=tuple(_rows(metrics, verdicts)),
        numbers=tuple(_numbers(metrics, verdicts)),
        missed=tuple(case for case in unlucky if case.outcome == "missed"),
        broken=tuple(case for case in unlucky if case.outcome == "error"),
        error_kinds=Counter(case.error_kind for case in cases if case.error_kind is not None),
        judges=_judges(cases),
    )


def _judges(cases: Iterable[JudgedCase]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], set[str]] = {}
    for case in cases:
        for name, judge_id in case.judge_ids.items():
            if judge_id is not None:
                found.setdefault((case.model, name), set()).add(judge_id)
    return {key: " ".join(sorted(ids)) for key, ids in found.items()}


def _rows(metrics: Sequence[Metric], verdicts: Sequence[Verdict]) -> Iterable[TableRow]:
    """Yield each metric with the rules on it, then the rules on anything else (latency, cost, tokens)."""
    left = grouped(verdicts, lambda verdict: (verdict.model, verdict.slice, verdict.metric))
    errors = _errors(metrics)
    for metric in metrics:
        mine = left.pop((metric.model, metric.slice, metric.name), [])
        base = _plain(metric)
        yield from (_ruled(verdict, base) for verdict in mine) if mine else (base,)
    yield from (_ruled(verdict, errors=errors.get(key[:2], 0)) for key, rest in left.items() for verdict in rest)


def _numbers(metrics: Sequence[Metric], verdicts: Sequence[Verdict]) -> Iterable[TableRow]:
    """Yield each metric without its rules, then the rules on anything else."""
    yield from map(_plain, metrics)
    known = {(metric.model, metric.slice, metric.name) for metric in metrics}
    errors = _errors(metrics)
    for each in verdicts:
        if (each.model, each.slice, each.metric) not in known:
            yield _ruled(each, errors=errors.get((each.model, each.slice), 0))


def _errors(metrics: Sequence[Metric]) -> dict[tuple[str | None, str | None], int]:
    """Return the number of cases that ended in an error, by model and slice."""
    return {(metric.model, metric.slice): metric.errors for metric in metrics if metric.name == "pass_rate"}


def _plain(metric: Metric) -> TableRow:
    return TableRow(
        model=metric.model,
        slice=metric.slice,
        metric=metric.name,
        n=metric.n,
        value=metric.value,
        low=metric.low,
        high=metric.high,
        errors=metric.errors,
    )


def _ruled(verdict: Verdict, base: TableRow | None = None, *, errors: int = 0) -> TableRow:
    """Return the row of a rule; if it found no value (no row pairs, say), with the figures of its metric.

    ``errors`` is the number of errors for a rule on anything that is not a score.
    """
    if base is not None and verdict.value is None:
        return replace(base, rule=verdict.rule, verdict=verdict.verdict, reason=verdict.reason)
    is_on_change = verdict.delta is not None  # its interval is that of the change
    return TableRow(
        model=verdict.model or "",
        slice=verdict.slice,
        metric=verdict.metric,
        n=verdict.n,
        value=verdict.value,
        low=None if is_on_change else verdict.low,
        high=None if is_on_change else verdict.high,
        errors=errors if base is None else base.errors,
        scored=0 if base is None else base.n,
        delta=verdict.delta,
        mde=verdict.mde,
        rule=verdict.rule,
        verdict=verdict.verdict,
        reason=verdict.reason,
    )
