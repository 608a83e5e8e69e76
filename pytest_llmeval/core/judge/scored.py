"""The judge's side of a run: which of its scores are a judge's, what they may say, which answers they are of."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.judge.calibration import JudgedAnswer, Scale
from pytest_llmeval.core.judge.recorded import stored_rubric
from pytest_llmeval.core.judge.rubric import Rubric
from pytest_llmeval.core.types import CaseKey, JudgeRecord, Score

__all__ = ["JudgedRun", "ScaleKey", "ScoredCase", "judge_scores", "judged_run", "scale_of"]


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


def judged_run(run_id: str, cases: Iterable[_CaseT_co], judges: Iterable[JudgeRecord]) -> JudgedRun[_CaseT_co]:
    """Return the judge's side of a run.

    Args:
        run_id: of the run.
        cases: all of it.
        judges: what stands behind its judge_ids.

    Raises:
        StoreError: nothing is known of one of them.
    """
    rubrics = {judge.judge_id: stored_rubric(judge) for judge in judges}
    kept = list(cases)
    scales: dict[ScaleKey, Scale] = {}
    for case in kept:
        for score in case.scores:
            if score.judge_id is not None and score.judge_id not in rubrics:
                raise StoreError(
                    f"run {run_id} was recorded by an older version, without the rubrics of its judge; run"
                    f" `llmeval rescore {run_id}` and take the run that it makes"
                )
        for score in judge_scores(case):
            key = ScaleKey(case.key.suite, score.judge_id or "", score.name)
            if key not in scales:
                scales[key] = scale_of(key, rubrics[key.judge_id], score.dimension or "")
    return JudgedRun(cases=kept, scales=dict(sorted(scales.items())))


def judge_scores(case: ScoredCase) -> Iterator[Score]:
    """Yield the scores of a case that people can label: of one dimension, which has levels; the whole is a mean."""
    for score in case.scores:
        if score.judge_id is not None and score.value is not None and score.dimension is not None:
            yield score


def scale_of(key: ScaleKey, rubric: Rubric, name: str) -> Scale:
    """Return what a score may say: the levels of the dimension ``name`` of its rubric."""
    dimension = next(each for each in rubric.dimensions if each.name == name)
    return Scale(
        suite=key.suite,
        name=key.name,
        judge_id=key.judge_id,
        levels={level.value: level.name for level in dimension.levels},
        pass_mark=dimension.pass_mark,
        rubric=rubric.name,
    )
