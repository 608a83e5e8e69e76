"""The rows that got worse or better between two runs of the same suites, the ones to look at first."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.gate.opponents import Opponents
from pytest_llmeval.core.gate.pairs import Pair, PairedColumn, pair_up
from pytest_llmeval.core.metrics import score_names
from pytest_llmeval.core.rules import kind_of

__all__ = [
    "Direction",
    "Flip",
    "FlippedRows",
    "PairedSuite",
    "RowKey",
    "RowText",
    "ScoreChange",
    "Side",
    "flipped_rows",
    "paired_suites",
]

Direction = Literal["worse", "better"]


class RowKey(NamedTuple):
    """A row of a run: what all its epochs share."""

    suite: str
    model: str
    sample_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowText:
    """What was asked and said in one epoch of a row."""

    prompt: str | None = None
    """The messages of the request as text, of several the row's input; None where they are not known."""
    expected: str | None = None
    """The row's target as JSON; None where it has none, or it is not known."""
    answer: str | None = None
    outcome: str = ""
    """``passed``, ``missed``, ``error`` or ``skipped``."""
    said: str | None = None
    """The error, or what the failed scores say."""
    epoch: int = 1
    nodeid: str | None = None
    """Of the case; None where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two runs."""

    name: str
    """As it was asked for."""
    run_id: str
    model: str | None
    """The only model of it that takes part; None for all."""
    cases: Sequence[JudgedCase]
    texts: Callable[[Mapping[RowKey, bool]], Mapping[RowKey, RowText]]
    """Gives the texts of rows; it is told whether the epoch that is to be shown of each passed."""
    deselected: Mapping[str, int] = field(default_factory=dict)
    """Rows of each suite that ``-m`` left out, and perhaps not of the other run."""
    expected: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many cases each suite and model was to have, where that is known."""
    partial: Sequence[str] = ()
    """What left out cases of the run; empty where it is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreChange:
    """What one score of a row was and is."""

    name: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One row that got worse or better."""

    suite: str
    model: str
    sample_id: str
    slices: tuple[str, ...]
    direction: Direction
    by_outcome: bool
    """Whether it flipped, as ``flip_of`` says; otherwise only a score that a rule is about changed."""
    scores: tuple[ScoreChange, ...]
    """The share of its cases that passed, and every score that changed."""
    before: RowText
    after: RowText


@dataclass(frozen=True, slots=True, kw_only=True)
class FlippedRows:
    """The rows that changed between two runs."""

    flips: tuple[Flip, ...]
    """The worse ones first, each kind by how much it changed."""
    worse: int
    """How many rows flipped for the worse, as ``flip_of`` says, of which ``flips`` shows some."""
    better: int


class _Ranked(NamedTuple):
    """A row that changed, on its way to be shown."""

    row: RowKey
    before: RowKey
    """The row in the baseline, whose model may have another name."""
    slices: tuple[str, ...]
    change: float
    """Below 0 where it got worse; of an outcome from -1 to 1."""
    by_outcome: bool
    """As of ``Flip``."""


class PairedSuite(NamedTuple):
    """One suite and model that both runs have."""

    suite: str
    model: str
    own: Sequence[JudgedCase]
    before: Sequence[JudgedCase]
    """The baseline's cases."""
    outcomes: PairedColumn


def paired_suites(baseline: Baseline, cases: Iterable[JudgedCase]) -> Iterator[PairedSuite]:
    """Yield the suites and models that both runs have, in order; ``cases`` are those of the run under test."""
    groups: dict[str, dict[str, list[JudgedCase]]] = {}
    for case in cases:
        groups.setdefault(case.suite, {}).setdefault(case.model, []).append(case)
    opponents = Opponents(baseline, groups, why_none="")
    for suite, models in sorted(groups.items()):
        for model, own in sorted(models.items()):
            before = opponents.find(suite, model, is_only=len(models) == 1).cases
            if before:
                yield PairedSuite(suite, model, own, before, pair_up("pass_rate", own, before))


def flipped_rows(
    paired: Sequence[PairedSuite], verdicts: Sequence[Verdict], base: Side, current: Side, *, most: int
) -> FlippedRows:
    """Return the rows that changed: those that flipped, else in a score whose rule fails or is inconclusive.

    Args:
        paired: what both runs have.
        verdicts: of the rules.
        base: what is compared with.
        current: the run under test.
        most: rows that are shown in full, worse and better ones together.
    """
    ranked = [row for each in paired for row in _ranked(each, verdicts)]
    changed = [each for each in ranked if each.by_outcome]
    return FlippedRows(
        flips=tuple(_flips(_chosen(ranked, most), paired, base, current)),
        worse=sum(each.change < 0 for each in changed),
        better=sum(each.change > 0 for each in changed),
    )


def _ranked(group: PairedSuite, verdicts: Sequence[Verdict]) -> Iterator[_Ranked]:
    """Yield the rows that changed: those that flipped, else in a score whose rule fails or is inconclusive."""
    suspect = [
        each
        for each in verdicts
        if (each.suite, each.model) == (group.suite, group.model) and each.verdict in ("fail", "inconclusive")
    ]
    upwards = {each.metric for each in suspect if kind_of(each.rule) == "max_rise"}
    known = {name for case in group.own for name in case.scores}
    is_suspect = any(each.metric == "pass_rate" and each.slice is None for each in suspect)
    columns = [
        (-1 if name in upwards else 1, _by_row(pair_up(name, group.own, group.before)))
        for name in sorted(known & {each.metric for each in suspect})
    ]
    for pair in group.outcomes.pairs:
        others = [sign * (column[pair.sample_id].change or 0.0) for sign, column in columns]
        others += [pair.change] if is_suspect and pair.change else []
        change = pair.change if pair.flip else min(others, default=None)
        if not change:
            continue
        yield _Ranked(
            row=RowKey(group.suite, group.model, pair.sample_id),
            before=RowKey(group.suite, group.before[0].model, pair.sample_id),
            slices=pair.slices,
            change=change,
            by_outcome=bool(pair.flip),
        )


def _scores(chosen: Sequence[_Ranked], paired: Iterable[PairedSuite]) -> dict[RowKey, tuple[ScoreChange, ...]]:
    """Return what each score of the chosen rows was and is; no other row is looked at."""
    found: dict[RowKey, tuple[ScoreChange, ...]] = {}
    for group in paired:
        ids = {each.row.sample_id for each in chosen if each.row[:2] == (group.suite, group.model)}
        own, before = ([case for case in cases if case.sample_id in ids] for cases in (group.own, group.before))
        names = dict.fromkeys(["pass_rate", *score_names(own)])
        columns = {name: _by_row(pair_up(name, own, before)) for name in names}
        for sample_id in ids:
            pairs = {name: column[sample_id] for name, column in columns.items()}
            found[RowKey(group.suite, group.model, sample_id)] = tuple(_score_changes(pairs))
    return found


def _by_row(column: PairedColumn) -> dict[str, Pair]:
    return {pair.sample_id: pair for pair in column.pairs}


def _score_changes(pairs: Mapping[str, Pair]) -> Iterator[ScoreChange]:
    for name, pair in pairs.items():
        if name == "pass_rate" or pair.before != pair.after:
            yield ScoreChange(name=name, before=pair.before, after=pair.after)


def _chosen(ranked: Sequence[_Ranked], most: int) -> list[_Ranked]:
    """Return the rows to show: those that flipped before others, the worse before the better, large changes first.

    Better ones that flipped take at most half of the places that worse ones could fill, other better ones none.
    """
    by_rank = sorted(ranked, key=lambda each: (not each.by_outcome, -abs(each.change), each.row.sample_id))
    worse = [each for each in by_rank if each.change < 0]
    better = [each for each in by_rank if each.change > 0]
    kept = worse[: most - min(sum(each.by_outcome for each in better), most // 2)]
    return [*kept, *better[: most - len(kept)]]


def _flips(chosen: Sequence[_Ranked], paired: Iterable[PairedSuite], base: Side, current: Side) -> Iterator[Flip]:
    """Yield the chosen rows with their scores and texts."""
    scores = _scores(chosen, paired)
    before = base.texts({each.before: each.change < 0 for each in chosen})
    after = current.texts({each.row: each.change > 0 for each in chosen})
    for each in chosen:
        yield Flip(
            **each.row._asdict(),
            slices=each.slices,
            direction="worse" if each.change < 0 else "better",
            by_outcome=each.by_outcome,
            scores=scores[each.row],
            before=before.get(each.before, RowText()),
            after=after.get(each.row, RowText()),
        )
