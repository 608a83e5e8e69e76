"""The decision on an absolute rule (``min``, ``max``, ``every``, …) from the readings of its metric.

Missing values are bounded (C. F. Manski, "Partial Identification of Probability Distributions", 2003): an open case is
given first the least, then the greatest possible value. If both ends agree, the rule is decided. Cases lost to the
infrastructure say nothing about the answer and are left out, unless the run is not valid: then a rule can only fail,
and only if it fails whatever the lost cases would have been.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pytest_llmeval.core.gate.column import Column, Grouped, OpenRows, State, sample_means
from pytest_llmeval.core.rules import MEASURED_METRICS, Rule
from pytest_llmeval.core.stats.distributions import binomial_at_least
from pytest_llmeval.core.stats.intervals import miss_chance, pass_at_k, quantile, score_interval, standard_error
from pytest_llmeval.core.stats.means import mean, total
from pytest_llmeval.core.text import counted, one_line

__all__ = ["SLACK", "Decision", "Judgement", "decide", "name_open", "name_samples", "numbers_of", "show_number"]

Judgement = Literal["pass", "fail", "inconclusive", "unmeasurable", "not_judged"]

SLACK = 1e-9
"""How far a value may lie beyond a bound, so that rounding alone fails no rule; ``min_lower`` has no slack."""

_LIKELY_MISS = 0.02
_GOLDEN = (math.sqrt(5) - 1) / 2
_SECTIONS = 16
"""Golden sections in ``_searched``: they narrow the range to 0.0005 of itself, around a maximum that is flat."""
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict on one rule over one column, with its numbers and its reason."""

    verdict: Judgement
    value: float | None = None
    """Number compared with the bound (for ``min_lower`` that is ``low``); None if there is none."""
    n: int = 0
    """Number of samples behind the value; number of cases for ``error_rate``, quantiles and totals."""
    low: float | None = None
    """Lower end of the 95 % interval of the value; None if it has none or it cannot be estimated."""
    high: float | None = None
    reason: str | None = None
    """Explanation in one line; None if the numbers say everything."""
    baseline_value: float | None = None
    """The baseline's value. This and the next three fields belong to rules against a baseline, for which ``low`` and
    ``high`` are the ends of the 90 % interval of ``delta``."""
    delta: float | None = None
    p_value: float | None = None
    """One-sided, after Holm's adjustment; None if no test decides."""
    mde: float | None = None
    """Smallest true change that the rule would detect in four runs of five (80 % power); None if unknown."""
    is_open: bool = False
    """Whether the verdict is inconclusive because answers are missing, which makes the session unmeasurable."""


def decide(rule: Rule, column: Column, *, broken: str | None) -> Decision:
    """Return the decision on an absolute ``rule`` over ``column``.

    Args:
        rule: Any rule except those against a baseline.
        column: Readings of the rule's metric in the rule's slice.
        broken: Why the run is not valid for this suite and model, so that the rule can only fail or be unmeasurable.
    """
    if not column.count("scored"):
        return Decision(verdict="unmeasurable", reason=broken or _why_empty(column))
    if rule.kind == "every":
        return _decide_every(column, broken)
    if rule.kind == "pass_at":
        return _decide_pass_at(rule, column, broken)
    return _decide_bound(rule, column, broken)


def name_samples(ids: Collection[str], *, in_order: bool = False) -> str:
    """Return up to five sample ids in one line and the number of others; sorted, unless they are ``in_order``."""
    chosen = list(ids) if in_order else sorted(ids)
    shown = ", ".join(one_line(sample_id, 40) for sample_id in chosen[:_NAMED])
    return f"{shown} and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else shown


def name_open(rows: OpenRows, metric: str) -> str:
    """Return the rows that leave a rule on ``metric`` open, and how they may get a value.

    Missing token counts, and the costs computed from them, cannot be obtained afterwards.
    """
    if metric in ("cost_usd", "input_tokens", "output_tokens"):
        return name_samples(rows.ids)
    ways = ["ask for them again with --resume"] if rows.asked_again or not rows.scored_again else []
    if rows.scored_again:
        which = "the answers that there are" if ways else "their answers"
        ways.append(f"once the code is fixed, score {which} again with llmeval rescore")
    return "; ".join([name_samples(rows.ids), *ways])


def _decide_every(column: Column, broken: str | None) -> Decision:
    """Decide ``every``: any miss fails; without a miss, cases without a value make the rule unmeasurable."""
    shown = numbers_of(column, column.grouped())
    missed = {reading.sample_id for reading in column.readings if reading.hit is False}
    if missed:
        return replace(shown, verdict="fail", reason=f"missed by {name_samples(missed)}")
    without: tuple[State, ...] = ("open", "lost", "unscored", "no_judge")
    if column.count(*without):
        found = f"{counted(column.count(*without), 'case')} without a verdict: {name_samples(column.ids(*without))}"
        return replace(shown, verdict="unmeasurable", reason=broken or found)
    return replace(shown, verdict="unmeasurable" if broken else "pass", reason=broken)


def _decide_pass_at(rule: Rule, column: Column, broken: str | None) -> Decision:
    """Decide ``pass_at`` like any other bound, on hits instead of values, if each sample has enough attempts."""
    hits = tuple(
        reading if reading.hit is None else reading._replace(value=float(reading.hit)) for reading in column.readings
    )
    as_hits = replace(column, readings=hits, span=(0.0, 1.0))
    attempts = as_hits.grouped()
    units = {reading.unit for reading in hits if reading.state != "skipped"}
    short = {unit[0] for unit in units if len(attempts.get(unit, ())) < (rule.k or 1)}
    if short:
        found = f"needs {rule.k} scored epochs of each sample; fewer in {name_samples(short)}"
        return Decision(verdict="unmeasurable", n=len(attempts), reason=broken or found)
    return _decide_bound(rule, as_hits, broken)


def _decide_bound(rule: Rule, column: Column, broken: str | None) -> Decision:
    grouped = column.grouped()
    shown = numbers_of(column, grouped, rule)
    if (measured := _statistic(rule, column, grouped)) is None:
        found = f"the interval of {shown.n} values cannot be estimated"
        return replace(shown, verdict="unmeasurable", reason=broken or found)
    states: tuple[State, ...] = ("open", "lost") if broken else ("open",)
    ends = _ends(rule, column, states) if column.count(*states) else [measured, measured]
    met = {_meets(rule, end) for end in ends}
    if met == {False}:
        return replace(shown, verdict="fail", reason=_why_failed(rule, ends, broken))
    if broken:
        return replace(shown, verdict="unmeasurable", reason=broken)
    if met != {True}:
        return replace(shown, verdict="inconclusive", is_open=True, reason=_why_open(column, ends))
    low, high = column.span
    is_in_reach = rule.bound is not None and low < rule.bound < high  # values in 0..1 cannot miss a min of 0
    return replace(shown, verdict="pass", reason=_rerun(rule, column, grouped) if is_in_reach else None)


def numbers_of(column: Column, grouped: Grouped, rule: Rule | None = None) -> Decision:
    """Return a preliminary decision with the numbers only: the value over all scored cases, n and the interval.

    Args:
        column: The readings of a metric.
        grouped: Their values by unit.
        rule: Rule whose statistic is the value; None for the mean.
    """
    if rule is not None and rule.kind in ("max_p50", "max_p95", "max_total"):
        value = _statistic(rule, column, grouped)
        return Decision(verdict="unmeasurable", value=_finite(value), n=column.count("scored"))
    values = _per_sample(rule, grouped)
    is_of_calls = column.metric in MEASURED_METRICS  # their values may lie in [0, 1], but only by chance
    interval = None if is_of_calls else score_interval(values, clusters=column.clusters(grouped))
    return Decision(
        verdict="unmeasurable",
        value=mean(values),
        n=len(values),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )


def _per_sample(rule: Rule | None, grouped: Grouped) -> list[float]:
    if rule is not None and rule.kind == "pass_at":
        return [pass_at_k(len(hits), sum(hit == 1 for hit in hits), rule.k or 1) for hits in grouped.values()]
    return sample_means(grouped)


def _statistic(rule: Rule, column: Column, grouped: Grouped) -> float | None:
    """Return the number that is compared with the bound; None if it cannot be estimated."""
    cases = [value for values in grouped.values() for value in values]
    if rule.kind == "max_total":
        return total(cases)
    if rule.kind in ("max_p50", "max_p95"):
        return quantile(cases, 50 if rule.kind == "max_p50" else 95)
    if rule.kind == "min_lower":
        interval = score_interval(sample_means(grouped), clusters=column.clusters(grouped))
        return interval.low if interval else None
    return mean(_per_sample(rule, grouped))


def _ends(rule: Rule, column: Column, states: Collection[State]) -> list[float | None]:
    """Return the least and the greatest value of the statistic, over all possible values of the cases in ``states``.

    For most statistics these are reached with all such cases at their least, then at their greatest possible value. The
    lower end of an interval may be lower or higher in between, so for ``min_lower`` further values are tried.
    """
    least, most = (column.grouped(fill, states) for fill in column.span)
    found = [_statistic(rule, column, grouped) for grouped in (least, most)]
    if rule.kind != "min_lower" or None in found:
        return found
    known, clusters = sample_means(column.grouped()), column.clusters(least)
    is_met = all(_meets(rule, end) for end in found)
    if is_met and clusters is None:
        return found
    tried: Iterable[float | None]
    if is_met or all(value in (0, 1) for value in known):  # the interval is widest if groups differ most
        tried = _mixed_lower_ends(column, least, clusters, states)
    else:
        tried = _lower_ends(sample_means(least), sample_means(most), clusters, known)
    values = [value for value in (*found, *tried) if value is not None]
    return [min(values), max(values)]


def _mixed_lower_ends(
    column: Column, least: Grouped, clusters: Sequence[str] | None, states: Collection[State]
) -> Iterator[float | None]:
    """Yield lower ends of the interval with some cases in ``states`` at their least, the others at their greatest."""
    means = dict(zip(least, sample_means(least), strict=True))
    for filled in column.mixtures(*column.span, states):
        mixed = means | dict(zip(filled, sample_means(filled), strict=True))
        interval = score_interval([*mixed.values()], clusters=clusters)
        yield interval.low if interval else None


def _lower_ends(
    least: Sequence[float], most: Sequence[float], clusters: Sequence[str] | None, known: Sequence[float]
) -> Iterator[float | None]:
    """Yield lower ends of the interval, with each sample mean between its ``least`` and its ``most``.

    They approach the greatest possible lower end. Outlying values widen the interval, so the lower end is greatest if
    all samples with a missing value lie as close as possible to one level, a little above the mean of the others; with
    few clusters it may lie elsewhere. A partly known sample may reach above or below the mean of the ``known`` alone.
    """

    def lower_end(level: float) -> float | None:
        values = [min(max(level, low), high) for low, high in zip(least, most, strict=True)]
        interval = score_interval(values, clusters=clusters)
        return interval.low if interval else None

    ranges = [(low, high) for low, high in zip(least, most, strict=True) if low < high]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    middle = min(max(mean(known) or 0.0, low), high)
    yield from _searched(lower_end, low, middle)
    yield from _searched(lower_end, middle, high)


def _searched(statistic: Callable[[float], float | None], low: float, high: float) -> Iterator[float | None]:
    """Yield the statistic at points that approach its single maximum between ``low`` and ``high``.

    Golden-section search: J. Kiefer, "Sequential Minimax Search for a Maximum", Proceedings of the AMS 4 (1953)
    502-506.
    """
    first, second = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_first, at_second = statistic(first), statistic(second)
    for _ in range(_SECTIONS):
        yield from (at_first, at_second)
        if (at_first or 0.0) > (at_second or 0.0):
            high, second, at_second = second, first, at_first
            first = high - _GOLDEN * (high - low)
            at_first = statistic(first)
        else:
            low, first, at_first = first, second, at_second
            second = low + _GOLDEN * (high - low)
            at_second = statistic(second)


def _meets(rule: Rule, value: float | None) -> bool | None:
    if value is None or rule.bound is None:
        return None
    if rule.kind == "min_lower":
        return value > rule.bound
    if rule.kind in ("min", "pass_at"):
        return value >= rule.bound - SLACK
    return value <= rule.bound + SLACK


def _why_failed(rule: Rule, ends: Iterable[float | None], broken: str | None) -> str:
    low, high = ends
    upwards = rule.kind in ("min", "min_lower", "pass_at")
    best = high if upwards else low
    what = "the lower end of the interval" if rule.kind == "min_lower" else "it"
    side = "not above" if rule.kind == "min_lower" else "below" if upwards else "above"
    digits = 4 if show_number(best) != show_number(rule.bound) else 12
    found = f"{what} is {show_number(best, digits)}, {side} {show_number(rule.bound, digits)}"
    if low == high and not broken:
        return found
    return f"{found}, even with the best for every missing value" + (f" ({broken})" if broken else "")


def _why_open(column: Column, ends: Iterable[float | None]) -> str:
    rows, many = column.open_rows("open"), column.count("open")
    message = f"{counted(many, 'case')} without a value {'leaves' if many == 1 else 'leave'} it open"
    return f"{message}{_range(*ends)}: {name_open(rows, column.metric)}"


def _range(low: float | None, high: float | None) -> str:
    """Return the range of a value in words; empty if it is unbounded on both sides."""
    if low == -math.inf:
        return "" if high == math.inf else f", at most {show_number(high)}"
    return (
        f", at least {show_number(low)}"
        if high == math.inf
        else f", between {show_number(low)} and {show_number(high)}"
    )


def _why_empty(column: Column) -> str:
    words = {
        "open": "with an error or an unknown value",
        "lost": "lost to the infrastructure",
        "unscored": "finished without it",
        "skipped": "skipped",
        "cached": "answered from the cache",
    }
    counts = {state: sum(reading.state == state for reading in column.readings) for state in words}
    found = ", ".join(f"{count} {words[state]}" for state, count in counts.items() if count)
    return f"no case has a value of {one_line(column.metric, 60)!r} ({found})"


def _rerun(rule: Rule, column: Column, grouped: Grouped) -> str | None:
    """Return a warning if a rerun of the same system is likely (above 2 %) to miss the bar by chance alone.

    The chance is binomial for independent rows that are right or wrong, else a normal approximation.
    """
    if rule.kind not in ("min", "max") or rule.bound is None:
        return None
    values, clusters = sample_means(grouped), column.clusters(grouped)
    value, error = mean(values), standard_error(values, clusters=clusters)
    if value is None or not error:
        return None
    sign = 1 if rule.kind == "min" else -1
    if clusters is None and all(each in (0, 1) for each in values):
        share, bar = (value, rule.bound) if rule.kind == "min" else (1 - value, 1 - rule.bound)
        chance = 1 - binomial_at_least(math.ceil((bar - SLACK) * len(values)), len(values), share)
    else:
        chance = miss_chance(sign * rule.bound, sign * value, error) or 0.0
    return f"by chance alone a rerun would miss this bar {chance:.0%} of the time" if chance > _LIKELY_MISS else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def show_number(value: float | None, digits: int = 4) -> str:
    """Return a number as it is shown in reasons: ``digits`` significant digits, ``unknown`` for None."""
    return "unknown" if value is None else f"{value:.{digits}g}"
