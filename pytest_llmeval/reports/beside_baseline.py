"""The cases of a run beside those of its baseline: what each suite was made of there, and which rows flipped."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.opponents import Opponents
from pytest_llmeval.core.gate.pairs import Pair, pair_up
from pytest_llmeval.store.baselines import FoundBaseline

__all__ = ["Beside", "Direction", "beside_baseline"]

Direction = Literal["worse", "better"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What the baseline has beside one suite and model of a run."""

    before: Sequence[JudgedCase] = ()
    """Its cases; empty where it has none to compare with."""
    flips: Mapping[str, Direction] = field(default_factory=dict)
    """The rows that pass less or more often than there, by sample id."""


def beside_baseline(base: FoundBaseline, cases: Iterable[JudgedCase]) -> dict[tuple[str, str], Beside]:
    """Return what stands beside each suite and model of ``cases``.

    Raises:
        StoreError: the baseline cannot be read to its end.
    """
    groups: dict[str, dict[str, list[JudgedCase]]] = {}
    for case in cases:
        groups.setdefault(case.suite, {}).setdefault(case.model, []).append(case)
    opponents = Opponents(Baseline(name=base.name, cases=base.judged(), model=base.model), groups, why_none="")
    found: dict[tuple[str, str], Beside] = {}
    for suite, models in groups.items():
        for model, own in models.items():
            before = opponents.find(suite, model, is_only=len(models) == 1).cases
            pairs = pair_up("pass_rate", own, before).pairs if before else ()
            flips = {pair.sample_id: direction for pair in pairs if (direction := _direction(pair)) is not None}
            found[suite, model] = Beside(before=before, flips=flips)
    return found


def _direction(pair: Pair) -> Direction | None:
    if pair.before is None or pair.after is None or pair.before == pair.after:
        return None
    return "worse" if pair.after < pair.before else "better"
