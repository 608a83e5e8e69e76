"""Pairs of rows: the values of one metric in two runs, for the rows of a suite that both runs have.

Rows pair by id and by the digest of their input and target. New and changed rows are counted but left out of the
comparison, since they say nothing about the effect of the change under test.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.column import OpenRows, State, by_slice, span_of
from pytest_llmeval.core.gate.costs import compared_by_model, read_compared
from pytest_llmeval.core.gate.flips import flip_of
from pytest_llmeval.core.stats.means import mean

__all__ = ["Pair", "PairedColumn", "pair_up"]

_USUAL = 0.9
"""Share of a run's finished cases that must have a score for it to count as one that the test always records.

A scorer that a test always calls is missing only from the few cases that end early. One that is called under a
condition, such as ``if "```" in answer``, depends on the answers and is missing from most cases.
"""


class Pair(NamedTuple):
    """One row of both runs. A tuple, because there is one per row and metric."""

    sample_id: str
    slices: tuple[str, ...]
    """Slices of the row in the current run."""
    cluster: str | None
    before: float | None
    """Mean over the baseline's scored epochs; None if there are none."""
    after: float | None
    """Mean over the current run's scored epochs; None if there are none."""
    scored_before: int
    """Number of epochs behind ``before``."""
    scored: int
    """Number of epochs behind ``after``."""
    open: int
    """Number of the current run's epochs whose value is open."""
    answered: int
    """Number of open epochs in which the user's own code raised after an answer had come."""
    lost: int
    """Number of the current run's epochs that were lost to the infrastructure."""
    skipped: int
    """Number of the current run's epochs that were skipped or had no judge."""
    unscored: int
    """Number of the current run's epochs that finished without this score."""
    is_single: bool
    """Whether each run has at most one epoch of the row."""
    is_cached: bool
    """Whether a value is missing only because a run's answers come from the cache."""
    is_unknown: bool
    """Whether a run has no value because it is open or lost."""
    by_model: bool
    """Whether the values are costs of the model alone, because verdicts of a judge came from the cache."""
    was_lost: bool
    """Whether the baseline has no value because of an error, so that it has the row in name only."""

    @property
    def change(self) -> float | None:
        """``after`` minus ``before``; None if either is missing."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def flip(self) -> int:
        """``flip_of`` the row's outcome: -1 if it got worse, 1 if it got better, else 0, also without both values."""
        if self.before is None or self.after is None:
            return 0
        return flip_of(self.before, self.scored_before, self.after, self.scored)

    @property
    def is_whole(self) -> bool:
        """Whether both runs have a value."""
        return self.before is not None and self.after is not None

    @property
    def has_no_value(self) -> bool:
        """Whether the baseline has a value but the current run has neither a value nor an open one."""
        return self.before is not None and self.after is None and not self.open

    @property
    def is_missing(self) -> bool:
        """``has_no_value`` because the row was skipped or lost; not because a cached answer has no latency or cost."""
        return self.has_no_value and bool(self.skipped or self.lost)

    @property
    def is_unscored(self) -> bool:
        """``has_no_value`` only because the row's cases finished without this score."""
        return self.has_no_value and not self.is_missing and self.unscored > 0

    def filled(self, fill: float, *, with_lost: bool) -> float | None:
        """Return the current run's mean with ``fill`` for open epochs, and for lost ones too if ``with_lost``."""
        missing = self.open + (self.lost if with_lost else 0)
        if not missing:
            return self.after
        return ((self.after or 0.0) * self.scored + fill * missing) / (self.scored + missing)


_Slices = tuple[tuple[str, ...], ...]
"""One tuple of slice names for each of some rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedColumn:
    """All pairs of one metric in a suite and model, or in a slice of it, with the rows that did not pair.

    Rows that matter only by their number are given by their slices, so that a slice can be cut out of the column.
    """

    metric: str
    pairs: tuple[Pair, ...]
    span: tuple[float, float]
    """Least and greatest possible value of a missing reading; may be infinite."""
    added: _Slices = ()
    """Rows that only the current run has."""
    altered: _Slices = ()
    """Rows whose input or target has changed, with the baseline's slices."""
    absent: _Slices = ()
    """Rows that only the baseline has."""
    renamed: _Slices = ()
    """Absent rows whose input and target are those of an added row, which has another id."""
    absent_in_suite: int = 0
    """Number of absent rows in the whole suite."""
    remade: Mapping[str, _Slices] = field(default_factory=dict)
    """Paired rows with a value from another ``judge`` or another ``scorer`` than the baseline's, by that key."""
    lone_scores: tuple[str, ...] = ()
    """For ``pass_rate``, the sorted names of the scores that decide outcomes in only one of the runs."""
    by_lone: _Slices = ()
    """Rows that are ``remade`` by another ``scorer`` only because of ``lone_scores``."""
    is_usual: bool = False
    """Whether nearly all finished rows of the baseline have the score, so that a row without it has lost it. Only
    determined if there is such a row."""
    usual_slices: frozenset[str] = frozenset()
    """Slices for which ``is_usual`` holds."""
    left: int = 0
    """Number of the baseline's rows in this slice that pair but have left the slice; 0 for the whole suite."""
    left_slices: Mapping[str, int] = field(default_factory=dict)
    """Number of rows that have left each slice."""

    def part(self, name: str, pairs: tuple[Pair, ...]) -> "PairedColumn":
        """Return the part of the column that belongs to the slice ``name``, whose pairs are ``pairs``."""

        def within(rows: _Slices) -> _Slices:
            return tuple(slices for slices in rows if name in slices)

        return replace(
            self,
            pairs=pairs,
            added=within(self.added),
            altered=within(self.altered),
            absent=within(self.absent),
            renamed=within(self.renamed),
            remade={what: rows for what, found in self.remade.items() if (rows := within(found))},
            by_lone=within(self.by_lone),
            is_usual=name in self.usual_slices,
            left=self.left_slices.get(name, 0),
        )

    @property
    def unscored_before(self) -> int:
        """Number of rows without a value in the baseline."""
        return sum(pair.before is None for pair in self.pairs)

    @property
    def lost_before(self) -> int:
        """Number of rows without a value in the baseline because of an error; included in ``unscored_before``."""
        return sum(pair.was_lost for pair in self.pairs)

    @property
    def cached(self) -> int:
        """Number of rows for which ``Pair.is_cached`` holds."""
        return sum(pair.is_cached for pair in self.pairs)

    @property
    def unknown(self) -> int:
        """Number of rows for which ``Pair.is_unknown`` holds."""
        return sum(pair.is_unknown for pair in self.pairs)

    @property
    def by_model(self) -> int:
        """Number of rows that are compared by the cost of the model alone."""
        return sum(pair.by_model for pair in self.pairs)

    @property
    def missing(self) -> int:
        """Number of rows that the current run skipped or lost, or that lack a score which nearly all rows had."""
        return sum(self._is_missing(pair) for pair in self.pairs)

    @property
    def missing_unlost(self) -> int:
        """Number of ``missing`` rows of which no epoch was lost to the infrastructure."""
        return sum(self._is_missing(pair) and not pair.lost for pair in self.pairs)

    def _is_missing(self, pair: Pair) -> bool:
        return pair.is_missing or (self.is_usual and pair.is_unscored)

    @property
    def open_rows(self) -> OpenRows:
        """Rows that have a value in the baseline and an open epoch in the current run."""
        found = [pair for pair in self.pairs if pair.before is not None and pair.open]
        asked_again, scored_again = (
            any(pair.answered < pair.open for pair in found),
            any(pair.answered for pair in found),
        )
        return OpenRows(sorted(pair.sample_id for pair in found), asked_again, scored_again)


@dataclass(slots=True)
class _Row:
    """One row of one run while its epochs are read."""

    first: JudgedCase
    """The first epoch, whose slices, cluster and digest are taken for the row's."""
    values: list[float] = field(default_factory=list)
    scored: list[JudgedCase] = field(default_factory=list)
    """Epochs behind ``values``."""
    without: list[State] = field(default_factory=list)
    """States of the other epochs: why each has no value."""
    answered: int = 0

    @property
    def is_unknown(self) -> bool:
        return not self.values and ("open" in self.without or "lost" in self.without)

    @property
    def is_cached(self) -> bool:
        return not self.values and "cached" in self.without


def pair_up(metric: str, current: Sequence[JudgedCase], before: Sequence[JudgedCase]) -> PairedColumn:
    """Return the pairs of ``metric`` between two runs of one suite and one model each."""
    by_model = compared_by_model(metric, current, before)
    base, rows = _rows(metric, before, by_model), _rows(metric, current, by_model)
    lone = _lone_scores(current, before) | _lone_scores(before, current) if metric == "pass_rate" else frozenset()
    remade: dict[str, list[tuple[str, ...]]] = {}
    pairs, altered, by_lone = [], [], []
    left: Counter[str] = Counter()
    for sample_id, row in rows.items():
        was = base.get(sample_id)
        if was is None:
            continue
        if was.first.input_digest != row.first.input_digest:
            altered.append(was.first.slices)
            continue
        changed = set(_remade(metric, was, row))
        if "scorer" not in changed and lone and _hangs_on(lone, was, row):
            changed.add("scorer")
            by_lone.append(row.first.slices)
        for what in changed:
            remade.setdefault(what, []).append(row.first.slices)
        pairs.append(_pair(sample_id, was, row, sample_id in by_model))
        if was.first.slices != row.first.slices:
            left.update(set(was.first.slices).difference(row.first.slices))
    gone = [row.first for sample_id, row in base.items() if sample_id not in rows]
    new = [row.first for sample_id, row in rows.items() if sample_id not in base]
    digests = {case.input_digest for case in new if case.input_digest is not None}
    usual = _usual_in(metric, before) if any(pair.is_unscored for pair in pairs) else frozenset()
    seen = (value for pair in pairs for value in (pair.before, pair.after) if value is not None)
    return PairedColumn(
        metric=metric,
        pairs=tuple(pairs),
        span=span_of(metric, seen),
        added=tuple(case.slices for case in new),
        altered=tuple(altered),
        absent=tuple(case.slices for case in gone),
        renamed=tuple(case.slices for case in gone if case.input_digest in digests),
        absent_in_suite=len(gone),
        remade={what: tuple(rows) for what, rows in remade.items()},
        lone_scores=tuple(sorted(lone)),
        by_lone=tuple(by_lone),
        is_usual=None in usual,
        usual_slices=frozenset(name for name in usual if name is not None),
        left_slices=left,
    )


def _lone_scores(cases: Sequence[JudgedCase], others: Iterable[JudgedCase]) -> frozenset[str]:
    """Return the scores with a pass mark that are usual in ``cases`` and that none of ``others`` has.

    They come from a scorer that was added or removed between the runs. A score that only some rows have may be in one
    run by chance, so it does not count and outcomes are compared.
    """
    known = {name for case in others for name in case.scores}
    found = {name for case in cases for name, passed in case.passed.items() if passed is not None}
    return frozenset(name for name in found - known if _is_usual(name, cases))


def _usual_in(name: str, cases: Sequence[JudgedCase]) -> frozenset[str | None]:
    """Return the slices in which a score is usual; None among them stands for ``cases`` as a whole."""
    parts = [(None, cases), *by_slice(cases).items()]
    return frozenset(part for part, own in parts if _is_usual(name, own))


def _is_usual(name: str, cases: Iterable[JudgedCase]) -> bool:
    """Return whether nearly all (90 %) of the finished ``cases`` have a score, with or without a value."""
    having = [name in case.scores for case in cases if case.outcome in ("passed", "missed")]
    return bool(having) and sum(having) >= _USUAL * len(having)


def _rows(metric: str, cases: Iterable[JudgedCase], by_model: Mapping[str, bool]) -> dict[str, _Row]:
    rows: dict[str, _Row] = {}
    for case in cases:
        row = rows.get(case.sample_id)
        if row is None:
            row = rows[case.sample_id] = _Row(case)
        if case.epoch < row.first.epoch:
            row.first = case
        reading = read_compared(metric, case, by_model)
        if reading.value is not None:
            row.values.append(reading.value)
            row.scored.append(case)
        else:
            row.without.append(reading.state)
            row.answered += reading.state == "open" and reading.is_answered
    return rows


def _remade(metric: str, was: _Row, row: _Row) -> Iterator[str]:
    """Yield ``judge`` or ``scorer`` if another one made the value; a changed judge explains its scorer's new digest."""
    made = [(old, new) for old in was.scored for new in row.scored]
    judged = [_changed(metric, old.judge_ids, new.judge_ids) for old, new in made]
    if any(judged):
        yield "judge"
    scored = (_changed(metric, old.digests, new.digests) for old, new in made)
    if any(names - by_judge for names, by_judge in zip(scored, judged, strict=True)):
        yield "scorer"


def _hangs_on(lone: frozenset[str], was: _Row, row: _Row) -> bool:
    """Return whether a row's outcomes may not be comparable because of scores that only one run has.

    They are not if such scores alone made a miss, or if the row passes now but had to pass such a score before. A row
    that misses another score is a miss with or without them, and a row that passes one more score passes without it.
    """
    if not was.scored or not row.scored:
        return False
    if any(_missed_alone(lone, case) for case in (*was.scored, *row.scored)):
        return True
    held = any(case.passed.get(name) is not None for case in was.scored for name in lone)
    return held and any(case.outcome == "passed" for case in row.scored)


def _missed_alone(lone: frozenset[str], case: JudgedCase) -> bool:
    missed = {name for name, passed in case.passed.items() if passed is False}
    return case.outcome == "missed" and bool(missed) and missed <= lone


def _changed(metric: str, was: Mapping[str, str | None], now: Mapping[str, str | None]) -> frozenset[str]:
    """Return the names of the scores behind a value whose judge id or digest has changed.

    All scores of a case make its outcome. A score that only one of the two cases has counts as no change here; scores
    that a whole run lacks are handled by ``_hangs_on``.
    """
    if was is now:
        return frozenset()
    names = was.keys() & now.keys() if metric == "pass_rate" else {metric}
    return frozenset(name for name in names if was.get(name) != now.get(name))


def _pair(sample_id: str, was: _Row, row: _Row, by_model: bool) -> Pair:
    is_unknown, count = was.is_unknown or row.is_unknown, row.without.count
    return Pair(
        sample_id=sample_id,
        slices=row.first.slices,
        cluster=row.first.cluster,
        before=mean(was.values),
        after=mean(row.values),
        scored_before=len(was.values),
        scored=len(row.values),
        open=count("open"),
        answered=row.answered,
        lost=count("lost"),
        skipped=count("skipped") + count("no_judge"),
        unscored=count("unscored"),
        is_single=len(was.values) <= 1 and len(row.values) + count("open") + count("lost") <= 1,
        is_cached=(was.is_cached or row.is_cached) and not is_unknown,
        is_unknown=is_unknown,
        by_model=by_model and bool(was.values and row.values),
        was_lost=was.is_unknown,
    )
