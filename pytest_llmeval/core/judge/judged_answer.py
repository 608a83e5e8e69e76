"""An answer that a judge judged and people perhaps labelled, and what may be said of it."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from statistics import median_low

from pytest_llmeval.core.stats.means import ROUNDING
from pytest_llmeval.core.types import Vote

__all__ = ["JudgedAnswer", "Scale", "VotedAnswer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What one score of a judge may say."""

    suite: str
    name: str
    judge_id: str
    levels: Mapping[float, str]
    """The names of the levels by their values, the worst first."""
    pass_mark: float
    """In [0, 1]: a level of less does not pass."""
    is_whole: bool = False
    """Whether it is of the rubric as a whole, which passes where all its dimensions that gate do."""

    def passes(self, value: float) -> bool:
        """Return whether a value passes."""
        return value >= self.pass_mark - ROUNDING

    def named(self, value: float) -> str:
        """Return the name of the level with that value; the value itself where there is none."""
        return self.levels.get(value, f"{value:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class VotedAnswer:
    """An answer that judges judged, and what people say; without a value where they are split evenly."""

    text: Hashable
    """What tells the answer to a row from others: two of the same are one answer that was judged twice."""
    labels: tuple[float, ...] = ()
    """One of each rater."""
    draws: tuple[str, ...] = ()
    """How the answer was drawn for its labels, each draw once; those that are not known are left out."""
    slices: tuple[str, ...] = ()
    model: str = ""
    """Whose answer it is."""
    cluster: Hashable | None = None
    """Answers of one are dependent, as those to one row are; None for an answer that stands alone."""
    votes: tuple[Vote, ...] = ()
    """Its judgements, where there are several."""

    @property
    def label(self) -> float | None:
        """What people say: the label in the middle, of two the lower one; None without any."""
        return median_low(self.labels) if self.labels else None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAnswer(VotedAnswer):
    """What a judge said of one answer, and what people say."""

    value: float
    verdicts: Mapping[str, bool] = field(default_factory=dict)
    """Whether the judge passes the answer, by the name of each of its scores."""
    judge: str = ""
    """Who decided."""
