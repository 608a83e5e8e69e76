"""The commands ``llmeval labels``: exporting judged answers for people to label, and importing their labels."""

import contextlib
import csv
import io
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pytest_llmeval.cli.label_file import LABEL, SHOWN, read_labels
from pytest_llmeval.cli.labelled_runs import nothing_judged
from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    emit_json,
    json_option,
    open_reader,
    open_store,
    terminal_width,
)
from pytest_llmeval.cli.project import find_project, project_redactor
from pytest_llmeval.core.clock import stored_time
from pytest_llmeval.core.errors import DatasetError, SettingsError
from pytest_llmeval.core.judge.given import Given, digest_of, given_labels, named_answers
from pytest_llmeval.core.judge.judged_text import UNSURE, JudgedTexts, Shown, judged_texts, texts_of
from pytest_llmeval.core.judge.label_sample import RANDOM, drawn, drawn_evenly, first_epochs, of_verdict
from pytest_llmeval.core.judge.scored import JudgedRun, ScaleKey, judged_run
from pytest_llmeval.core.judge.shown import shown_reference
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.text import counted
from pytest_llmeval.core.types import Score
from pytest_llmeval.reports.exported import parsed_target
from pytest_llmeval.reports.formulas import guarded
from pytest_llmeval.reports.judged_parts import QUOTED, ReadParts, read_parts
from pytest_llmeval.reports.text_width import wrapped
from pytest_llmeval.store.records import utc_now
from pytest_llmeval.store.whole_file import write_new

__all__ = ["labels"]


@click.group()
def labels() -> None:
    """Export judged answers for people to label; import their labels."""


@labels.command("export")
@click.argument("run", default="last")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The file: .csv or .jsonl."
)
@click.option("--sample", type=click.IntRange(min=1), default=100, show_default=True, help="How many answers.")
@click.option(
    "--by",
    metavar="random|SCORE",
    default=RANDOM,
    show_default=True,
    help="Each answer with the same chance, or as many that the judge passes in SCORE as it fails.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same gives the same answers.")
@json_option
@database_option
def export_labels(
    run: str, output: Path, sample: int, by: str, seed: int, as_json: bool, database: Path | None
) -> None:
    """Write judged answers of RUN, without what the judge said of them, to a file for people to label."""
    write = _WRITERS.get(output.suffix.lower())
    if write is None:
        raise SettingsError(f"--output {output}: labels are written to files ending in .csv or .jsonl")
    project = find_project()
    with contextlib.closing(open_reader(project, database, as_sent=True)) as store:  # digests identify the answers
        found = store.find_run(run)
        judged = judged_run(found.id, store.cases(found.id), store.judges(found.id))
        cases = _to_label(judged)
        if not cases:
            raise SettingsError(nothing_judged(store, found, "label"))
        draw = RANDOM if by == RANDOM else of_verdict(by)
        chosen = [cases[place] for place in _places(cases, judged, by, sample, seed)]
        redact = project_redactor(project)
        rows = [
            _row(case, shown, read_parts(shown.parts, case, calls), judged, draw, redact)
            for case in chosen
            for calls in [store.calls(case.id)]
            for shown in _shown(case, judged, texts_of(case.response, calls))
        ]
    names = sorted({key.name for key in judged.scales})
    _write(
        output,
        write(
            [*_ABOUT, *SHOWN, *(LABEL + name for name in names), "rater", "note", "at", "draw", "answer_digest"], rows
        ),
    )
    if as_json:
        emit_json({"run": found.id, "output": str(output), "answers": len(rows), "rows": len(cases), "draw": draw})
        return
    message = f"{output}: answers to {len(chosen)} of {len(cases)} rows that were judged in run {found.id}"
    back = f"llmeval labels import {shlex.quote(str(output))} {found.id} --rater NAME{store.db_option}"
    to_do = f"fill in {', '.join(LABEL + name for name in names)}, then `{back}`"
    echo_lines([*wrapped(message, terminal_width()), *wrapped(to_do, terminal_width())])


@labels.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("run", default="last")
@click.option("--rater", help="The rater, where the file's column rater is empty.")
@json_option
@database_option
def import_labels(file: Path, run: str, rater: str | None, as_json: bool, database: Path | None) -> None:
    """Import the labels in FILE as people's labels of RUN: all of them, or none if one is invalid."""
    project = find_project()
    with contextlib.closing(open_store(project, database)) as store:
        found = store.find_run(run)
        rows, rater = read_labels(file, str(file)), (rater or "").strip()
        nameless = next((row for row in rows if not (row.rater or rater)), None)
        if nameless is not None:
            raise DatasetError(f"{nameless.where}: no rater is named; pass --rater NAME or fill in the column")
        cases = list(store.cases(found.id))
        texts = judged_texts(cases, store.calls, samples=named_answers(rows))
        given = given_labels(judged_run(found.id, cases, store.judges(found.id), texts), rows, rater=rater)
        before, now = {(each.case_id, each.name, each.rater): each for each in store.labels(found.id)}, utc_now()
        pairs = [(each, before.get((each.case.id, each.name, each.rater))) for each in given]
        replaced = store.add_labels(_label(each, earlier, now) for each, earlier in pairs)
    repeated = sum(_repeats(each, earlier) for each, earlier in pairs)
    if as_json:
        counted_labels = {"labels": len(given), "new": len(given) - replaced, "replaced": replaced}
        emit_json({"run": found.id, **counted_labels, "repeated": repeated})
        return
    counts = f"{len(given) - replaced} new, {replaced} in place of earlier ones"
    message = f"{file}: {counted(len(given), 'label')} of run {found.id}: {counts}"
    again = "1 of them repeats an earlier one and keeps its date"
    if repeated > 1:
        again = f"{repeated} of them repeat earlier ones and keep their dates"
    to_do = f"{again}: where people looked again, put the new date into the column `at`"
    echo_lines([line for each in (message, *([to_do] if repeated else [])) for line in wrapped(each, terminal_width())])


def _label(given: Given, earlier: Label | None, now: str) -> Label:
    """Return the label to store, dated as in the file; without a date there, a repeated label keeps its old one."""
    if given.row.at is not None:
        now = stored_time(given.row.at)
    elif earlier is not None and _repeats(given, earlier):
        now = earlier.at
    return given.label(at=now, earlier=earlier)


def _repeats(given: Given, earlier: Label | None) -> bool:
    """Return whether a label without a date repeats an earlier label, and so keeps its date."""
    if given.row.at is not None or earlier is None:
        return False
    return (earlier.value, earlier.note) == (given.value, given.note)


_ABOUT = ("sample_id", "suite", "model", "epoch")


def _to_label(judged: JudgedRun) -> list[StoredCase]:
    """Return the cases that people may label."""
    found = ((case, case.key) for case in judged.cases if judged.labelable(case))
    return first_epochs(((key.suite, key.model, key.sample_id), key.epoch, case) for case, key in found)


def _places(cases: Sequence[StoredCase], judged: JudgedRun, by: str, sample: int, seed: int) -> list[int]:
    """Return the indexes of the drawn cases."""
    verdicts = [_verdicts(case, judged) for case in cases]
    if by == RANDOM:
        return drawn([tuple(sorted(each.items())) for each in verdicts], sample, seed=seed)
    names = sorted({name for each in verdicts for name in each})
    if by not in names:
        raise SettingsError(f"--by {by}: no score of a judge; {did_you_mean(by, [RANDOM, *names])}")
    there = [place for place, each in enumerate(verdicts) if by in each]
    strata = [(cases[place].key.suite, verdicts[place][by]) for place in there]
    return [there[place] for place in drawn_evenly(strata, sample, seed=seed)]


def _verdicts(case: StoredCase, judged: JudgedRun) -> dict[str, bool]:
    """Return whether the judge passes a case, by score name."""
    return {
        score.name: judged.scales[ScaleKey(case.key.suite, score.judge_id or "", score.name)].passes(score.value or 0.0)
        for score in judged.judged(case)
    }


def _shown(case: StoredCase, judged: JudgedRun, texts: JudgedTexts) -> list[Shown]:
    """Return what people are shown of a case: each text that was judged, with its scores.

    Raises:
        SettingsError: it is unknown which texts were judged.
    """
    names = [score.name for score in judged.labelable(case)]
    if not all(map(texts.is_known, names)):
        raise SettingsError(f"suite {case.key.suite}, sample_id {case.key.sample_id!r}: {UNSURE}")
    return texts.shown(names)


def _row(
    case: StoredCase,
    shown: Shown,
    read: ReadParts,
    judged: JudgedRun,
    draw: str,
    redact: Callable[[str], str],
) -> dict[str, Any]:
    target = None if case.target is None else shown_reference(parsed_target(case.target))
    texts = {
        "question": read.texts.get("QUESTION"),
        "answer": read.texts.get("ANSWER", case.response),
        "reference": read.texts.get("REFERENCE") if read.texts else target,
    }
    levels = [_levels(score, judged) for score in judged.labelable(case) if score.name in shown.names]
    return {
        **{key: getattr(case.key, key) for key in _ABOUT},
        **{key: None if text is None else redact(text) for key, text in texts.items()},
        "levels": "\n".join([*levels, *([QUOTED] if read.is_quoted else [])]),
        "draw": draw,
        "answer_digest": digest_of(shown.answer),
    }


def _levels(score: Score, judged: JudgedRun) -> str:
    """Return the question of a score and the meaning of each level, as the judge was given them."""
    dimensions = judged.rubrics[score.judge_id or ""].dimensions
    asked = next(each for each in dimensions if each.name == score.dimension)
    levels = [f"  {level.name} = {level.value:g}: {level.anchor}" for level in asked.levels]
    return "\n".join([f"{score.name}: {asked.question}", *levels])


def _as_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([[guarded(_told(row.get(column))) for column in columns] for row in rows])
    return "\ufeff" + text.getvalue()  # without the BOM, Excel does not read it as UTF-8


def _told(value: Any) -> str:
    return "" if value is None else str(value)


def _as_jsonl(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps({column: row.get(column) for column in columns}) + "\n" for row in rows)


_WRITERS = {".csv": _as_csv, ".jsonl": _as_jsonl}


def _write(path: Path, text: str) -> None:
    """Write a file that must not exist yet, because an existing one may hold people's work."""
    try:
        write_new(path, text.encode(errors="backslashreplace"))
    except FileExistsError:
        raise SettingsError(f"--output {path}: already exists, and may hold labels; name another file") from None
    except OSError as error:
        raise SettingsError(f"--output {path}: cannot be written: {error.strerror or error}") from None
