"""One metric read from many cases.

A :class:`Reading` is a case's value of the metric, or the reason why it has none. All readings of one metric form a
:class:`Column`; averages are taken only over columns.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol, TypeVar

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.gate.case import LOST_KINDS, JudgedCase, broke_behind_answer
from pytest_llmeval.core.gate.fills import at_worst
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.rules import COUNTED_METRICS, MEASURED_METRICS
from pytest_llmeval.core.stats.clusters import named_clusters
from pytest_llmeval.core.stats.means import mean

__all__ = [
    "Column",
    "Grouped",
    "OpenRows",
    "Reading",
    "State",
    "by_slice",
    "read",
    "read_column",
    "sample_means",
    "span_of",
]

State = Literal["scored", "open", "lost", "unscored", "no_judge", "skipped", "cached"]
"""Whether a case has a value of a metric, and if not, why.

``scored``: it has a value. ``open``: the value is unknown and could be any, since a bad answer may be behind an error.
``lost``: an infrastructure error. ``unscored``: the case finished without this score. ``no_judge``: there is no judge.
``skipped``: the case was skipped. ``cached``: a latency that is not this run's, or a cost that cannot be compared with
the other run's (``costs``).
"""


class _HasSlices(Protocol):
    @property
    def slices(self) -> tuple[str, ...]: ...


_Sliced = TypeVar("_Sliced", bound=_HasSlices)

Grouped = dict[tuple[str, int], list[float]]
"""Values by unit, see ``Reading.unit``."""


class Reading(NamedTuple):
    """One case's value of one metric. A tuple, because there is one per case and metric, and dataclasses are slow."""

    sample_id: str
    unit: tuple[str, int]
    """Unit that is averaged first: the sample (id and 0), or for ``error_rate`` the case (id and epoch)."""
    state: State
    value: float | None = None
    """Finite; None unless ``state`` is ``scored``."""
    hit: bool | None = None
    """Whether the value is good enough: the score passed, or is 1 if it has no pass mark; None without a value."""
    slices: tuple[str, ...] = ()
    is_error: bool = False
    """Whether the case ended in an error; it may have a value nevertheless."""
    cluster: str | None = None
    """Name of a group of dependent rows, shared by its rows; None for a row that is independent of all others."""
    is_answered: bool = False
    """Whether the user's own code raised after an answer had come, so that the answer can be scored again."""


class OpenRows(NamedTuple):
    """Rows whose value is open."""

    ids: list[str]
    """Their sample ids, sorted, each once."""
    asked_again: bool
    """Whether asking again may give one of them its value."""
    scored_again: bool
    """Whether one of them has an answer that can be scored once the user's code is fixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """All readings of one metric over the cases of one suite and model, or of one slice of them."""

    metric: str
    readings: tuple[Reading, ...]
    span: tuple[float, float]
    """Least and greatest possible value of a missing reading; may be infinite."""

    @property
    def errors(self) -> int:
        """Number of cases that ended in an error, whether or not they have a value."""
        return sum(reading.is_error for reading in self.readings)

    def parts(self) -> "dict[str, Column]":
        """Return a column for every slice, by its name, in one pass over the readings."""
        return {name: replace(self, readings=readings) for name, readings in by_slice(self.readings).items()}

    def count(self, *states: State) -> int:
        """Return the number of cases in one of ``states``."""
        return sum(reading.state in states for reading in self.readings)

    def ids(self, *states: State) -> list[str]:
        """Return the sample ids of the cases in one of ``states``, sorted, each once."""
        return sorted({reading.sample_id for reading in self.readings if reading.state in states})

    def open_rows(self, *states: State) -> OpenRows:
        """Return the rows of the cases in one of ``states``."""
        answered = {reading.is_answered for reading in self.readings if reading.state in states}
        return OpenRows(self.ids(*states), False in answered, True in answered)

    def cases(self) -> list[float]:
        """Return the value of each scored case."""
        return [reading.value for reading in self.readings if reading.value is not None]

    def grouped(self, fill: float | None = None, states: Collection[State] = ()) -> Grouped:
        """Return the values by unit, with ``fill`` for cases in ``states``; others without a value are left out."""
        grouped: Grouped = {}
        for reading in self.readings:
            value = fill if reading.state in states else reading.value
            if value is not None:
                grouped.setdefault(reading.unit, []).append(value)
        return grouped

    def mixtures(self, worst: float, best: float, states: Collection[State]) -> Iterator[Grouped]:
        """Yield ways to fill in the cases in ``states``: some with ``worst``, the others with ``best``.

        Only units with such a case are yielded, as there may be 100,000 others. Dependent rows are filled by whole
        clusters, in the order of their known means: ``worst`` goes to the lowest clusters, then to the highest ones.
        That makes clusters differ as much, and as little, as they can.
        """
        missing = [reading.unit for reading in self.readings if reading.state in states]
        known, groups = self.grouped(), list[str]()
        units = [*dict.fromkeys([*known, *missing])]
        if clusters := self.clusters(units):
            of = dict(zip(units, clusters, strict=True))
            levels = {
                name: mean([value for unit in found for value in known[unit]]) or 0.0
                for name, found in grouped(known, of.__getitem__).items()
            }
            missing.sort(key=lambda unit: (levels.get(of[unit], 0.0), of[unit]))
            groups = [of[unit] for unit in missing]
        for lost in at_worst(range(len(missing)), groups):
            filled = {unit: [*known.get(unit, ())] for unit in missing}
            for place, unit in enumerate(missing):
                filled[unit].append(worst if place in lost else best)
            yield filled

    def clusters(self, units: Iterable[tuple[str, int]]) -> list[str] | None:
        """Return the cluster of each unit, a unit without one being its own; None if no unit has a cluster.

        Several units of one sample, as for ``error_rate``, form a cluster unless their row is in another one.
        """
        held = list(units)
        known = {reading.unit: f"={reading.cluster}" for reading in self.readings if reading.cluster is not None}
        times = Counter(sample_id for sample_id, _ in held)
        own = {unit: f"#{unit[0]}" for unit in held if times[unit[0]] > 1}
        return named_clusters(map((own | known).get, held))


def by_slice(items: Iterable[_Sliced]) -> dict[str, tuple[_Sliced, ...]]:
    """Return the items of each slice, in their given order, in one pass."""
    found: dict[str, list[_Sliced]] = {}
    for item in items:
        for name in item.slices:
            found.setdefault(name, []).append(item)
    return {name: tuple(chosen) for name, chosen in found.items()}


def span_of(metric: str, seen: Iterable[float]) -> tuple[float, float]:
    """Return the range of a missing value: [0, 1] for shares and for scores whose ``seen`` values all lie there."""
    if metric in MEASURED_METRICS:
        return 0.0, math.inf
    return (0.0, 1.0) if all(0 <= value <= 1 for value in seen) else (-math.inf, math.inf)


def sample_means(grouped: Grouped) -> list[float]:
    """Return the mean of each unit that has a value."""
    return [average for values in grouped.values() if (average := mean(values)) is not None]


def read_column(metric: str, cases: Iterable[JudgedCase]) -> Column:
    """Return the readings of ``metric`` from ``cases`` of one suite and model."""
    readings = tuple(read(metric, case) for case in cases)
    span = span_of(metric, (reading.value for reading in readings if reading.value is not None))
    return Column(metric=metric, readings=readings, span=span)


def read(metric: str, case: JudgedCase) -> Reading:
    """Return the reading of ``metric`` from one case."""
    value = None if case.outcome == "skipped" else _value(metric, case)
    return Reading(
        sample_id=case.sample_id,
        unit=(case.sample_id, case.epoch if metric == "error_rate" else 0),
        state=_missing(metric, case) if value is None else "scored",
        value=value,
        hit=None if value is None else _hit(metric, case, value),
        slices=case.slices,
        is_error=case.outcome == "error",
        cluster=case.cluster,
        is_answered=broke_behind_answer(case.error_kind, case.latency_s),
    )


def _value(metric: str, case: JudgedCase) -> float | None:
    """Return the metric's value in one case; a score recorded before the case broke off counts."""
    if metric == "error_rate":
        return float(case.outcome == "error")
    if metric == "pass_rate":
        return None if case.outcome == "error" else float(case.outcome == "passed")
    if metric in MEASURED_METRICS:
        return _measured(metric, case)
    return case.scores.get(metric)


def _measured(metric: str, case: JudgedCase) -> float | None:
    """Return a measured value of the calls; time and tokens of calls lost to the infrastructure do not count."""
    if metric == "latency_s" and case.cached:
        return None
    if metric != "cost_usd" and case.outcome == "error" and case.error_kind in LOST_KINDS:
        return None
    found: float | None = getattr(case, metric)
    return found


def _missing(metric: str, case: JudgedCase) -> State:
    """Return the state of a case without a value."""
    if case.outcome == "skipped":
        return "skipped"
    if metric in MEASURED_METRICS:
        return _missing_measure(metric, case)
    status = case.statuses.get(metric)
    if status in ("none", "error"):
        return "no_judge" if status == "none" else "open"
    if case.outcome != "error":
        return "unscored"
    return "lost" if case.error_kind in LOST_KINDS else "open"


def _missing_measure(metric: str, case: JudgedCase) -> State:
    """Return the state of a case without a measured value of its calls.

    A failed call reports no tokens and is mostly not billed, so it is lost. The latency of a timeout is open: it was
    long, but how long is unknown. An answer without a number is open too: it has one that is not known.
    """
    if metric == "latency_s" and case.cached:
        return "cached"
    if case.outcome == "error" and not (metric == "latency_s" and case.error_kind == ErrorKind.TIMEOUT):
        return "lost"
    return "open"


def _hit(metric: str, case: JudgedCase, value: float) -> bool:
    verdict = None if metric in COUNTED_METRICS else case.passed.get(metric)
    return value >= 1 if verdict is None else verdict
