"""How much the values of one metric vary: from row to row, and from one answer of a row to the next.

What a comparison of two runs can see hangs on the second: where nothing changed, what a row is by itself cancels. It is
measured where rows were answered more than once, in several epochs or in two runs, and assumed where they were not.
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
"""Of the rows' values in two runs of one epoch, where nothing tells: the low end of the 0.3 to 0.7 that E. Miller,
"Adding Error Bars to Evals", arXiv 2411.00640, reports of pairs of models; the lower it is, the more rows it takes."""
_FEW_ROWS = 30
"""A slice of fewer rows does not tell how much their answers vary."""

Source = Literal["epochs", "two runs", "assumed"]


class RowValues(NamedTuple):
    """What one row of one run says of a metric; a tuple, as one is made for each row and metric."""

    values: tuple[float, ...]
    """Of its scored epochs, at least one."""
    slices: tuple[str, ...]
    cluster: str | None
    digest: str | None
    is_cached: bool
    """Whether an answer came from the cache, so that another run may hold the same one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How the values of a metric vary in one suite and model, or in a slice of it."""

    n: int
    """Rows with a value, from 1."""
    mean: float
    sd: float | None
    """Standard deviation of the rows' values, each the mean over its epochs; None for one row."""
    epochs: float
    """Answers behind the value of a row, from 1: the harmonic mean over the rows."""
    between: float
    """Variance of what the rows come to in the long run, at least 0."""
    within: float
    """Variance of one answer around what its row comes to in the long run, at least 0."""
    is_unit: bool
    """Whether it is a share or a score of which no value lies outside [0, 1]."""
    is_binary: bool
    """Whether each answer gives 0 or 1."""
    groups: int | None
    """Groups of dependent rows, a row without a cluster being one; None where no row has a cluster."""
    worth: int | None
    """How many groups of one size those are worth (``equal_clusters``), at most ``groups``; None where that is."""
    design: float
    """How many times as many rows it takes because they come in groups, at least 1: the design effect SE²(by groups) /
    SE² of L. Kish, "Survey Sampling" (1965), section 5.4."""
    source: Source
    """What ``within`` stands on."""

    @property
    def correlation(self) -> float | None:
        """Of the rows' values between two runs of one epoch, in [0, 1]; None where all values are equal."""
        whole = self.between + self.within
        return self.between / whole if whole else None


def read_rows(
    metric: str, cases: Sequence[JudgedCase], other: Sequence[JudgedCase] = ()
) -> tuple[dict[str, RowValues], dict[str, RowValues]]:
    """Return the rows of two runs of one suite and model that have a value of ``metric``, as it is compared, by id."""
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
    """Return how ``metric`` varies over ``rows``; None where no row has a value.

    The variance of an answer around its row is, in this order: pooled over the rows where half of them or more have
    several epochs, in both runs; Var(difference) / mean(1/K + 1/K') where half of them or more stand in both runs,
    answered K and K' times, with the same input and not from the cache; 1 − correlation of the whole variance.

    Args:
        metric: its name.
        rows: of the run that is looked at.
        other: of another run of the same suite and model; it may be empty.
        correlation: what is assumed where nothing tells, in [0, 1].
        within: the spread of the whole suite, whose variance of an answer and groups' effect are taken; for a slice
            that is too small to tell its own.
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
    """Return how ``metric`` varies in the slice ``part`` of a suite and model, or in all of it where that is None.

    A slice of fewer than 30 rows takes over from the whole suite how much answers vary. None where no row has a value.
    """
    if part is None:
        return _spread_of(metric, rows, other, correlation=correlation)
    own = {sample_id: row for sample_id, row in rows.items() if part in row.slices}
    whole = _spread_of(metric, rows, other, correlation=correlation) if len(own) < _FEW_ROWS else None
    theirs = {sample_id: row for sample_id, row in other.items() if part in row.slices or sample_id in own}
    return _spread_of(metric, own, theirs, correlation=correlation, within=whole)


class _Twice(NamedTuple):
    """A row that was answered twice, each time so many times."""

    sample_id: str
    change: float
    share: float
    """1/K + 1/K' for K and K' answers."""


def _within(
    rows: Mapping[str, RowValues],
    other: Mapping[str, RowValues],
    twice: Sequence[_Twice],
    assumed: tuple[float, float, float],
) -> tuple[Source, float]:
    """Return the variance of one answer around its row, and what it stands on."""
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
    """Yield the change of each row from one answer to the next: of its first two epochs, else between the runs."""
    for sample_id, row in rows.items():
        was = other.get(sample_id)
        if len(row.values) > 1:
            yield _Twice(sample_id, row.values[1] - row.values[0], 2.0)
        elif was is not None and was.digest == row.digest and not (row.is_cached or was.is_cached):
            yield _Twice(sample_id, _average(row) - _average(was), 1 / len(row.values) + 1 / len(was.values))


def _design(rows: Mapping[str, RowValues], twice: Sequence[_Twice] | None) -> float:
    """Return the design effect of the groups on what changed; on the values themselves where nothing is known of that.

    The latter is too much where rows of one group are alike, which cancels between two runs.
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
    """Return the sample variance; None for fewer than two values, and where it overflows."""
    found = _squares(values) / (len(values) - 1) if len(values) > 1 else math.inf
    return found if math.isfinite(found) else None


def _squares(values: Sequence[float]) -> float:
    """Return the sum of squared distances from the mean; infinite where that is too large for a float."""
    centre = mean(values) or 0.0
    return total([(value - centre) * (value - centre) for value in values])
