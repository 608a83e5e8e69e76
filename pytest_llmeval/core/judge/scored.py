"""The judged scores of a run: their scales, and the answers that were judged, with people's labels."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.judge.judged_answer import JudgedAnswer, Scale, VotedAnswer
from pytest_llmeval.core.judge.judged_text import JudgedTexts, judged_of
from pytest_llmeval.core.judge.label_sample import pooled
from pytest_llmeval.core.judge.recorded import settlers, stored_rubric
from pytest_llmeval.core.judge.rubric import Rubric
from pytest_llmeval.core.stats.means import ROUNDING
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import JudgeRecord, Score

__all__ = [
    "JudgedRun",
    "Labels",
    "RaterLabel",
    "ScaleKey",
    "judge_scores",
    "judged_run",
    "split_scores",
]


class ScaleKey(NamedTuple):
    """Identifies one score of a judge."""

    suite: str
    judge_id: str
    name: str


class RaterLabel(NamedTuple):
    """One rater's label of a score of a case."""

    value: float
    """In [0, 1]."""
    draw: str | None
    """How the case was drawn for labelling; None if unknown."""


Labels = Mapping[tuple[str, str], Mapping[str, RaterLabel]]
"""Labels by case id and score name, then by rater."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRun:
    """The cases of a run and the scales of their judged scores."""

    cases: Sequence[StoredCase]
    scales: Mapping[ScaleKey, Scale]
    """Scales of the scores that people can label."""
    rubrics: Mapping[str, Rubric]
    """Rubrics by judge_id."""
    settlers: Mapping[str, frozenset[str]]
    """Names of the checks in code that may have decided instead of the judge, by judge_id."""
    texts: Mapping[str, JudgedTexts] = field(default_factory=dict)
    """Texts that were judged, by case id; for any other case that is the response."""

    def text(self, case: StoredCase, name: str) -> str | None:
        """Return the answer of a case that was judged for a score."""
        texts = self.texts.get(case.id)
        return case.response if texts is None else texts.answer(name)

    def answer(self, case: StoredCase, name: str) -> Hashable:
        """Return a key for the answer that was judged for a score; equal keys mean the same answer, also across runs.

        It consists of suite, model, row, the text, and the question and reference that the judge was shown with it.
        """
        key = case.key
        return key.suite, key.model, key.sample_id, judged_of(case, self.texts.get(case.id), name)

    def judged(self, case: StoredCase) -> list[Score]:
        """Return the scores of a case that a judge gave and people can label."""
        return [each for each in judge_scores(case) if each.decided_by not in self.settlers[each.judge_id or ""]]

    def labelable(self, case: StoredCase) -> list[Score]:
        """Return the scores of a case that people can label: those that a judge gave, and those of a split panel."""
        return [*self.judged(case), *split_scores(case)]

    def split(self, key: ScaleKey, labels: Labels) -> list[VotedAnswer]:
        """Return the answers for which a score has no value because the panel was split, with their cases' labels."""
        return [
            self._voted(case, score, labels.get((case.id, key.name), {}))
            for case in self.cases
            if case.key.suite == key.suite
            for score in split_scores(case)
            if (score.judge_id, score.name) == key[1:]
        ]

    def answers(self, key: ScaleKey, labels: Labels) -> list[JudgedAnswer]:
        """Return the answers for which a score has a value, with their cases' labels."""
        return [
            self._answer(case, key.name, score.value or 0.0, labels.get((case.id, key.name), {}), score)
            for case in self.cases
            if case.key.suite == key.suite
            for score in self.judged(case)
            if (score.judge_id, score.name) == key[1:]
        ]

    def wholes(self) -> list[ScaleKey]:
        """Return the sorted keys of scores of whole rubrics with several dimensions."""
        return sorted({key for case in self.cases for key, _ in self._wholes(case)})

    def whole(self, key: ScaleKey, labels: Labels) -> tuple[Scale, list[JudgedAnswer], list[JudgedAnswer]]:
        """Return the scale of a rubric as a whole, then its answers with 1 for pass or 0 for fail, then with values.

        People label dimensions. If a rater labelled all dimensions of a case, the rubric's weights give a value for the
        whole.
        """
        rubric = self.rubrics[key.judge_id]
        passes: list[JudgedAnswer] = []
        values: list[JudgedAnswer] = []
        for case in self.cases:
            for _, parts in (each for each in self._wholes(case) if each[0] == key):
                judged = {score.dimension or "": score.value or 0.0 for score in parts}
                said = _of_all({score.dimension or "": labels.get((case.id, score.name), {}) for score in parts})
                draw = {rater: _pooled([each.draw for each in own.values()]) for rater, own in said.items()}
                for made, value_of in ((passes, _passing(rubric)), (values, rubric.value)):
                    own = {
                        rater: RaterLabel(value_of({name: each.value for name, each in of_all.items()}), draw[rater])
                        for rater, of_all in said.items()
                    }
                    made.append(self._answer(case, key.name, value_of(judged), own, None))
        scale = Scale(
            suite=key.suite,
            name=key.name,
            judge_id=key.judge_id,
            levels={0.0: "fails", 1.0: "passes"},
            pass_mark=1.0,
            is_whole=True,
        )
        return scale, passes, values

    def _answer(
        self, case: StoredCase, name: str, value: float, said: Mapping[str, RaterLabel], score: Score | None
    ) -> JudgedAnswer:
        verdicts = {
            each.name: self.scales[ScaleKey(case.key.suite, each.judge_id or "", each.name)].passes(each.value or 0.0)
            for each in self.judged(case)
        }
        return JudgedAnswer(
            value=value,
            text=self.answer(case, name),
            labels=tuple(each.value for each in said.values()),
            draws=tuple(sorted({each.draw for each in said.values() if each.draw is not None})),
            slices=case.slices,
            model=case.key.model,
            cluster=_cluster(case),
            verdicts=verdicts,
            judge=(score.decided_by if score is not None else None) or "",
            votes=score.votes if score is not None else (),
        )

    def _voted(self, case: StoredCase, score: Score, said: Mapping[str, RaterLabel]) -> VotedAnswer:
        return VotedAnswer(
            text=self.answer(case, score.name),
            labels=tuple(each.value for each in said.values()),
            slices=case.slices,
            model=case.key.model,
            cluster=_cluster(case),
            votes=score.votes,
        )

    def _wholes(self, case: StoredCase) -> Iterator[tuple[ScaleKey, list[Score]]]:
        """Yield each score of a case for a whole rubric, with the scores of the rubric's dimensions."""
        judged = {(score.judge_id, score.name): score for score in self.judged(case)}
        for score in case.scores:
            if score.judge_id is None or score.value is None or score.dimension is not None:
                continue
            rubric = self.rubrics[score.judge_id]
            for name in (None, score.name) if score.name == rubric.name else (score.name,):
                parts = [judged.get((score.judge_id, part)) for part in rubric.score_names(name)[1:]]
                there = [part for part in parts if part is not None]
                if len(parts) > 1 and len(there) == len(parts):
                    yield ScaleKey(case.key.suite, score.judge_id, score.name), there
                    break


def judged_run(
    run_id: str,
    cases: Iterable[StoredCase],
    judges: Iterable[JudgeRecord],
    texts: Mapping[str, JudgedTexts] | None = None,
) -> JudgedRun:
    """Return the judged scores of a run.

    Args:
        run_id: id of the run.
        cases: all cases of the run.
        judges: descriptions of the run's judges.
        texts: texts that were judged, by case id, as returned by ``judged_texts``; None if they do not matter.

    Raises:
        StoreError: a judge of the run is not described.
    """
    known, kept = list(judges), list(cases)
    rubrics = {judge.judge_id: stored_rubric(judge) for judge in known}
    scales: dict[ScaleKey, Scale] = {}
    for case in kept:
        for score in case.scores:
            if score.judge_id is not None and score.judge_id not in rubrics:
                raise StoreError(
                    f"run {run_id} was recorded by an older version, or imported from a file of one, without the"
                    f" rubrics of its judge; run `llmeval rescore {run_id}` and take the run that it makes, or export"
                    " an imported run again where it was recorded, and import that file"
                )
        for score in (*judge_scores(case), *split_scores(case)):
            key = ScaleKey(case.key.suite, score.judge_id or "", score.name)
            if key not in scales:
                scales[key] = _scale_of(key, rubrics[key.judge_id], score.dimension or "")
    return JudgedRun(
        cases=kept,
        scales=dict(sorted(scales.items())),
        rubrics=rubrics,
        settlers={judge.judge_id: settlers(judge) for judge in known},
        texts=texts or {},
    )


def judge_scores(case: StoredCase) -> Iterator[Score]:
    """Yield a case's judged scores of single dimensions, which people can label by level; a whole rubric is a mean."""
    for score in case.scores:
        if score.judge_id is not None and score.value is not None and score.dimension is not None:
            yield score


def split_scores(case: StoredCase) -> Iterator[Score]:
    """Yield a case's scores of single dimensions that have no value because the panel's votes were split."""
    for score in case.scores:
        if score.judge_id is not None and score.status == "error" and score.dimension is not None:
            yield score


def _cluster(case: StoredCase) -> Hashable:
    return case.key.sample_id if case.cluster is None else (case.cluster,)


def _scale_of(key: ScaleKey, rubric: Rubric, name: str) -> Scale:
    """Return the scale of a score: the levels of the dimension ``name`` of its rubric."""
    dimension = next(each for each in rubric.dimensions if each.name == name)
    return Scale(
        suite=key.suite,
        name=key.name,
        judge_id=key.judge_id,
        levels={level.value: level.name for level in dimension.levels},
        pass_mark=dimension.pass_mark,
    )


def _of_all(said: Mapping[str, Mapping[str, RaterLabel]]) -> dict[str, dict[str, RaterLabel]]:
    """Return the labels of each dimension by rater, for raters who labelled all dimensions."""
    raters = set.intersection(*(set(by_rater) for by_rater in said.values()))
    return {rater: {name: by_rater[rater] for name, by_rater in said.items()} for rater in sorted(raters)}


def _pooled(draws: Sequence[str | None]) -> str | None:
    """Return how a case was drawn for several labels; None if unknown for one of them."""
    known = [draw for draw in draws if draw is not None]
    return pooled(known) if len(known) == len(draws) else None


def _passing(rubric: Rubric) -> Callable[[Mapping[str, float]], float]:
    """Return a function that returns 1 if all gating dimensions pass (all dimensions if none gates), else 0."""
    gates = [each for each in rubric.dimensions if each.gates] or rubric.dimensions
    return lambda values: float(all(values[each.name] >= each.pass_mark - ROUNDING for each in gates))
