"""Several judgements of one answer, and what they come to."""

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
"""Who decided what several judges voted on."""
PanelMode = Literal["all", "escalate"]
"""Whether all judges of a panel are asked at once, or the others only where the first is unsure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """What one judge found in one judgement of an answer."""

    judge: str
    """Its name."""
    verdict: Verdict
    repeat: int = 0
    """0 where it counts; from 1 where it only shows how often the judge changes its mind."""
    was_asked_again: bool = False
    """Whether its first reply was no valid verdict."""


def counted(ballots: Sequence[Ballot]) -> list[Ballot]:
    """Return the ballots that count: the first of each judge."""
    return [ballot for ballot in ballots if ballot.repeat == 0]


def is_unsure(rubric: Rubric, ballot: Ballot) -> bool:
    """Return whether others are to be asked, too.

    A judge is unsure where it had to be asked again, and where it chose, in some dimension, neither the worst nor the
    best level.
    """
    if ballot.was_asked_again:
        return True
    ends = {each.name: (each.levels[0], each.levels[-1]) for each in rubric.dimensions}
    return any(level not in ends[name] for name, level in ballot.verdict.levels.items())


def tally(rubric: Rubric, ballots: Sequence[Ballot]) -> dict[str, float]:
    """Return the value of each dimension, in [0, 1]: the median of the votes that count.

    With two levels that is the strict majority. An even panel whose middle votes differ has none: no level is made up.

    Raises:
        JudgeError: the median lies between two votes, so that it is no level that anybody chose.
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
    """Return whether the answer of ``key`` is among the share, in [0, 1], that are judged twice.

    It is the same in every session and process.
    """
    return share > 0 and int(digest("\0".join(map(str, key)))[:12], 16) < share * 16**12


def _split(dimension: Dimension, votes: Sequence[Ballot]) -> str:
    said = ", ".join(f"{ballot.judge} says {ballot.verdict.levels[dimension.name].name}" for ballot in votes)
    odd = "has a majority" if len(dimension.levels) == 2 else "has a vote in the middle"
    return f"the panel is split evenly on {dimension.name}: {said}; an odd number of judges {odd}"
