"""Panels: several judgements of one answer, and the values that result from their votes."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from pytest_llmeval.core.errors import JudgeError
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.judge.rubric import Dimension, Rubric
from pytest_llmeval.core.judge.verdict import Verdict

__all__ = ["PANEL", "Ballot", "PanelMode", "counted", "is_probed", "is_unsure", "tally"]

PANEL = "panel"
"""``decided_by`` of a score on which several judges voted."""
PanelMode = Literal["all", "escalate"]
"""``all``: ask all judges of a panel at once; ``escalate``: ask the others only if the first is unsure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One judge's verdict in one judgement of an answer."""

    judge: str
    """Name of the judge."""
    verdict: Verdict
    repeat: int = 0
    """0 for the judgement that counts; from 1 for repeats, which only measure how often a judge changes its mind."""
    was_asked_again: bool = False
    """Whether the judge's first reply was no valid verdict."""


def counted(ballots: Sequence[Ballot]) -> list[Ballot]:
    """Return the ballots that count: the first of each judge."""
    return [ballot for ballot in ballots if ballot.repeat == 0]


def is_unsure(rubric: Rubric, ballot: Ballot) -> bool:
    """Return whether the judge is unsure, so that the others should be asked too.

    A judge is unsure if it had to be asked again, or chose neither the worst nor the best level in some dimension.
    """
    if ballot.was_asked_again:
        return True
    ends = {each.name: (each.levels[0], each.levels[-1]) for each in rubric.dimensions}
    return any(level not in ends[name] for name, level in ballot.verdict.levels.items())


def tally(rubric: Rubric, ballots: Sequence[Ballot]) -> dict[str, float]:
    """Return the value of each dimension, in [0, 1]: the median of the votes that count.

    With two levels that is the strict majority. If the two middle votes of an even panel differ, there is no value,
    rather than an invented level between them.

    Raises:
        JudgeError: the median lies between two votes, so that no judge chose it.
    """
    votes = counted(ballots)
    found = {}
    for dimension in rubric.dimensions:
        cast = [ballot.verdict.levels[dimension.name].value for ballot in votes]
        value = median(cast)
        if value not in cast:
            raise JudgeError(_split(dimension, votes))
        found[dimension.name] = value
    return found


def is_probed(share: float, *key: Hashable) -> bool:
    """Return whether the answer with ``key`` belongs to the share, in [0, 1], of answers that are judged twice.

    The result is the same in every session and process.
    """
    return share > 0 and int(digest("\0".join(map(str, key)))[:12], 16) < share * 16**12


def _split(dimension: Dimension, votes: Sequence[Ballot]) -> str:
    said = ", ".join(f"{ballot.judge} says {ballot.verdict.levels[dimension.name].name}" for ballot in votes)
    odd = "has a majority" if len(dimension.levels) == 2 else "has a vote in the middle"
    return f"the panel is split evenly on {dimension.name}: {said}; an odd number of judges {odd}"
