"""A judge held against people: how often it is right, and what that makes of its rate."""

import contextlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from pytest_llmeval.cli.label_file import read_labels
from pytest_llmeval.cli.output import database_option, echo_lines, emit_json, json_option, open_store, terminal_width
from pytest_llmeval.cli.project import find_project
from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.judge.calibration import Calibration, Drawn, calibrate
from pytest_llmeval.core.judge.given import given_labels
from pytest_llmeval.core.judge.scored import JudgedRun, judged_run
from pytest_llmeval.reports.calibration_text import calibration_lines
from pytest_llmeval.store.records import Label, StoredCase

__all__ = ["calibrate_judge"]

Said = Mapping[tuple[str, str], Mapping[str, float]]
"""What people say: by case and score, then by rater."""


@click.command("calibrate")
@click.argument("file", metavar="[LABELS]", required=False, type=click.Path(path_type=Path))
@click.option("--run", default="last", show_default=True, help="The run whose judge is looked at.")
@click.option(
    "--drawn",
    type=click.Choice(["random", "verdict"]),
    default="random",
    show_default=True,
    help="How the labelled answers were drawn: each with the same chance, as `labels export` does, or by the verdict.",
)
@click.option("-v", "--verbose", is_flag=True, help="Every slice, too.")
@json_option
@database_option
def calibrate_judge(
    file: Path | None,
    run: str,
    drawn: Drawn,
    verbose: bool,
    as_json: bool,
    database: Path | None,
) -> None:
    """Hold the judge of a run against what people say: the labels in the database, or those in the file LABELS."""
    project = find_project()
    with contextlib.closing(open_store(project, database)) as store:
        found = store.find_run(run)
        judged = judged_run(found.id, store.cases(found.id), store.judges(found.id))
        stored = store.labels(found.id) if file is None else []
    if not judged.scales:
        raise SettingsError(f"run {found.id} has no answer that a judge judged, so that there is nothing to calibrate")
    said = _stored(stored) if file is None else _in_file(judged, file)
    if not said:
        raise SettingsError(f"run {found.id} has no labels; `llmeval labels export` writes answers to label")
    results = _calibrated(judged, said, drawn, by_slice=verbose or as_json)
    if as_json:
        emit_json({"run": found.id, "drawn": drawn, "scores": results})
        return
    raters = len({rater for by_rater in said.values() for rater in by_rater})
    echo_lines(calibration_lines(results, run=found.id, raters=raters, drawn=drawn, width=terminal_width()))


def _stored(labels: Sequence[Label]) -> Said:
    said: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for label in labels:
        said[label.case_id, label.name][label.rater] = label.value
    return said


def _in_file(judged: JudgedRun[StoredCase], file: Path) -> Said:
    said: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for each in given_labels(judged, read_labels(file, str(file))):
        said[each.case.id, each.name][each.rater or ""] = each.value
    return said


def _calibrated(judged: JudgedRun[StoredCase], said: Said, drawn: Drawn, *, by_slice: bool) -> list[Calibration]:
    """Return how each score that has labels agrees with people, and each slice of it behind it."""
    labels = {key: list(by_rater.values()) for key, by_rater in said.items()}
    results = []
    for key, scale in judged.scales.items():
        answers = judged.answers(key, labels)
        if not any(each.labels for each in answers):
            continue
        results.append(calibrate(scale, answers, drawn=drawn))
        for name in sorted({name for each in answers for name in each.slices}) if by_slice else ():
            own = [each for each in answers if name in each.slices]
            results.append(calibrate(scale, own, drawn=drawn, slice_=name))
    return results
