"""The command ``llmeval calibrate``: how well a judge agrees with people, and what that means for its pass rate."""

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import click

from pytest_llmeval.cli.label_file import read_labels
from pytest_llmeval.cli.labelled_runs import no_labels, nothing_judged
from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    emit_json,
    json_option,
    open_reader,
    table_room,
    terminal_width,
)
from pytest_llmeval.cli.project import find_project
from pytest_llmeval.core.errors import ErrorKind, SettingsError, StoreError
from pytest_llmeval.core.judge.calibration import Calibration, calibrate
from pytest_llmeval.core.judge.given import LabelRow, given_labels, named_answers
from pytest_llmeval.core.judge.judged_answer import JudgedAnswer, Scale, VotedAnswer
from pytest_llmeval.core.judge.judged_text import judged_texts
from pytest_llmeval.core.judge.label_sample import RANDOM, of_verdict
from pytest_llmeval.core.judge.scored import (
    JudgedRun,
    Labels,
    RaterLabel,
    ScaleKey,
    judge_scores,
    judged_run,
    split_scores,
)
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.core.text import shell_words
from pytest_llmeval.reports.calibration_text import CalibrationSides, calibration_lines
from pytest_llmeval.store.protocol import StoreReader
from pytest_llmeval.store.records import Run

__all__ = ["calibrate_judge"]

_Answer = TypeVar("_Answer", bound=VotedAnswer)


@click.command("calibrate")
@click.argument("file", metavar="[LABELS]", required=False, type=click.Path(path_type=Path))
@click.option("--run", default="last", show_default=True, help="The run that the labels are of.")
@click.option("--of", "other", metavar="RUN", help="Another run of the same judge, whose rates are to be corrected.")
@click.option(
    "--drawn",
    metavar="random|SCORE",
    help="How the labelled answers were drawn, where that was not recorded: each with the same chance, or by the"
    " judge's verdict in SCORE.",
)
@click.option("-v", "--verbose", is_flag=True, help="Every slice, too.")
@json_option
@database_option
def calibrate_judge(
    file: Path | None,
    run: str,
    other: str | None,
    drawn: str | None,
    verbose: bool,
    as_json: bool,
    database: Path | None,
) -> None:
    """Compare a run's judge with people: with the labels in the database, or with those in the file LABELS.

    LABELS is a file that `labels import` accepts, or a dataset whose rows have metadata.labels.
    """
    project = find_project()
    with contextlib.closing(open_reader(project, database, as_sent=True)) as store:
        found = store.find_run(run)
        rows = None if file is None else _rows(store, file)
        judged = _judged(store, found, rows or ())
        of_other = None if other is None else store.find_run(other)
        if of_other is not None and of_other.id == found.id:  # its own labels tell more than those of another run
            of_other = None
        judged_other = None if of_other is None else _judged(store, of_other)
        labels = _stored(store, found) if file is None or rows is None else _in_file(judged, file, rows)
        if not labels:
            raise SettingsError(no_labels(store, found))
    labels = _drawn(labels, drawn, judged)
    scores = [score for score in _scores(judged, labels) if _labelled(score)]
    if scores and judged_other is not None and of_other is not None:
        scores = _of_other(scores, list(_scores(judged_other, {})), of_other)
    results = [each for score in scores for each in score.calibrated(by_slice=verbose or as_json)]
    sides = _sides(found, of_other, labels, judged_other or judged)
    if as_json:
        emit_json({**asdict(sides), "scores": results})
        return
    echo_lines(calibration_lines(results, sides, width=terminal_width(), tables=table_room()))


def _rows(store: StoreReader, file: Path) -> list[LabelRow]:
    """Return the labels of a file; if it does not exist but a run has that name, the error points to ``--run``."""
    if not os.path.exists(file):  # False also for a name that is too long for a path
        with contextlib.suppress(StoreError):
            store.find_run(str(file))
            named = shell_words([str(file)]) or "RUN"
            raise SettingsError(f"{file}: no such file; to name a run: llmeval calibrate --run {named}")
    return read_labels(file, str(file))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Score:
    """A score that has labels, with the answers that were scored."""

    key: ScaleKey
    scale: Scale
    answers: Sequence[JudgedAnswer]
    means: Sequence[JudgedAnswer] | None = None
    """Values of a rubric as a whole, in the order of ``answers``, or of ``of`` if given."""
    split: Sequence[VotedAnswer] = ()
    """Answers of the labelled run on which the panel was split evenly."""
    of: Sequence[JudgedAnswer] | None = None
    """Answers of another run whose rate is to be corrected."""

    def calibrated(self, *, by_slice: bool) -> Iterator[Calibration]:
        """Yield the judge's agreement with people: overall, by model if there are several, and by slice."""
        yield self._part()
        told = self.answers if self.of is None else self.of
        models = sorted({each.model for each in told})
        for model in models if len(models) > 1 else ():
            yield self._part(model=model)
        for name in sorted({name for each in told for name in each.slices}) if by_slice else ():
            yield self._part(slice_=name)

    def _part(self, *, model: str | None = None, slice_: str | None = None) -> Calibration:
        """Return the calibration of a part; for another run's part, all labels are used."""

        def of_part(answers: Sequence[_Answer]) -> list[_Answer]:
            return [
                each
                for each in answers
                if (model is None or each.model == model) and (slice_ is None or slice_ in each.slices)
            ]

        is_own = self.of is None
        return calibrate(
            self.scale,
            of_part(self.answers) if is_own else self.answers,
            of=None if self.of is None else of_part(self.of),
            means=None if self.means is None else of_part(self.means),
            split=of_part(self.split) if is_own else self.split,
            model=model,
            slice_=slice_,
        )


def _judged(store: StoreReader, run: Run, rows: Sequence[LabelRow] = ()) -> JudgedRun:
    """Return what the judge decided in a run.

    Args:
        store: holds the run.
        run: the run.
        rows: labels from a file for this run.

    Raises:
        SettingsError: no judge judged anything in it.
    """
    cases = list(store.cases(run.id))
    texts = judged_texts(cases, store.calls, samples=named_answers(rows))
    judged = judged_run(run.id, cases, store.judges(run.id), texts)
    if not judged.scales:
        raise SettingsError(nothing_judged(store, run, "calibrate"))
    return judged


def _stored(store: StoreReader, run: Run) -> Labels:
    said: dict[tuple[str, str], dict[str, RaterLabel]] = defaultdict(dict)
    for label in store.labels(run.id):
        said[label.case_id, label.name][label.rater] = RaterLabel(label.value, label.draw)
    return said


def _in_file(judged: JudgedRun, file: Path, rows: Sequence[LabelRow]) -> Labels:
    said: dict[tuple[str, str], dict[str, RaterLabel]] = defaultdict(dict)
    for each in given_labels(judged, rows):
        said[each.case.id, each.name][each.rater] = RaterLabel(each.value, each.draw)
    if not said:
        raise SettingsError(f"{file}: none of its rows is in the run: the ids differ")
    return said


def _drawn(labels: Labels, drawn: str | None, judged: JudgedRun) -> Labels:
    """Return the labels, with the draw from ``--drawn`` if it was given."""
    if drawn is None:
        return labels
    names = sorted({key.name for key in judged.scales})
    if drawn != RANDOM and drawn not in names:
        raise SettingsError(f"--drawn {drawn}: no score of the judge; {did_you_mean(drawn, [RANDOM, *names])}")
    draw = RANDOM if drawn == RANDOM else of_verdict(drawn)
    return {key: {rater: RaterLabel(each.value, draw) for rater, each in said.items()} for key, said in labels.items()}


def _scores(judged: JudgedRun, labels: Labels) -> Iterator[_Score]:
    """Yield each score of the judge: first those of dimensions, then those of whole rubrics."""
    for key, scale in judged.scales.items():
        yield _Score(key=key, scale=scale, answers=judged.answers(key, labels), split=judged.split(key, labels))
    for key in judged.wholes():
        whole, passes, values = judged.whole(key, labels)
        yield _Score(key=key, scale=whole, answers=passes, means=values)


def _labelled(score: _Score) -> bool:
    return any(each.labels for each in (*score.answers, *score.split))


def _of_other(scores: Sequence[_Score], others: Sequence[_Score], run: Run) -> list[_Score]:
    """Return the scores of another run by the same judge, each once, with the labels that apply to it.

    These are the labels of the same suite, or, if it has none, of all suites in which this judge gave this score.
    """
    found = []
    for other in others:
        same = [own for own in scores if _what(own) == _what(other)]
        chosen = [own for own in same if own.key.suite == other.key.suite] or same
        if chosen:
            labelled = [each for own in chosen for each in own.answers]
            scale = replace(chosen[0].scale, suite=other.scale.suite)
            split = [each for own in chosen for each in own.split]
            found.append(
                _Score(key=other.key, scale=scale, answers=labelled, means=other.means, split=split, of=other.answers)
            )
    if not found:
        raise SettingsError(
            f"run {run.id} has no score of the judge that the labels are of: rubric, template, model or how it was"
            " asked differ, and what is known of one judge says nothing of another"
        )
    return found


def _what(score: _Score) -> tuple[str, str, bool]:
    """Return what identifies a judge's score in any suite."""
    return score.key.judge_id, score.key.name, score.scale.is_whole


def _sides(run: Run, of: Run | None, labels: Labels, judged: JudgedRun) -> CalibrationSides:
    """Return who was compared with whom; ``judged`` is of the run whose rates are reported."""
    broken = [case for case in judged.cases if case.error_kind == ErrorKind.JUDGE]
    return CalibrationSides(
        run=run.id,
        of=None if of is None else of.id,
        judges=run.judge_models,
        raters=len({rater for by_rater in labels.values() for rater in by_rater if rater}),
        unjudged=len(broken),
        split=sum(bool(list(split_scores(case))) for case in broken),
        settled=sum(bool(list(judge_scores(case))) and not judged.judged(case) for case in judged.cases),
    )
