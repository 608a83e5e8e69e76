"""The judge's side of a run: which of its scores are a judge's, what they may say, which answers they are of."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from pytest_llmeval.core.judge.calibration import JudgedAnswer, Scale
from pytest_llmeval.core.judge.rubric import Dimension, Rubric
from pytest_llmeval.core.types import CaseKey, Score

__all__ = ["JudgedRun", "ScaleKey", "ScoredCase", "judge_scores", "judged_run"]

_LEVEL = re.compile(r"[A-Za-z_]\w*")
"""The first line of a judge's reason, where it is for a level: that for a whole rubric or a preference says more."""


class ScoredCase(Protocol):
    """A finished case, as stores keep it."""

    @property
    def id(self) -> str:
        """The row of the table ``cases``."""
        ...

    @property
    def key(self) -> CaseKey:
        """Which case it is."""
        ...

    @property
    def slices(self) -> tuple[str, ...]:
        """Those of its sample."""
        ...

    @property
    def response(self) -> str | None:
        """The last thing that the model said."""
        ...

    @property
    def scores(self) -> tuple[Score, ...]:
        """All of them, a judge's and others."""
        ...


_CaseT_co = TypeVar("_CaseT_co", bound=ScoredCase, covariant=True)


class ScaleKey(NamedTuple):
    """What tells one score of a judge from others."""

    suite: str
    judge_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRun(Generic[_CaseT_co]):
    """The cases of a run and the scales of its judge."""

    cases: Sequence[_CaseT_co]
    scales: Mapping[ScaleKey, Scale]

    def answers(self, key: ScaleKey, labels: Mapping[tuple[str, str], Sequence[float]]) -> list[JudgedAnswer]:
        """Return the answers that a score is of, with the labels of its cases, by case and score."""
        return [
            JudgedAnswer(
                value=score.value,
                labels=tuple(labels.get((case.id, key.name), ())),
                text=(case.key.model, case.key.sample_id, case.response),
                slices=case.slices,
            )
            for case in self.cases
            if case.key.suite == key.suite
            for score in judge_scores(case)
            if (score.judge_id, score.name) == key[1:] and score.value is not None
        ]


def judged_run(cases: Iterable[_CaseT_co], rubrics: Sequence[Rubric]) -> JudgedRun[_CaseT_co]:
    """Return the judge's side of a run; a scale takes its levels from the one of ``rubrics`` that fits, if any."""
    kept = list(cases)
    seen: dict[ScaleKey, list[Score]] = defaultdict(list)
    for case in kept:
        for score in judge_scores(case):
            seen[ScaleKey(case.key.suite, score.judge_id or "", score.name)].append(score)
    scales = {key: _scale_of(key, scores, _dimension(key, seen, rubrics)) for key, scores in seen.items()}
    return JudgedRun(cases=kept, scales=dict(sorted(scales.items())))


def judge_scores(case: ScoredCase) -> Iterator[Score]:
    """Yield the scores of a case that name a level; that of a rubric as a whole is a mean of them."""
    for score in case.scores:
        if score.judge_id is not None and score.value is not None and _level(score) is not None:
            yield score


def _level(score: Score) -> str | None:
    found = _LEVEL.fullmatch((score.reason or "").partition("\n")[0])
    return found[0] if found else None


def _dimension(
    key: ScaleKey, seen: Mapping[ScaleKey, Sequence[Score]], rubrics: Sequence[Rubric]
) -> tuple[Rubric, Dimension] | None:
    """Return the dimension that a score is of: its rubric has all its scores here, and every level that was found."""
    for rubric in rubrics:
        for each in rubric.dimensions:
            if key.name == each.name or key.name.endswith(f"_{each.name}"):
                prefix = key.name.removesuffix(each.name)
                parts = {part.name: seen.get(key._replace(name=f"{prefix}{part.name}")) for part in rubric.dimensions}
                if all(_fits(part, parts[part.name]) for part in rubric.dimensions):
                    return rubric, each
    return None


def _fits(dimension: Dimension, scores: Sequence[Score] | None) -> bool:
    found = {(score.value, _level(score)) for score in scores or ()}
    return bool(found) and found <= {(level.value, level.name) for level in dimension.levels}


def _scale_of(key: ScaleKey, scores: Sequence[Score], found: tuple[Rubric, Dimension] | None) -> Scale:
    if found is not None:
        rubric, dimension = found
        levels = {level.value: level.name for level in dimension.levels}
        mark, name = dimension.pass_mark, rubric.name
    else:
        seen = {score.value: _level(score) or "" for score in scores if score.value is not None}
        levels, name = dict(sorted(seen.items())), None
        mark = min((score.value for score in scores if score.passed and score.value is not None), default=1.0)
    return Scale(suite=key.suite, name=key.name, judge_id=key.judge_id, levels=levels, pass_mark=mark, rubric=name)
