"""Planning of rules on a change: what they can detect with today's rows, and the rows or epochs needed for a drop."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.evidence import falls_when_worse
from pytest_llmeval.core.gate.family import looks_alpha
from pytest_llmeval.core.gate.opponents import Opponents
from pytest_llmeval.core.gate.power import UnfailingRule, family, unfailing
from pytest_llmeval.core.gate.sight import MOST_EPOCHS, Sight, margin_needed, rows_for_margin
from pytest_llmeval.core.gate.sizes import SizeCount, SuiteSize
from pytest_llmeval.core.gate.spread import RowValues, Source, Spread, part_spread, read_rows
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.metrics import score_names
from pytest_llmeval.core.rules import MEASURED_METRICS, REGRESSION_KINDS, Rule, SuiteRules, Thresholds

__all__ = ["Plan", "Planned", "plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One metric of one suite and model, with what a rule on it can detect."""

    suite: str
    model: str
    metric: str
    slice: str | None
    """None for the whole suite."""
    rule: str | None
    """The rule as text; None if there is no rule on a change, so that the plan assumes ``max_drop: 0``."""
    n: int
    """Number of rows with a value."""
    epochs: float
    """Harmonic mean, over the rows, of the number of answers behind a row's value."""
    mean: float
    sd: float | None
    """Standard deviation of the rows' values; None for one row."""
    correlation: float | None
    """Correlation of the rows' values between two runs of one epoch; None if all values are equal."""
    source: Source
    """Source of the estimate of how much the answers of one row vary."""
    alpha: float
    """P-value below which the rule fails whatever the session's other rules say."""
    sees: float | None
    """Smallest change that the rule detects with the rows and epochs of the run, or for ``noninferior`` the smallest
    margin that can be judged. None if it detects none, or unknown."""
    rows_needed: int | None
    """Number of rows needed to detect the drop with one epoch, or for ``noninferior`` to judge its margin. None if no
    number is enough, it is unknown, or the metric has a unit of its own."""
    epochs_needed: int | None
    """Like ``rows_needed``, the number of epochs needed with the rows of the run; at most 100."""
    hint: str | None = None
    """Why ``rows_needed`` is None, in a few words; None if it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What rules on today's suites can detect."""

    drop: float
    power: float
    rows: tuple[Planned, ...]
    """By suite and model, in alphabetical order; whole suites before their slices."""
    unfailing: tuple[UnfailingRule, ...]
    """Rules that cannot fail by themselves."""
    sizes: Mapping[str, SuiteSize]
    """Sizes of the suites, with which ``unfailing`` was found."""


def plan(
    thresholds: Thresholds,
    cases: Sequence[JudgedCase],
    other: Iterable[JudgedCase] = (),
    *,
    drop: float = 0.05,
    power: float = 0.8,
) -> Plan:
    """Return what rules on a change can detect, for every score, ``pass_rate`` and every metric with such a rule.

    A rule must get its p-value below its share of alpha (``family``), as in the first of Holm's steps. See ``sight``
    for what is assumed of a drop, and ``spread`` for where the spread comes from.

    Args:
        thresholds: the rules; a metric without a rule on a change is planned as if one were added.
        cases: cases of the run to plan for.
        other: cases of another run of the same rows, to measure how much answers vary if the run has one epoch.
        drop: drop to detect, above 0, in the unit of the scores.
        power: share of runs in which to detect it, in (0, 1).
    """
    by_suite = grouped(cases, lambda case: case.suite)
    sizes = _sizes(cases, by_suite)
    opponents = Opponents(Baseline(name="", cases=other), by_suite, why_none="")
    rows = [
        row
        for suite in sorted(by_suite)
        for row in _plan_suite(thresholds, suite, by_suite[suite], sizes, opponents, drop, power)
    ]
    never = tuple(unfailing(thresholds, sizes))
    return Plan(drop=drop, power=power, rows=tuple(rows), unfailing=never, sizes=sizes)


def _sizes(cases: Iterable[JudgedCase], suites: Mapping[str, object]) -> dict[str, SuiteSize]:
    count = SizeCount(suites.keys())
    for case in cases:
        count.add(case.suite, case.model, case.sample_id, case.slices, case.cluster)
    return count.sizes()


def _plan_suite(
    thresholds: Thresholds,
    suite: str,
    cases: Sequence[JudgedCase],
    sizes: Mapping[str, SuiteSize],
    opponents: Opponents,
    drop: float,
    power: float,
) -> Iterator[Planned]:
    models = sizes[suite].models
    wanted = _wanted(thresholds, suite, cases, sizes)
    for model in models:
        own = [case for case in cases if case.model == model]
        before = opponents.find(suite, model, is_only=len(models) == 1).cases
        read: dict[str, tuple[dict[str, RowValues], dict[str, RowValues]]] = {}
        for each in wanted:
            metric = each.rule.metric
            if each.rule.model in (None, model):
                if metric not in read:
                    read[metric] = read_rows(metric, own, before)
                yield from _plan_rule(each, model, *read[metric], drop, power)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A rule to plan for: one from the file (``is_there``), or one assumed to be added."""

    rule: Rule
    is_there: bool
    alpha: float


def _wanted(
    thresholds: Thresholds, suite: str, cases: Sequence[JudgedCase], sizes: Mapping[str, SuiteSize]
) -> list[_Wanted]:
    """Return the rules of a suite to plan for, including those assumed to be added; those on the whole suite first."""
    rules = thresholds.suites.get(suite, SuiteRules(name=suite, settings=thresholds.defaults))
    there = [rule for rule in rules.rules if rule.kind in REGRESSION_KINDS]
    named = {rule.metric for rule in there if rule.slice is None}
    scores = ["pass_rate", *score_names(cases)]
    added = [
        Rule(suite=suite, metric=metric, kind="max_drop", bound=0.0)
        for metric in scores
        if metric not in named and metric not in MEASURED_METRICS
    ]
    found = [
        _Wanted(rule=rule, is_there=rule not in added, alpha=_alpha(thresholds, rules, rule, sizes))
        for rule in (*added, *there)
    ]
    place = {metric: number for number, metric in enumerate(scores)}
    return sorted(found, key=lambda each: (each.rule.slice is not None, place.get(each.rule.metric, len(place))))


def _alpha(thresholds: Thresholds, suite: SuiteRules, rule: Rule, sizes: Mapping[str, SuiteSize]) -> float:
    """Return the p-value below which a rule fails whatever the others say; a rule not in the file is added first."""
    if rule.kind == "noninferior":
        return looks_alpha(thresholds, suite.settings, sizes)
    if rule not in suite.rules:
        suite = replace(suite, rules=(*suite.rules, rule))
    members = family(replace(thresholds, suites={**thresholds.suites, suite.name: suite}), sizes)
    own = looks_alpha(thresholds, suite.settings, sizes)
    return min((member.share.strictest for member in members if member.rule == rule), default=own)


def _plan_rule(
    wanted: _Wanted,
    model: str,
    rows: Mapping[str, RowValues],
    other: Mapping[str, RowValues],
    drop: float,
    power: float,
) -> Iterator[Planned]:
    """Yield what a rule can detect for one model; nothing if no row has a value."""
    rule, alpha = wanted.rule, wanted.alpha
    spread = part_spread(rule.metric, rows, other, rule.slice)
    if spread is None:
        return
    planned = Planned(
        suite=rule.suite,
        model=model,
        metric=rule.metric,
        slice=rule.slice,
        rule=rule.text if wanted.is_there else None,
        n=spread.n,
        epochs=spread.epochs,
        mean=spread.mean,
        sd=spread.sd,
        correlation=spread.correlation,
        source=spread.source,
        alpha=alpha,
        sees=None,
        rows_needed=None,
        epochs_needed=None,
    )
    if rule.kind == "noninferior" and rule.bound is not None:
        yield _plan_margin(planned, spread, rule.bound, power)
    else:
        sight = Sight(spread=spread, alpha=alpha, power=power, allowed=rule.bound or 0.0, falls=falls_when_worse(rule))
        yield _plan_drop(planned, sight, drop)


def _plan_margin(planned: Planned, spread: Spread, margin: float, power: float) -> Planned:
    alpha, n = planned.alpha, spread.n
    found = replace(planned, sees=margin_needed(spread, alpha=alpha, power=power, n=n, epochs=spread.epochs))
    needed = [
        rows_for_margin(spread, margin, alpha=alpha, power=power, epochs=epochs) for epochs in range(1, MOST_EPOCHS + 1)
    ]
    enough = next((epochs for epochs, rows in enumerate(needed, 1) if rows <= n), None)
    return replace(found, rows_needed=needed[0], epochs_needed=enough)


def _plan_drop(planned: Planned, sight: Sight, drop: float) -> Planned:
    found = replace(planned, sees=sight.least())
    if planned.metric in MEASURED_METRICS:
        return replace(found, hint="it has a unit of its own")
    rows = sight.rows(drop)
    hint = None if rows is not None else _why_none(sight, drop)
    return replace(found, rows_needed=rows, epochs_needed=sight.epochs(drop), hint=hint)


def _why_none(sight: Sight, drop: float) -> str:
    if drop <= sight.allowed:
        return f"the rule lets a change of {sight.allowed:.4g} pass"
    if drop > sight.room:
        return f"the mean cannot get worse by more than {sight.room:.4g}"
    return "no answer varied, and nothing is known of how much a drop would"
