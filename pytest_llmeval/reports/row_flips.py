"""The rows that got worse or better between two runs of the same suites, which are the ones to look at first."""

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
    """Identifies a row of a run across its epochs."""

    suite: str
    model: str
    sample_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowText:
    """The texts of one epoch of a row: prompt, target, answer and reason."""

    prompt: str | None = None
    """Messages of the request as text, or the row's input if there were several requests; None if not known."""
    expected: str | None = None
    """Target of the row as JSON; None if it has none or it is not known."""
    answer: str | None = None
    outcome: str = ""
    """``passed``, ``missed``, ``error`` or ``skipped``."""
    said: str | None = None
    """The error, or the reasons of the failed scores."""
    epoch: int = 1
    nodeid: str | None = None
    """Node id of the case; None if not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two runs."""

    name: str
    """Name by which the run was requested."""
    run_id: str
    model: str | None
    """The only model that takes part; None for all."""
    cases: Sequence[JudgedCase]
    texts: Callable[[Mapping[RowKey, bool]], Mapping[RowKey, RowText]]
    """Returns the texts of rows. The value for each row says whether to prefer an epoch that passed."""
    deselected: Mapping[str, int] = field(default_factory=dict)
    """Number of rows of each suite that ``-m`` deselected, possibly in this run only."""
    expected: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Number of expected cases of each suite and model, as far as it is known."""
    partial: Sequence[str] = ()
    """What left out cases of the run, such as ``-k``; empty for a whole run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreChange:
    """One score of a row in both runs."""

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
    """Whether the row flipped by ``flip_of``; otherwise only a score with a rule on it changed."""
    scores: tuple[ScoreChange, ...]
    """Share of its cases that passed, and every score that changed."""
    before: RowText
    after: RowText


@dataclass(frozen=True, slots=True, kw_only=True)
class FlippedRows:
    """The rows that changed between two runs."""

    flips: tuple[Flip, ...]
    """Rows for the worse first, each kind by the size of the change."""
    worse: int
    """Number of rows that flipped for the worse by ``flip_of``; ``flips`` shows some of them."""
    better: int


class _Ranked(NamedTuple):
    """A row that changed, with what its rank depends on."""

    row: RowKey
    before: RowKey
    """The row in the baseline, where the model may have another name."""
    slices: tuple[str, ...]
    change: float
    """Size of the change, negative for the worse; between -1 and 1 for an outcome."""
    by_outcome: bool
    """As in ``Flip``."""


class PairedSuite(NamedTuple):
    """The cases of one suite and model in both runs."""

    suite: str
    model: str
    own: Sequence[JudgedCase]
    before: Sequence[JudgedCase]
    """Cases of the baseline."""
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
    """Return the rows that flipped, and those that changed in a score whose rule fails or is inconclusive.

    Args:
        paired: the suites and models that both runs have.
        verdicts: the verdicts of the rules.
        base: the run to compare with.
        current: the run under test.
        most: the largest number of rows shown in full, worse and better ones together.
    """
    ranked = [row for each in paired for row in _ranked(each, verdicts)]
    changed = [each for each in ranked if each.by_outcome]
    return FlippedRows(
        flips=tuple(_flips(_chosen(ranked, most), paired, base, current)),
        worse=sum(each.change < 0 for each in changed),
        better=sum(each.change > 0 for each in changed),
    )


def _ranked(group: PairedSuite, verdicts: Sequence[Verdict]) -> Iterator[_Ranked]:
    """Yield the rows that flipped, and those that changed in a score whose rule fails or is inconclusive."""
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
    """Return the score changes of the chosen rows; no other row is paired."""
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
    """Return the rows to show: flipped rows before others, worse before better, large changes first.

    Better rows that flipped get at most half of the places while worse rows could fill them; other better rows only get
    places left over.
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
