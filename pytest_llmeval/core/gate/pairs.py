"""Two runs side by side: the rows of one suite that both of them have, with what each says of one metric.

Rows pair by id and by the digest of their input and target. A row that is new, or that changed, is counted and left
out: it says nothing of what the change under test did.
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
"""Share of a run's finished cases from which on a score is no matter of what was said in them.

A scorer that a test always calls is in all of them, but for a few that end early; one behind ``if "```" in answer``
comes and goes with the answers, and most of them lack it.
"""


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
    scored_before: int
    """Epochs behind ``before``."""
    scored: int
    """Epochs behind ``after``."""
    open: int
    """Epochs of the current run whose value could be any."""
    answered: int
    """Those of them that the user's own code broke behind an answer."""
    lost: int
    """Epochs of the current run that the infrastructure lost."""
    skipped: int
    """Epochs of the current run that were skipped, or that had no judge."""
    unscored: int
    """Epochs of the current run that finished without it."""
    is_single: bool
    """Whether each side is one epoch at most."""
    is_cached: bool
    """Whether it lacks a value for no other reason than that a side's answers come from the cache."""
    is_unknown: bool
    """Whether a side has no value, as it is open or lost."""
    by_model: bool
    """Whether its values are what the model alone cost, as verdicts come from the cache."""
    was_lost: bool
    """Whether an error left the baseline without a value, so that the row is there in name only."""

    @property
    def change(self) -> float | None:
        """By how much the value rose; None where a side has none."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def flip(self) -> int:
        """As ``flip_of``, of outcomes: -1 where the row got worse, 1 where it got better; 0 where a side has none."""
        if self.before is None or self.after is None:
            return 0
        return flip_of(self.before, self.scored_before, self.after, self.scored)

    @property
    def is_whole(self) -> bool:
        """Whether both sides have a value."""
        return self.before is not None and self.after is not None

    @property
    def has_no_value(self) -> bool:
        """Whether the baseline scored it and the current run left it without a value, which is not open either."""
        return self.before is not None and self.after is None and not self.open

    @property
    def is_missing(self) -> bool:
        """Whether that is so as it was skipped or lost; an answer from the cache merely has no latency or cost."""
        return self.has_no_value and bool(self.skipped or self.lost)

    @property
    def is_unscored(self) -> bool:
        """Whether that is so only as it finished without the score."""
        return self.has_no_value and not self.is_missing and self.unscored > 0

    def filled(self, fill: float, *, with_lost: bool) -> float | None:
        """Return the mean of the current run with ``fill`` for what is open, and for what is lost where asked."""
        missing = self.open + (self.lost if with_lost else 0)
        if not missing:
            return self.after
        return ((self.after or 0.0) * self.scored + fill * missing) / (self.scored + missing)


_Slices = tuple[tuple[str, ...], ...]
"""The slices of each of some rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedColumn:
    """All pairs of one metric, of one suite and model or of a slice, with the rows that did not pair."""

    metric: str
    pairs: tuple[Pair, ...]
    span: tuple[float, float]
    """Between what a missing value lies."""
    added: _Slices = ()
    """The slices of each row that only the current run has."""
    altered: _Slices = ()
    """The baseline's slices of each row whose input or target is another one there."""
    absent: _Slices = ()
    """The slices of each row that only the baseline has."""
    renamed: _Slices = ()
    """Those of them whose input and target a row has that is new in the current run, under another id."""
    absent_in_suite: int = 0
    """How many such rows there are in the whole suite."""
    remade: Mapping[str, _Slices] = field(default_factory=dict)
    """The slices of each paired row whose ``judge`` or ``scorer`` is another one."""
    lone_scores: tuple[str, ...] = ()
    """The scores that make outcomes in one of the runs alone, where the metric is the outcome; sorted."""
    by_lone: _Slices = ()
    """The slices of each row that is ``remade`` by another ``scorer`` for nothing but those."""
    is_usual: bool = False
    """Whether nearly all finished rows of the baseline have the score, so that one without it lost it; known only where
    there is one."""
    usual_slices: frozenset[str] = frozenset()
    """The slices of which that is so."""
    left: int = 0
    """Rows of the baseline's slice that are there still, but not in this slice; 0 for the whole suite."""
    left_slices: Mapping[str, int] = field(default_factory=dict)
    """How many that is of each slice."""

    def part(self, name: str, pairs: tuple[Pair, ...]) -> "PairedColumn":
        """Return what belongs to the slice ``name``, of which ``pairs`` are the pairs."""

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
        """Rows that the baseline did not score."""
        return sum(pair.before is None for pair in self.pairs)

    @property
    def lost_before(self) -> int:
        """Rows that an error left without a value in the baseline's run; ``unscored_before`` counts them, too."""
        return sum(pair.was_lost for pair in self.pairs)

    @property
    def cached(self) -> int:
        """Rows without a value on a side, for no other reason than that its answers come from the cache."""
        return sum(pair.is_cached for pair in self.pairs)

    @property
    def unknown(self) -> int:
        """Rows of which a side has no value, as it is open or lost."""
        return sum(pair.is_unknown for pair in self.pairs)

    @property
    def by_model(self) -> int:
        """Rows that are compared by what the model alone cost."""
        return sum(pair.by_model for pair in self.pairs)

    @property
    def missing(self) -> int:
        """Rows of the baseline that the current run skipped or lost, or without a score there that nearly all had."""
        return sum(self._is_missing(pair) for pair in self.pairs)

    @property
    def missing_unlost(self) -> int:
        """Those of the missing ones of which the infrastructure lost nothing."""
        return sum(self._is_missing(pair) and not pair.lost for pair in self.pairs)

    def _is_missing(self, pair: Pair) -> bool:
        return pair.is_missing or (self.is_usual and pair.is_unscored)

    @property
    def open_rows(self) -> OpenRows:
        """The rows that the baseline scored and of which a value is open."""
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
    """Of its epochs: it says what the row is."""
    values: list[float] = field(default_factory=list)
    scored: list[JudgedCase] = field(default_factory=list)
    """The epochs behind ``values``."""
    without: list[State] = field(default_factory=list)
    """Why each of the other epochs has no value."""
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
    """Return the scores that passed or missed any of ``cases`` and are usual there, and that none of ``others`` has.

    So it is with a scorer that was written or taken out since. One that only some rows come to is in either run by
    chance, and its outcomes are compared.
    """
    known = {name for case in others for name in case.scores}
    found = {name for case in cases for name, passed in case.passed.items() if passed is not None}
    return frozenset(name for name in found - known if _is_usual(name, cases))


def _usual_in(name: str, cases: Sequence[JudgedCase]) -> frozenset[str | None]:
    """Return the slices in which a score is usual; None among them stands for all of ``cases``."""
    parts = [(None, cases), *by_slice(cases).items()]
    return frozenset(part for part, own in parts if _is_usual(name, own))


def _is_usual(name: str, cases: Iterable[JudgedCase]) -> bool:
    """Return whether nearly all of ``cases`` that finished have a score, with or without a value."""
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
    """Yield ``judge`` and ``scorer`` where another one made the value; a judge's change explains its own scorer's."""
    made = [(old, new) for old in was.scored for new in row.scored]
    judged = [_changed(metric, old.judge_ids, new.judge_ids) for old, new in made]
    if any(judged):
        yield "judge"
    scored = (_changed(metric, old.digests, new.digests) for old, new in made)
    if any(names - by_judge for names, by_judge in zip(scored, judged, strict=True)):
        yield "scorer"


def _hangs_on(lone: frozenset[str], was: _Row, row: _Row) -> bool:
    """Return whether the outcomes of a row are perhaps not comparable, as scores that one run lacks took part.

    So it is where those alone made a miss, and where the row passes today without one that it was held to before. What
    is missed by others, too, is a miss with them and without; what passes with a score more passes without it.
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
    """Return the names of the scores behind a value that were made otherwise.

    The outcome is made by all scorers of a case; one that only one of both came to is no difference, unless only one of
    the runs has it at all (``_hangs_on``).
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
