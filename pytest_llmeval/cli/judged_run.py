"""The judge's side of a stored run: which scores are a judge's, what they may say, which answers they are of."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pytest_llmeval.cli.label_file import LabelRow
from pytest_llmeval.cli.project import Project
from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.gate.names import did_you_mean
from pytest_llmeval.core.judge.calibration import JudgedAnswer, Scale
from pytest_llmeval.core.judge.rubric import Dimension, Rubric
from pytest_llmeval.core.text import one_line
from pytest_llmeval.core.types import Score
from pytest_llmeval.loaders.rubrics import load_rubric, shipped_rubrics
from pytest_llmeval.store.records import StoredCase

__all__ = ["Given", "JudgedRun", "judge_scores", "judged_run", "known_rubrics"]

_LEVEL = re.compile(r"[A-Za-z_]\w*")
"""The first line of a judge's reason, where it is for a level: that for a whole rubric or a preference says more."""
_MOST_PROBLEMS = 20


class ScaleKey(NamedTuple):
    """What tells one score of a judge from others."""

    suite: str
    judge_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A label that was found to be one of this run."""

    case: StoredCase
    name: str
    value: float
    passed: bool
    rater: str | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRun:
    """The cases of a run and the scales of its judge."""

    cases: Sequence[StoredCase]
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

    def resolved(self, rows: Iterable[LabelRow]) -> list[Given]:
        """Return the labels of a file as labels of this run; one without model or epoch is of every such answer.

        Raises:
            DatasetError: with a line for each label that is of no answer, no score or no level here.
        """
        by_sample: dict[str, list[StoredCase]] = defaultdict(list)
        for case in self.cases:
            by_sample[case.key.sample_id].append(case)
        found, problems = [], []
        for row in rows:
            try:
                found += list(self._given(row, by_sample))
            except DatasetError as error:
                problems.append(str(error))
        if problems:
            more = [f"and {len(problems) - _MOST_PROBLEMS} more"] if len(problems) > _MOST_PROBLEMS else []
            raise DatasetError("\n".join([*problems[:_MOST_PROBLEMS], *more]))
        return found

    def _given(self, row: LabelRow, by_sample: Mapping[str, Sequence[StoredCase]]) -> Iterator[Given]:
        cases = [case for case in by_sample.get(row.sample_id, ()) if _is_of(row, case)]
        if not cases:
            raise DatasetError(f"{row.where}: no such case in the run: {_sought(row)}")
        if len({(case.key.suite, case.response) for case in cases}) > 1:
            told = "suite, model and epoch say which" if row.model is None or row.epoch is None else "suite says which"
            raise DatasetError(f"{row.where}: {_sought(row)} has {len(cases)} different answers in the run; {told}")
        for case in cases:
            scale = self._scale(row, case)
            value = _value(row, scale)
            yield Given(
                case=case,
                name=row.name,
                value=value,
                passed=scale.passes(value),
                rater=row.rater,
                note=row.note,
            )

    def _scale(self, row: LabelRow, case: StoredCase) -> Scale:
        """Return the scale of the score that is labelled; where the case has none (an error), that of its suite."""
        own = [score.judge_id for score in judge_scores(case) if score.name == row.name]
        of_suite = {key: scale for key, scale in self.scales.items() if key.suite == case.key.suite}
        for key, scale in of_suite.items():
            if key.name == row.name and (not own or key.judge_id in own):
                return scale
        known = sorted({key.name for key in of_suite})
        told = did_you_mean(row.name, known) if known else "no judge scored this suite"
        raise DatasetError(f"{row.where}: no score of a judge {one_line(repr(row.name), 60)}; {told}")


def judged_run(cases: Iterable[StoredCase], rubrics: Sequence[Rubric]) -> JudgedRun:
    """Return the judge's side of a run; a scale takes its levels from the one of ``rubrics`` that fits, if any."""
    kept = list(cases)
    seen: dict[ScaleKey, list[Score]] = defaultdict(list)
    for case in kept:
        for score in judge_scores(case):
            seen[ScaleKey(case.key.suite, score.judge_id or "", score.name)].append(score)
    scales = {key: _scale_of(key, scores, _dimension(key, seen, rubrics)) for key, scores in seen.items()}
    return JudgedRun(cases=kept, scales=dict(sorted(scales.items())))


def judge_scores(case: StoredCase) -> Iterator[Score]:
    """Yield the scores of a case that name a level; that of a rubric as a whole is a mean of them."""
    for score in case.scores:
        if score.judge_id is not None and score.value is not None and _level(score) is not None:
            yield score


def known_rubrics(project: Project, paths: Sequence[str]) -> list[Rubric]:
    """Return the rubrics that a run may have used: those at ``paths``, then the shipped ones."""
    return [
        load_rubric(name, rootdir=project.root, test_file=project.root / "thresholds.yaml")
        for name in (*paths, *shipped_rubrics())
    ]


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


def _is_of(row: LabelRow, case: StoredCase) -> bool:
    wanted = ((row.suite, case.key.suite), (row.model, case.key.model), (row.epoch, case.key.epoch))
    return all(one is None or one == other for one, other in wanted)


def _sought(row: LabelRow) -> str:
    parts = {"suite": row.suite, "model": row.model, "epoch": row.epoch}
    told = "".join(f", {key} {one_line(str(value), 60)}" for key, value in parts.items() if value is not None)
    return f"sample_id {one_line(repr(row.sample_id), 60)}{told}"


def _value(row: LabelRow, scale: Scale) -> float:
    by_name = {name: value for value, name in scale.levels.items()}
    if isinstance(row.given, str):
        if row.given in by_name:
            return by_name[row.given]
    elif 0 <= row.given <= 1:
        return row.given
    names = ", ".join(by_name)
    given = one_line(repr(row.given), 60)
    raise DatasetError(f"{row.where}: {row.name}: a label is a number from 0 to 1 or one of {names}; found {given}")
