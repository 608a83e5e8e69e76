"""Two runs side by side: the rows of one suite that both of them have, with what each says of one metric.

Rows pair by id and by the digest of their input and target. A row that is new, or that changed, is counted and left
out: it says nothing of what the change under test did.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pytest_llmeval.core.gate_case import JudgedCase
from pytest_llmeval.core.gate_column import read_column
from pytest_llmeval.core.intervals import mean
from pytest_llmeval.core.rules import MEASURED_METRICS

__all__ = ["LEAST_PAIRED", "Pair", "PairedColumn", "pair_up"]

LEAST_PAIRED = 0.9
"""Share of the baseline's rows that must pair, so that what is compared is still the same dataset."""


class Pair(NamedTuple):
    """One row of both runs; a tuple, as one is made for each row and metric."""

    sample_id: str
    slices: tuple[str, ...]
    """Those of the current run."""
    cluster: str | None
    before: float | None
    """The mean over the baseline's scored epochs; None where it has none."""
    after: float | None
    """The mean over the current run's scored epochs; None where it has none."""
    scored: int
    """Epochs behind ``after``."""
    open: int
    """Epochs of the current run whose value could be any."""
    lost: int
    """Epochs of the current run that the infrastructure lost."""
    is_single: bool
    """Whether each side is one epoch at most."""

    @property
    def is_whole(self) -> bool:
        """Whether both sides have a value."""
        return self.before is not None and self.after is not None

    def filled(self, fill: float, *, with_lost: bool) -> float | None:
        """Return the mean of the current run with ``fill`` for what is open, and for what is lost where asked."""
        missing = self.open + (self.lost if with_lost else 0)
        if not missing:
            return self.after
        return ((self.after or 0.0) * self.scored + fill * missing) / (self.scored + missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedColumn:
    """All pairs of one metric, of one suite and model or of a slice, with what did not pair."""

    metric: str
    pairs: tuple[Pair, ...]
    unpaired: tuple[tuple[str, ...], ...] = ()
    """The slices of each row of the baseline that changed."""
    absent: tuple[tuple[str, ...], ...] = ()
    """The slices of each row of the baseline that is not in the current run."""
    new: int = 0
    """Rows of the current run that the baseline does not have, changed ones included."""
    changed: Mapping[str, int] = field(default_factory=dict)
    """Paired rows whose ``judge`` or ``scorer`` is another one."""
    is_unit: bool = True
    """Whether every value of both sides lies in [0, 1]."""

    def part(self, name: str | None) -> "PairedColumn":
        """Return the pairs of the slice ``name``; all of them where it is None."""
        if name is None:
            return self
        return replace(
            self,
            pairs=tuple(pair for pair in self.pairs if name in pair.slices),
            unpaired=tuple(slices for slices in self.unpaired if name in slices),
            absent=tuple(slices for slices in self.absent if name in slices),
            new=0,
        )

    def parts(self) -> "dict[str, PairedColumn]":
        """Return the pairs of every slice, by its name, in one pass over them."""
        found: dict[str, list[Pair]] = {}
        for pair in self.pairs:
            for name in pair.slices:
                found.setdefault(name, []).append(pair)
        return {name: replace(replace(self, pairs=()).part(name), pairs=tuple(pairs)) for name, pairs in found.items()}

    def wanted(self, deselected: int) -> int:
        """Return how many rows of the baseline should have paired; ``deselected`` rows were left out by ``-m``."""
        return len(self.pairs) + len(self.unpaired) + max(0, len(self.absent) - deselected)

    @property
    def unscored_before(self) -> int:
        """Rows that the baseline did not score."""
        return sum(pair.before is None for pair in self.pairs)

    @property
    def missing(self) -> int:
        """Rows that the baseline scored and the current run left without a value, those that are open apart."""
        return sum(pair.before is not None and pair.after is None and not pair.open for pair in self.pairs)

    @property
    def open_ids(self) -> list[str]:
        """Sample ids of the rows that the baseline scored and of which a value is open, sorted."""
        return sorted(pair.sample_id for pair in self.pairs if pair.before is not None and pair.open)


_Makers = Mapping[str, str | None]
"""What identifies the scorers, or the judges, behind a value, by score."""


@dataclass(slots=True)
class _Row:
    """One row of one run while its epochs are read."""

    digest: str | None
    slices: tuple[str, ...]
    cluster: str | None
    scorers: _Makers
    judges: _Makers
    values: list[float] = field(default_factory=list)
    open: int = 0
    lost: int = 0


def pair_up(metric: str, current: Sequence[JudgedCase], before: Sequence[JudgedCase]) -> PairedColumn:
    """Return the pairs of ``metric`` between two runs of one suite and one model each."""
    base, rows = _rows(metric, before), _rows(metric, current)
    changed: dict[str, int] = {}
    pairs, unpaired = [], []
    for sample_id, row in rows.items():
        was = base.get(sample_id)
        if was is None:
            continue
        if was.digest != row.digest:
            unpaired.append(was.slices)
            continue
        for what in _changes(was, row):
            changed[what] = changed.get(what, 0) + 1
        pairs.append(_pair(sample_id, was, row))
    return PairedColumn(
        metric=metric,
        pairs=tuple(pairs),
        unpaired=tuple(unpaired),
        absent=tuple(row.slices for sample_id, row in base.items() if sample_id not in rows),
        new=len(rows) - len(pairs),
        changed=changed,
        is_unit=metric not in MEASURED_METRICS and all(_is_unit(pair) for pair in pairs),
    )


def _rows(metric: str, cases: Sequence[JudgedCase]) -> dict[str, _Row]:
    rows: dict[str, _Row] = {}
    column = read_column(metric, cases)
    for case, reading in zip(cases, column.readings, strict=True):
        row = rows.get(case.sample_id)
        if row is None:
            row = rows[case.sample_id] = _Row(case.input_digest, case.slices, case.cluster, {}, {})
        if reading.value is not None:
            row.values.append(reading.value)
            row.scorers, row.judges = _made_by(metric, case)
        elif reading.state == "open":
            row.open += 1
        elif reading.state == "lost":
            row.lost += 1
    return rows


def _made_by(metric: str, case: JudgedCase) -> tuple[_Makers, _Makers]:
    """Return who made a value; the outcome is made by all scorers of a case."""
    if metric == "pass_rate":
        return case.digests, case.judge_ids
    return {metric: case.digests.get(metric)}, {metric: case.judge_ids.get(metric)}


def _changes(was: _Row, row: _Row) -> Iterator[str]:
    """Yield ``judge`` or ``scorer`` where another one made the value; a judge's change explains its scorer's."""
    if not was.values or not row.values:
        return
    if _differ(was.judges, row.judges):
        yield "judge"
    elif _differ(was.scorers, row.scorers):
        yield "scorer"


def _differ(was: _Makers, now: _Makers) -> bool:
    """Return whether a score of both was made otherwise; one that only one of them came to is no difference."""
    return was is not now and any(was[name] != now[name] for name in was.keys() & now.keys())


def _pair(sample_id: str, was: _Row, row: _Row) -> Pair:
    return Pair(
        sample_id=sample_id,
        slices=row.slices,
        cluster=row.cluster,
        before=_mean(was.values),
        after=_mean(row.values),
        scored=len(row.values),
        open=row.open,
        lost=row.lost,
        is_single=len(was.values) <= 1 and len(row.values) + row.open + row.lost <= 1,
    )


def _mean(values: Sequence[float]) -> float | None:
    return values[0] if len(values) == 1 else mean(values)


def _is_unit(pair: Pair) -> bool:
    return _in_unit((pair.before, pair.after))


def _in_unit(values: Iterable[float | None]) -> bool:
    return all(value is None or 0 <= value <= 1 for value in values)
