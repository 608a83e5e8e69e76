"""Variance components of a metric: between rows, and within a row from one answer to the next.

What a comparison of two runs can detect depends on the variance within rows, because differences between rows cancel.
It is measured if rows were answered more than once, in several epochs or in two runs, and otherwise assumed.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pytest_llmeval.core.gate.case import JudgedCase, in_order
from pytest_llmeval.core.gate.costs import compared_by_model, read_compared
from pytest_llmeval.core.rules import MEASURED_METRICS
from pytest_llmeval.core.stats.clusters import clustered_mean, equal_clusters, named_clusters
from pytest_llmeval.core.stats.means import mean, total

__all__ = ["ASSUMED_CORRELATION", "RowValues", "Source", "Spread", "part_spread", "read_rows"]

ASSUMED_CORRELATION = 0.33
"""Correlation between the rows' values in two runs of one epoch, if it cannot be measured: the low end of the 0.3 to
0.7 that E. Miller, "Adding Error Bars to Evals", arXiv 2411.00640, reports for pairs of models. A lower correlation
needs more rows."""
_FEW_ROWS = 30
"""Number of rows below which a slice takes the variance within rows from the whole suite."""

Source = Literal["epochs", "two runs", "assumed"]


class RowValues(NamedTuple):
    """One row's values of a metric in one run. A tuple, because there is one per row and metric."""

    values: tuple[float, ...]
    """Values of the scored epochs, at least one."""
    slices: tuple[str, ...]
    cluster: str | None
    digest: str | None
    is_cached: bool
    """Whether an answer came from the cache, so that another run may have the same one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The mean and the variance components of a metric in one suite and model, or in a slice of it."""

    n: int
    """Number of rows with a value, at least 1."""
    mean: float
    sd: float | None
    """Standard deviation of the rows' values, each the mean over its epochs; None for one row."""
    epochs: float
    """Harmonic mean, over the rows, of the number of answers behind a row's value; at least 1."""
    between: float
    """Variance of the rows' long-run means, at least 0."""
    within: float
    """Variance of one answer around its row's long-run mean, at least 0."""
    is_unit: bool
    """Whether the metric is a share or a score, with all values in [0, 1]."""
    is_binary: bool
    """Whether each answer has the value 0 or 1."""
    groups: int | None
    """Number of groups of dependent rows, counting each row without a cluster; None if no row has a cluster."""
    worth: int | None
    """Number of equal-sized groups that ``groups`` are worth (``equal_clusters``), at most ``groups``; None if that is
    None."""
    design: float
    """Factor by which dependence within groups raises the number of rows needed, at least 1: the design effect
    SE²(by groups) / SE² of L. Kish, "Survey Sampling" (1965), section 5.4."""
    source: Source
    """Source of the estimate ``within``."""

    @property
    def correlation(self) -> float | None:
        """Correlation of the rows' values between two runs of one epoch, in [0, 1]; None if all values are equal."""
        whole = self.between + self.within
        return self.between / whole if whole else None


def read_rows(
    metric: str, cases: Sequence[JudgedCase], other: Sequence[JudgedCase] = ()
) -> tuple[dict[str, RowValues], dict[str, RowValues]]:
    """Return by id the rows with a value of ``metric``, for each of two runs of one suite and model.

    Values are taken as the gate compares them (``read_compared``).
    """
    by_model = compared_by_model(metric, cases, other)
    return _rows(metric, cases, by_model), _rows(metric, other, by_model)


def _rows(metric: str, cases: Iterable[JudgedCase], by_model: Mapping[str, bool]) -> dict[str, RowValues]:
    rows: dict[str, RowValues] = {}
    for case in in_order(cases):
        reading = read_compared(metric, case, by_model)
        if reading.value is None:
            continue
        found = rows.get(case.sample_id)
        before = found.values if found else ()
        rows[case.sample_id] = RowValues(
            values=(*before, reading.value),
            slices=case.slices,
            cluster=case.cluster,
            digest=case.input_digest,
            is_cached=case.cached or (found is not None and found.is_cached),
        )
    return rows


def _spread_of(
    metric: str,
    rows: Mapping[str, RowValues],
    other: Mapping[str, RowValues],
    *,
    correlation: float,
    within: Spread | None = None,
) -> Spread | None:
    """Return the spread of ``metric`` over ``rows``; None if no row has a value.

    The variance within rows is the first of these that applies: the pooled variance over the rows of both runs with
    several epochs, if at least half of ``rows`` have several; Var(difference) / mean(1/K + 1/K'), if at least half of
    them are in both runs, answered K and K' times, with the same input and not from the cache; 1 − ``correlation`` of
    the whole variance.

    Args:
        metric: name of the metric.
        rows: rows of the run in question.
        other: rows of another run of the same suite and model; may be empty.
        correlation: correlation to assume if none can be measured, in [0, 1].
        within: spread of the whole suite from which a slice that is too small takes the variance within rows and the
            design effect.
    """
    values = [_average(row) for row in rows.values()]
    centre = mean(values)
    if centre is None:
        return None
    epochs = len(rows) / sum(1 / len(row.values) for row in rows.values())
    variance = _variance(values)
    twice = list(_twice(rows, other))
    source, noise = _within(rows, other, twice, (variance or 0.0, epochs, correlation))
    design = _design(rows, twice if source != "assumed" else None)
    groups = named_clusters(row.cluster for row in rows.values())
    if within is not None:
        source, noise, design = within.source, within.within, within.design if groups else 1.0
    answers = [value for row in rows.values() for value in row.values]
    return Spread(
        n=len(rows),
        mean=centre,
        sd=None if variance is None else math.sqrt(variance),
        epochs=epochs,
        between=max(0.0, (variance or 0.0) - noise / epochs),
        within=noise,
        is_unit=metric not in MEASURED_METRICS and all(0 <= value <= 1 for value in answers),
        is_binary=metric not in MEASURED_METRICS and all(value in (0, 1) for value in answers),
        groups=len(set(groups)) if groups else None,
        worth=equal_clusters(Counter(groups).values()) if groups else None,
        design=design,
        source=source,
    )


def part_spread(
    metric: str,
    rows: Mapping[str, RowValues],
    other: Mapping[str, RowValues],
    part: str | None,
    *,
    correlation: float = ASSUMED_CORRELATION,
) -> Spread | None:
    """Return the spread of ``metric`` in the slice ``part`` of a suite and model, or in the whole suite for None.

    A slice of fewer than 30 rows takes the variance within rows from the whole suite. None if no row has a value.
    """
    if part is None:
        return _spread_of(metric, rows, other, correlation=correlation)
    own = {sample_id: row for sample_id, row in rows.items() if part in row.slices}
    whole = _spread_of(metric, rows, other, correlation=correlation) if len(own) < _FEW_ROWS else None
    theirs = {sample_id: row for sample_id, row in other.items() if part in row.slices or sample_id in own}
    return _spread_of(metric, own, theirs, correlation=correlation, within=whole)


class _Twice(NamedTuple):
    """A row that was answered at least twice, and the change from the first to the second value."""

    sample_id: str
    change: float
    share: float
    """1/K + 1/K', where the two values are means of K and K' answers."""


def _within(
    rows: Mapping[str, RowValues],
    other: Mapping[str, RowValues],
    twice: Sequence[_Twice],
    assumed: tuple[float, float, float],
) -> tuple[Source, float]:
    """Return the variance of one answer around its row's mean, after the source of the estimate."""
    repeated = [row.values for row in rows.values() if len(row.values) > 1]
    if 2 * len(repeated) >= len(rows):
        repeated += [row.values for row in other.values() if len(row.values) > 1]
        freedom = sum(len(values) - 1 for values in repeated)
        return "epochs", total([_squares(values) for values in repeated]) / freedom
    spread = _variance([each.change for each in twice])
    if spread is not None and 2 * len(twice) >= len(rows):
        return "two runs", spread / (total([each.share for each in twice]) / len(twice))
    variance, epochs, correlation = assumed
    return "assumed", (1 - correlation) * variance / (correlation + (1 - correlation) / epochs)


def _twice(rows: Mapping[str, RowValues], other: Mapping[str, RowValues]) -> Iterator[_Twice]:
    """Yield the change of each row between two answers: its first two epochs, else the two runs."""
    for sample_id, row in rows.items():
        was = other.get(sample_id)
        if len(row.values) > 1:
            yield _Twice(sample_id, row.values[1] - row.values[0], 2.0)
        elif was is not None and was.digest == row.digest and not (row.is_cached or was.is_cached):
            yield _Twice(sample_id, _average(row) - _average(was), 1 / len(row.values) + 1 / len(was.values))


def _design(rows: Mapping[str, RowValues], twice: Sequence[_Twice] | None) -> float:
    """Return the design effect of the groups on the changes, or if there are none, on the values themselves.

    The latter overestimates it if the rows of a group are alike, because that cancels between two runs.
    """
    names = named_clusters(row.cluster for row in rows.values())
    if names is None:
        return 1.0
    groups = dict(zip(rows, names, strict=True))
    changes, clusters = [_average(row) for row in rows.values()], list(groups.values())
    if twice is not None:
        changes, clusters = [each.change for each in twice], [groups[each.sample_id] for each in twice]
    found, variance = clustered_mean(changes, clusters), _variance(changes)
    return max(1.0, found.error**2 * len(changes) / variance) if found and variance else 1.0


def _average(row: RowValues) -> float:
    average = mean(row.values)
    assert average is not None
    return average


def _variance(values: Sequence[float]) -> float | None:
    """Return the sample variance; None for fewer than two values, or if it overflows."""
    found = _squares(values) / (len(values) - 1) if len(values) > 1 else math.inf
    return found if math.isfinite(found) else None


def _squares(values: Sequence[float]) -> float:
    """Return the sum of squared deviations from the mean; infinite if it is too large for a float."""
    centre = mean(values) or 0.0
    return total([(value - centre) * (value - centre) for value in values])
