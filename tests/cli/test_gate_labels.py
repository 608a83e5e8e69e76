"""Labels in the database as the gate reads them: of the answers that they are of, as ``llmeval calibrate`` does."""

from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.clock import utc
from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.cli.test_labels import jsonl
from tests.support.judged_runs import judged_record, store_run

NEW, OLD = "20260102-000000-bbbbbb", "20260101-000000-aaaaaa"
LEVELS = ["right", "wrong"] * 6
OTHER = {"right": "wrong", "wrong": "right"}
RULE = "{correctness: {min: 0.4, judge: {min_kappa: 0.9, min_labels: 12}}}"


def answers(levels: list[str], **fields: Any) -> list[CaseRecord]:
    """Return the answer "x" to twelve rows, with these verdicts."""
    return [judged_record(str(number), level, **fields) for number, level in enumerate(levels)]


def label(llmeval: Command, here: Path, levels: list[str], rater: str = "kim", **fields: Any) -> None:
    """Say of the newest run that its answers are of these levels."""
    rows = [
        {"sample_id": str(number), "name": "correctness", "level": level, **fields}
        for number, level in enumerate(levels)
    ]
    done = llmeval("labels", "import", jsonl(here / "in.jsonl", *rows), "--rater", rater)
    assert done.status == 0, done.err


def kappas(llmeval: Command) -> dict[str, float]:
    """Return what calibrate says of the newest run, by suite."""
    told = llmeval("calibrate", "--json").json()["scores"]
    return {each["suite"]: each["kappa"]["value"] for each in told}


def judged(llmeval: Command) -> dict[str, str]:
    """Return what the gate says of the newest run, by suite."""
    return {row["suite"]: row["verdict"] for row in llmeval("gate", "--json").json()["verdicts"]}


@pytest.mark.parametrize("order", [1, -1])
def test_labels_of_one_suite_are_none_of_another_over_the_same_rows(
    store: SqliteStore, llmeval: Command, here: Path, order: int
) -> None:
    """With equal answers; labels that are wrong by the one are right by the other."""
    (here / "thresholds.yaml").write_text(f"version: 1\nsuites: {{spam: {RULE}, urgent: {RULE}}}\n")
    said = {"spam": LEVELS, "urgent": [OTHER[level] for level in LEVELS]}
    store_run(store, [case for suite, levels in said.items() for case in answers(levels, suite=suite)])
    for suite in sorted(said)[::order]:
        label(llmeval, here, said[suite], suite=suite)
    assert kappas(llmeval) == {"spam": 1.0, "urgent": 1.0}
    assert judged(llmeval) == {"spam": "pass", "urgent": "pass"}


@pytest.mark.parametrize("is_kept", [True, False])
def test_labels_beside_a_reference_that_was_mended_are_of_another_answer(
    store: SqliteStore, llmeval: Command, here: Path, is_kept: bool
) -> None:
    """Be the calls of the judge there or not."""
    (here / "thresholds.yaml").write_text(f"version: 1\nsuites: {{qa: {RULE}}}\n")
    for run_id, reference, levels, rater in ((OLD, "Ann", ["wrong"] * 12, "kim"), (NEW, "Kim", LEVELS, "lee")):
        kept: dict[str, Any] = {"reference": reference} if is_kept else {"calls": (), "input_digest": reference}
        store_run(store, answers(levels, **kept), run_id)
        label(llmeval, here, levels, rater)
    assert kappas(llmeval) == {"qa": 1.0}
    assert judged(llmeval) == {"qa": "pass"}


@pytest.mark.parametrize("is_dated", [True, False])
def test_what_a_rater_says_of_an_answer_later_on_the_same_day_counts(
    store: SqliteStore, llmeval: Command, here: Path, is_dated: bool
) -> None:
    """Be it dated by the day or by the import."""
    (here / "thresholds.yaml").write_text(f"version: 1\nsuites: {{qa: {RULE}}}\n")
    for run_id, said in ((OLD, [OTHER[level] for level in LEVELS]), (NEW, LEVELS)):
        store_run(store, answers(LEVELS), run_id)
        today = {"at": utc().date().isoformat()} if is_dated and run_id == NEW else {}
        label(llmeval, here, said, **today)
    assert judged(llmeval) == {"qa": "pass"}


@pytest.mark.parametrize("order", [1, -1])
def test_labels_that_come_again_in_another_draw_count_as_they_did(
    store: SqliteStore, llmeval: Command, here: Path, order: int
) -> None:
    """All that were once drawn by chance count, whichever file is imported last."""
    (here / "thresholds.yaml").write_text(f"version: 1\nsuites: {{qa: {RULE}}}\n")
    store_run(store, answers(LEVELS))
    for draw in ["random", "verdict of correctness"][::order]:
        label(llmeval, here, LEVELS, draw=draw)
    assert judged(llmeval) == {"qa": "pass"}


@pytest.mark.parametrize("into", [OLD, NEW])
def test_labels_without_a_draw_count_after_the_same_answers_were_drawn_by_the_verdict(
    store: SqliteStore, llmeval: Command, here: Path, into: str
) -> None:
    """Be they labelled again in that run or in another one that repeats them: more labels silence no judge."""
    (here / "thresholds.yaml").write_text(f"version: 1\nsuites: {{qa: {RULE}}}\n")
    store_run(store, answers(LEVELS), OLD)
    label(llmeval, here, LEVELS)
    if into != OLD:
        store_run(store, answers(LEVELS), into)
    label(llmeval, here, LEVELS, draw="verdict of correctness")
    assert judged(llmeval) == {"qa": "pass"}


def test_a_file_without_a_draw_makes_no_random_ones_of_labels_drawn_by_the_verdict(
    store: SqliteStore, llmeval: Command, here: Path
) -> None:
    (here / "thresholds.yaml").write_text(f"version: 1\nsuites: {{qa: {RULE}}}\n")
    store_run(store, answers(LEVELS))
    label(llmeval, here, LEVELS, draw="verdict of correctness")
    label(llmeval, here, LEVELS)
    assert judged(llmeval) == {"qa": "not_judged"}
