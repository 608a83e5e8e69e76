"""The scores made from a judge's verdicts: one for the whole rubric, then one per dimension."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from pytest_llmeval.core.errors import JudgeError
from pytest_llmeval.core.judge.panel import PANEL, counted, tally
from pytest_llmeval.core.judge.recorded import BOTH_ORDERS, ORDERS_DISAGREE
from pytest_llmeval.core.types import Score, Vote
from pytest_llmeval.scorers.display import tidy

if TYPE_CHECKING:
    from pytest_llmeval.core.judge.panel import Ballot
    from pytest_llmeval.core.judge.rubric import Dimension, Rubric

__all__ = [
    "Settled",
    "judged_scores",
    "orders_disagree",
    "preference_name",
    "preference_score",
    "settled_scores",
    "unjudged_scores",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The outcome of a check in code that leaves nothing to judge."""

    is_right: bool
    by: str
    """Name of the check."""


def unjudged_scores(names: Sequence[str]) -> list[Score]:
    """Return one score without a value per name, for a session that has no judge."""
    return [
        Score(name=name, value=None, passed=None, status="none", reason="no judge") for name in dict.fromkeys(names)
    ]


def judged_scores(
    rubric: "Rubric", ballots: "Sequence[Ballot]", *, name: str | None, gates: bool, judge_id: str
) -> list[Score]:
    """Return the scores that the judges' ballots add up to.

    Args:
        rubric: the rubric that the ballots follow.
        ballots: the ballots; at least one of them counts.
        name: the name of the score of the whole rubric; the rubric's name when None.
        gates: whether a value below its pass mark makes the case a miss.
        judge_id: the identity of all judges together.

    Raises:
        JudgeError: a panel is evenly split.
    """
    try:
        values = tally(rubric, ballots)
    except JudgeError as error:
        error.scores = _split_scores(rubric, ballots, str(error), name=name, judge_id=judge_id)
        raise
    votes, parts = counted(ballots), []
    for dimension in rubric.dimensions:
        value, key = values[dimension.name], dimension.name
        level = next(each.name for each in dimension.levels if each.value == value)
        told = [ballot.verdict.findings[key].reason for ballot in votes]
        if len(votes) > 1:
            said = ", ".join(f"{ballot.judge}: {ballot.verdict.levels[key].name}" for ballot in votes)
            level = f"{level} ({said})"
            told = [f"{ballot.judge}: {reason}" for ballot, reason in zip(votes, told, strict=True)]
        parts.append(_Part(value, level, told, _votes(ballots, dimension)))
    decided = votes[0].judge if len(votes) == 1 else PANEL
    whole = _votes_on_all(rubric, ballots)
    return _scores(rubric, parts, name=name, gates=gates, judge_id=judge_id, decided_by=decided, votes=whole)


def settled_scores(rubric: "Rubric", settled: Settled, *, name: str | None, gates: bool, judge_id: str) -> list[Score]:
    """Return the scores of an answer that a check in code settled: every dimension at its best or its worst level."""
    levels = [each.levels[-1 if settled.is_right else 0] for each in rubric.dimensions]
    parts = [_Part(level.value, level.name, [f"settled by {settled.by}"], ()) for level in levels]
    return _scores(rubric, parts, name=name, gates=gates, judge_id=judge_id, decided_by=settled.by, votes=())


def preference_name(rubric: "Rubric", name: str | None) -> str:
    """Return the name of the score of a comparison."""
    return name if name is not None else f"{rubric.name}_preference"


def orders_disagree(rubric: "Rubric", orders: "tuple[Ballot, Ballot]") -> bool:
    """Return whether the two orders gave different winners, so that the judge prefers neither answer."""
    first, second = orders
    return _winner(rubric, first, "ab") != _winner(rubric, second, "ba")


def preference_score(name: str, rubric: "Rubric", orders: "Sequence[tuple[Ballot, Ballot]]", *, judge_id: str) -> Score:
    """Return the score of a comparison: 1 where ``a`` is better, 0 where ``b`` is, 0.5 for neither.

    Several judges give the median of their votes; a median that no judge voted for counts as a split panel.

    Args:
        name: the name of the score.
        rubric: the rubric of the comparison.
        orders: for each judge, its ballot with ``a`` shown first and its ballot with ``b`` shown first.
        judge_id: the identity of all judges together.

    Raises:
        JudgeError: a panel is evenly split.
    """
    votes, told = [], []
    for first, second in orders:
        winners = [_winner(rubric, first, "ab"), _winner(rubric, second, "ba")]
        agree = not orders_disagree(rubric, (first, second))
        value = {"a": 1.0, "b": 0.0}.get(winners[0], 0.5) if agree else 0.5
        said = f"{winners[0]}{BOTH_ORDERS}" if agree else f"{ORDERS_DISAGREE}{winners[0]}, then {winners[1]}"
        reasons = [finding.reason for each in (first, second) for finding in each.verdict.findings.values()]
        level = {1.0: "a", 0.0: "b"}.get(value, "neither")
        reason = tidy("\n".join([said, *reasons]))
        votes.append(Vote(judge=first.judge, repeat=first.repeat, value=value, level=level, reason=reason))
        if first.repeat == 0:
            told.append(f"{first.judge}: {reason}")
    counting = [vote for vote in votes if vote.repeat == 0]
    value = median(vote.value for vote in counting)
    if all(vote.value != value for vote in counting):
        said = ", ".join(f"{vote.judge} says {vote.level}" for vote in counting)
        odd = "an odd number of judges has a vote in the middle"
        why = f"the panel is split evenly on {name}: {said}; {odd}"
        raise JudgeError(why, scores=(_undecided(name, why, votes, judge_id=judge_id),))
    is_one = len(counting) == 1
    return Score(
        name=name,
        value=value,
        passed=None,
        reason=counting[0].reason if is_one else tidy("\n".join(told)),
        judge_id=judge_id,
        decided_by=counting[0].judge if is_one else PANEL,
        votes=tuple(votes) if len(votes) > 1 else (),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """The finding for one dimension: value, level, the lines of its reason, and the votes behind it."""

    value: float
    level: str
    told: list[str]
    votes: tuple[Vote, ...]


def _scores(
    rubric: "Rubric",
    parts: Sequence[_Part],
    *,
    name: str | None,
    gates: bool,
    judge_id: str,
    decided_by: str,
    votes: tuple[Vote, ...],
) -> list[Score]:
    whole, *names = rubric.score_names(name)
    found = []
    for part_name, dimension, part in zip(names, rubric.dimensions, parts, strict=True):
        passed = part.value >= dimension.pass_mark if gates and dimension.gates else None
        found.append(
            Score(
                name=part_name,
                value=part.value,
                passed=passed,
                reason=tidy("\n".join([part.level, *part.told])),
                judge_id=judge_id,
                dimension=dimension.name,
                decided_by=decided_by,
                votes=part.votes,
            )
        )
    if names == [whole]:  # the only dimension has the rubric's name: its score is the whole
        return found
    told = [f"{each.name}: {part.level}" for each, part in zip(rubric.dimensions, parts, strict=True)]
    values = {each.name: part.value for each, part in zip(rubric.dimensions, parts, strict=True)}
    return [
        Score(
            name=whole,
            value=rubric.value(values),
            passed=not any(score.passed is False for score in found) if gates else None,
            reason=tidy(", ".join(told)),
            judge_id=judge_id,
            decided_by=decided_by,
            votes=votes,
        ),
        *found,
    ]


def _split_scores(
    rubric: "Rubric", ballots: "Sequence[Ballot]", why: str, *, name: str | None, judge_id: str
) -> tuple[Score, ...]:
    """Return scores without a value that keep the votes of a panel split on at least one dimension."""
    whole, *names = rubric.score_names(name)
    parts = [
        _undecided(part, why, _votes(ballots, dimension), judge_id=judge_id, dimension=dimension.name)
        for part, dimension in zip(names, rubric.dimensions, strict=True)
    ]
    if names == [whole]:
        return tuple(parts)
    return (_undecided(whole, why, _votes_on_all(rubric, ballots), judge_id=judge_id), *parts)


def _undecided(name: str, why: str, votes: Sequence[Vote], *, judge_id: str, dimension: str | None = None) -> Score:
    return Score(
        name=name,
        value=None,
        passed=None,
        reason=tidy(why),
        status="error",
        judge_id=judge_id,
        dimension=dimension,
        decided_by=PANEL,
        votes=tuple(votes),
    )


def _votes(ballots: "Sequence[Ballot]", dimension: "Dimension") -> tuple[Vote, ...]:
    """Return the votes in one dimension; none for a single ballot, whose score already says everything."""
    if len(ballots) < 2:
        return ()
    found = [(ballot, ballot.verdict.findings[dimension.name]) for ballot in ballots]
    return tuple(
        Vote(
            judge=ballot.judge,
            repeat=ballot.repeat,
            value=finding.level.value,
            level=finding.level.name,
            reason=tidy(finding.reason),
        )
        for ballot, finding in found
    )


def _votes_on_all(rubric: "Rubric", ballots: "Sequence[Ballot]") -> tuple[Vote, ...]:
    if len(ballots) < 2:
        return ()
    values = [rubric.value(ballot.verdict.values) for ballot in ballots]
    return tuple(
        Vote(judge=ballot.judge, repeat=ballot.repeat, value=value, level="", reason="")
        for ballot, value in zip(ballots, values, strict=True)
    )


def _winner(rubric: "Rubric", ballot: "Ballot", order: str) -> str:
    """Return the overall winner: ``a``, ``b`` or ``tie``. ``order`` lists the answers in the order shown."""
    value = rubric.value(ballot.verdict.values)
    if abs(value - 0.5) < 1e-9:
        return "tie"
    return order[0] if value > 0.5 else order[1]
