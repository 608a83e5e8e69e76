"""Evidence of one run against a bar with ``confident: true``, which fails only if chance does not explain the miss."""

import math
from collections.abc import Hashable, Iterator, Sequence

from pytest_llmeval.core.gate.column import Column, Grouped, State, sample_means
from pytest_llmeval.core.gate.decide import SLACK, numbers_of
from pytest_llmeval.core.gate.evidence import LEAST_CLUSTERS, Evidence, Weight
from pytest_llmeval.core.rules import COUNTED_METRICS, Rule
from pytest_llmeval.core.stats.clusters import estimated_mean, in_clusters
from pytest_llmeval.core.stats.distributions import binomial_at_least, hoeffding, student_cdf
from pytest_llmeval.core.stats.intervals import effective_n
from pytest_llmeval.core.stats.means import mean, total

__all__ = ["weigh_bar"]


def weigh_bar(rule: Rule, column: Column, *, states: tuple[State, ...]) -> Evidence | None:
    """Return the evidence of ``column`` against a confident ``min`` or ``max``; None without a value.

    Args:
        rule: ``min`` or ``max``, with its bound.
        column: readings of the rule's metric in the rule's slice.
        states: states of the readings whose value could be any.
    """
    grouped = column.grouped()
    found, shown = _weight(rule, column, grouped), numbers_of(column, grouped)
    if found is None or shown.value is None:
        return None
    clusters = column.clusters(grouped)
    ends, are_bounds = _ends(rule, column, states, shown.value) if column.count(*states) else (None, True)
    return Evidence(
        n=shown.n,
        clusters=len(set(clusters)) if clusters else None,
        value=shown.value,
        low=shown.low,
        high=shown.high,
        found=found,
        ends=ends,
        are_bounds=are_bounds,
    )


def _ends(
    rule: Rule, column: Column, states: tuple[State, ...], value: float
) -> tuple[tuple[Weight | None, ...], bool]:
    """Return the weights with the best, the worst and some further values for the missing ones.

    Also return whether they are bounds for all possible values: not if Student's t decides, unless even the worst
    values meet the bar.
    """
    worst, best = column.span if rule.kind == "min" else column.span[::-1]
    ends = tuple(_end(rule, column, fill, states) for fill in (best, worst))
    first, last = ends
    if first is None or last is None or last.shortfall <= SLACK or first.shortfall == last.shortfall:
        return ends, True
    if column.metric in COUNTED_METRICS or all(each in (0, 1) for each in column.cases()):
        is_binomial = all(_is_binomial(column, column.grouped(fill, states)) for fill in (best, worst))
        return (*ends, *(() if is_binomial else _mixed(rule, column, states, (best, worst)))), is_binomial
    share = (first.shortfall - 2 * SLACK) / (first.shortfall - last.shortfall)
    fills = [best + (worst - best) * step for step in (min(max(share, 0.0), 1.0), 0.2, 0.4, 0.6, 0.8)]
    levels = (_end(rule, column, fill, states) for fill in (*fills, value))
    return (*ends, *levels, *_mixed(rule, column, states, (best, worst))), False


def _mixed(rule: Rule, column: Column, states: tuple[State, ...], ends: tuple[float, float]) -> Iterator[Weight | None]:
    """Yield weights with some of the missing values at their worst and the others at their best.

    Yield nothing for values of unlimited range, which have no worst or best.
    """
    best, worst = ends
    if not (math.isfinite(best) and math.isfinite(worst)):
        return
    known = column.grouped()
    for filled in column.mixtures(worst, best, states):
        yield _weight(rule, column, known | filled)


def _end(rule: Rule, column: Column, fill: float, states: tuple[State, ...]) -> Weight | None:
    return _weight(rule, column, column.grouped(fill, states)) if math.isfinite(fill) else None


def _weight(rule: Rule, column: Column, grouped: Grouped) -> Weight | None:
    """Return the weight of the values, by sample, against the bar.

    The p-value is that of the exact binomial test for yes-or-no rows, else of Student's t, or if no spread can be
    estimated, Hoeffding's bound for values in [0, 1], which needs none. For dependent rows the error is at least that
    of a mean at the bar over the ``effective_n`` samples: the score test, to which ``score_interval`` corresponds.
    """
    values, clusters = sample_means(grouped), column.clusters(grouped)
    value = mean(values)
    if value is None or rule.bound is None:
        return None
    shortfall = rule.bound - value if rule.kind == "min" else value - rule.bound
    mean_ = estimated_mean(values, clusters)
    error, df = (mean_.error, mean_.df) if mean_ and mean_.error else (None, None)
    if error is not None and clusters is not None and column.span == (0.0, 1.0) and 0 <= rule.bound <= 1:
        n = effective_n(values, clusters)
        error = max(error, math.sqrt(rule.bound * (1 - rule.bound) / n)) if n else error
    p_value = None
    if 0 <= rule.bound <= 1 and _is_binomial(column, grouped):
        p_value = _binomial(rule.kind == "min", values, rule.bound)
    elif error is not None and df is not None and (clusters is None or len(set(clusters)) >= LEAST_CLUSTERS):
        p_value = student_cdf(-shortfall / error, df)
    elif column.span == (0.0, 1.0) and 0 <= rule.bound <= 1:
        p_value = _without_spread(shortfall, values, clusters)
    return Weight(shortfall=shortfall, p_value=p_value, error=error, df=df)


def _is_binomial(column: Column, grouped: Grouped) -> bool:
    """Return whether all values are 0 or 1, and independent."""
    return column.clusters(grouped) is None and all(each in (0, 1) for each in sample_means(grouped))


def _without_spread(shortfall: float, values: Sequence[float], clusters: Sequence[Hashable] | None) -> float | None:
    """Return the greatest possible p-value if the spread is unknown; None for fewer than 5 groups of dependent rows.

    It relies only on rows, or the means of groups of dependent rows, lying between 0 and 1.
    """
    if clusters is None:
        return hoeffding(shortfall, [1 / len(values)] * len(values))
    groups = in_clusters(values, clusters)
    if len(groups) < LEAST_CLUSTERS:
        return None
    return hoeffding(shortfall, [len(group) / len(values) for group in groups])


def _binomial(is_floor: bool, values: Sequence[float], bound: float) -> float:
    """Return the probability of so many misses (or hits, under a ceiling) if the true share is ``bound``."""
    hits = round(total(values))
    if is_floor:
        return binomial_at_least(len(values) - hits, len(values), 1 - bound)
    return binomial_at_least(hits, len(values), bound)
