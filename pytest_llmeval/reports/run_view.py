"""A run as people look at it: counts, metrics and verdicts by suite, and the first misses and errors."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.gate import SessionVerdict, Verdict, session_verdict
from pytest_llmeval.core.metrics import Metric, summarise
from pytest_llmeval.store.records import Run, StoredCase
from pytest_llmeval.store.rows import to_judged

__all__ = ["RunView", "SuiteView", "TableRow", "view_run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One line of a suite's table: a metric, and one of the rules on it."""

    model: str
    slice: str | None
    metric: str
    n: int
    value: float | None
    low: float | None
    high: float | None
    errors: int
    rule: str | None = None
    verdict: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteView:
    """One suite: its table, and what went wrong in it."""

    name: str
    models: tuple[str, ...]
    outcomes: Counter[str]
    """Cases by outcome."""
    rows: tuple[TableRow, ...]
    missed: tuple[StoredCase, ...]
    broken: tuple[StoredCase, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run."""

    run: Run
    suites: tuple[SuiteView, ...]
    verdict: SessionVerdict
    not_judged: tuple[Verdict, ...]
    cost_usd: float | None
    """Of all cases; None where a price is not known."""
    input_tokens: int
    output_tokens: int


def view_run(run: Run, cases: Iterable[StoredCase], verdicts: Sequence[Verdict]) -> RunView:
    """Return what there is to see of a run."""
    everything = list(cases)
    metrics = summarise(map(to_judged, everything))
    costs = [case.cost_usd for case in everything if case.attempts]
    suites = sorted({case.key.suite for case in everything})
    return RunView(
        run=run,
        suites=tuple(_suite(name, everything, metrics, verdicts) for name in suites),
        verdict=session_verdict(verdicts),
        not_judged=tuple(verdict for verdict in verdicts if verdict.verdict == "not_judged"),
        cost_usd=None if None in costs else sum(cost or 0 for cost in costs),
        input_tokens=sum(case.input_tokens or 0 for case in everything),
        output_tokens=sum(case.output_tokens or 0 for case in everything),
    )


def _suite(name: str, cases: Sequence[StoredCase], metrics: Sequence[Metric], verdicts: Sequence[Verdict]) -> SuiteView:
    own = [case for case in cases if case.key.suite == name]
    judged = [verdict for verdict in verdicts if verdict.suite == name and verdict.verdict != "not_judged"]
    return SuiteView(
        name=name,
        models=tuple(sorted({case.key.model for case in own})),
        outcomes=Counter(case.outcome for case in own),
        rows=tuple(_rows([metric for metric in metrics if metric.suite == name], judged)),
        missed=tuple(case for case in own if case.outcome == "missed"),
        broken=tuple(case for case in own if case.outcome == "error"),
    )


def _rows(metrics: Sequence[Metric], verdicts: Sequence[Verdict]) -> Iterable[TableRow]:
    """Yield each metric with the rules on it, then the rules on what is no score (latency, cost, tokens)."""
    left = list(verdicts)
    for metric in metrics:
        mine = [
            each for each in left if (each.model, each.slice, each.metric) == (metric.model, metric.slice, metric.name)
        ]
        left = [each for each in left if each not in mine]
        base = TableRow(
            model=metric.model,
            slice=metric.slice,
            metric=metric.name,
            n=metric.n,
            value=metric.value,
            low=metric.low,
            high=metric.high,
            errors=metric.errors,
        )
        yield from (_ruled(verdict, metric.errors) for verdict in mine) if mine else (base,)
    yield from (_ruled(verdict, 0) for verdict in left)


def _ruled(verdict: Verdict, errors: int) -> TableRow:
    return TableRow(
        model=verdict.model or "",
        slice=verdict.slice,
        metric=verdict.metric,
        n=verdict.n,
        value=verdict.value,
        low=verdict.low,
        high=verdict.high,
        errors=errors,
        rule=verdict.rule,
        verdict=verdict.verdict,
        reason=verdict.reason,
    )
