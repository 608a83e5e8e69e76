"""A check, before training, whether the rows of a proof are enough to show its margin by any result."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pytest_llmeval.core.gate.decide import show_number
from pytest_llmeval.core.rules import SHIPPED_SCORES, GateSettings
from pytest_llmeval.core.stats.clusters import equal_clusters, named_clusters
from pytest_llmeval.core.stats.hidden_loss import hidden_loss
from pytest_llmeval.core.text import counted, shown_yaml
from pytest_llmeval.training.config import ProofModel
from pytest_llmeval.training.rows import TrainingRow

__all__ = ["out_of_reach"]

_OF_UNIT_RANGE = (*SHIPPED_SCORES, "pass_rate")
"""Scores in [0, 1]; for others the largest gain of a row is unknown."""
_MOST_UNITS = 10**6


def out_of_reach(
    proof: ProofModel, proved: Mapping[str, Sequence[TrainingRow]], *, cluster: str | None
) -> Iterator[str]:
    """Yield a message for each dataset with too few rows for the margin: what they could show, and how many are enough.

    Args:
        proof: names the score and the margin.
        proved: the rows that the proof asks, by the name of their dataset.
        cluster: metadata key whose equal values mark dependent rows; None if rows are independent.
    """
    if proof.metric not in _OF_UNIT_RANGE:
        return
    for shown, rows in proved.items():
        groups = named_clusters(_group(row, cluster) for row in rows)
        units = len(rows) if groups is None else equal_clusters(Counter(groups).values())
        surely, word = _surely_gained(units), "row" if groups is None else "group"
        if surely <= proof.margin:
            asked = counted(len(rows), "row") + ("" if groups is None else f", worth {units} as they are in groups,")
            yield (
                f"found {shown_yaml(proof.margin)}; with {asked} of {shown} not even a gain of all of them shows more"
                f" than {show_number(max(0.0, surely), 3)}; {_enough(proof.margin, word)}"
            )


def _surely_gained(units: int) -> float:
    """Return the gate's lower bound of the gain, if each of ``units`` rows or groups gains as much as possible."""
    return 1 - hidden_loss((), units, alpha=GateSettings().alpha)


def _enough(margin: float, word: str) -> str:
    """Return in words how many units are enough for the margin, or that only a smaller margin helps."""
    least = bisect_left(range(1, _MOST_UNITS), True, key=lambda units: _surely_gained(units) > margin) + 1
    return "write less" if least >= _MOST_UNITS else f"from {counted(least, word)} on it can"


def _group(row: TrainingRow, cluster: str | None) -> str | None:
    value = None if cluster is None else row.sample.metadata.get(cluster)
    return None if value is None else repr(value)
