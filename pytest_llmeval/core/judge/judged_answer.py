"""Answers with a judge's verdict and people's labels, and the scale of a judged score."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from statistics import median_low

from pytest_llmeval.core.stats.means import ROUNDING
from pytest_llmeval.core.types import Vote

__all__ = ["JudgedAnswer", "Scale", "VotedAnswer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The possible values of one score of a judge."""

    suite: str
    name: str
    judge_id: str
    levels: Mapping[float, str]
    """Names of the levels by value, the worst first."""
    pass_mark: float
    """Smallest value that passes, in [0, 1]."""
    is_whole: bool = False
    """Whether the score is of the rubric as a whole, which passes if all its gating dimensions pass."""

    def passes(self, value: float) -> bool:
        """Return whether a value passes."""
        return value >= self.pass_mark - ROUNDING

    def named(self, value: float) -> str:
        """Return the name of the level with that value, or the value as text if there is none."""
        return self.levels.get(value, f"{value:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class VotedAnswer:
    """An answer with its votes and labels; without a value, as a panel was split evenly, unless a ``JudgedAnswer``."""

    text: Hashable
    """Identifies the answer to a row; equal values mean the same answer, judged several times."""
    labels: tuple[float, ...] = ()
    """Labels, one from each rater."""
    draws: tuple[str, ...] = ()
    """Draws by which the answer was chosen for labelling, each once; unknown draws are left out."""
    slices: tuple[str, ...] = ()
    model: str = ""
    """Model that gave the answer."""
    cluster: Hashable | None = None
    """Key shared by dependent answers, such as those to one row; None for an answer independent of all others."""
    votes: tuple[Vote, ...] = ()
    """The single judgements, if there were several."""

    @property
    def label(self) -> float | None:
        """The median label, the lower one of two middle labels; None without labels."""
        return median_low(self.labels) if self.labels else None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAnswer(VotedAnswer):
    """An answer with a judge's value and people's labels."""

    value: float
    verdicts: Mapping[str, bool] = field(default_factory=dict)
    """Whether the judge passes the answer, by the name of each of its scores."""
    judge: str = ""
    """Judge, or panel, that decided."""
