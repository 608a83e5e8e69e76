"""Answers on which a panel was split evenly: people label them, and they tell of its judges, of nothing else."""

import csv
from dataclasses import replace
from pathlib import Path

from pytest_llmeval.core.types import CaseRecord, Vote
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.judged_runs import RUN, judged_record, store_run
from tests.support.records import record

LEVELS = {"good": 1.0, "bad": 0.0}


def voted(at: int, one: str, other: str) -> CaseRecord:
    """Return an answer of whose format the judges ``a`` and ``b`` say so; an error where they are split."""
    made = judged_record(str(at), "right", "complete", one)
    is_split = one != other
    said = {"format": (one, other), "correctness": ("right", "right"), "completeness": ("complete", "complete")}
    scores = []
    for score in made.scores:
        levels = said.get(score.name, ("", ""))
        votes = tuple(
            Vote(judge=judge, repeat=0, value=LEVELS.get(level, 1.0), level=level, reason="x")
            for judge, level in zip("ab", levels, strict=True)
        )
        kept = replace(score, votes=votes, decided_by="panel")
        scores.append(replace(kept, value=None, passed=None, status="error") if is_split else kept)
    made = replace(made, scores=tuple(scores))
    return replace(made, outcome="error", error_kind="judge", error="split evenly") if is_split else made


def fill(store: SqliteStore) -> None:
    """Of 12 answers ``b`` fails four that are good, on which ``a`` passes them; both fail the last two."""
    pairs = [("good", "good")] * 6 + [("good", "bad")] * 4 + [("bad", "bad")] * 2
    unjudged = record("e", outcome="error", error_kind="judge")
    store_run(store, [*(voted(at, *pair) for at, pair in enumerate(pairs)), unjudged])


def label_all(llmeval: Command, path: Path, *, leaving: range = range(0)) -> None:
    """Label each exported answer as ``a`` judged it, all but those ``leaving``."""
    assert llmeval("labels", "export", "--output", path.name).status == 0
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if int(row["sample_id"]) not in leaving:
            row["label_format"] = "bad" if int(row["sample_id"]) > 9 else "good"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    done = llmeval("labels", "import", path.name, "--rater", "kim")
    assert done.status == 0, done.err


def test_judges_of_a_split_panel_are_told_apart(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """Only where they agree would each be as right as the other, and differ never."""
    fill(store)
    label_all(llmeval, here / "out.csv")
    found = llmeval("calibrate", "--json").json()
    assert (found["unjudged"], found["split"]) == (5, 4)
    (score,) = found["scores"]
    assert (score["judged"], score["n"], score["raw_rate"]["value"]) == (8, 8, 0.75)
    voting = score["voting"]
    assert (voting["disagreement"]["value"], voting["disagreement"]["n"]) == (4 / 12, 12)
    jurors = {each["judge"]: (each["n"], each["accuracy"]["value"]) for each in voting["jurors"]}
    assert jurors == {"a": (12, 1.0), "b": (12, 8 / 12)}
    told = " ".join(llmeval("calibrate").out.split())
    assert "5 answers, left out, and in no rate; on 4 the panel was split evenly" in told


def test_without_labels_of_split_answers_the_judges_are_not_told_of(
    store: SqliteStore, llmeval: Command, here: Path
) -> None:
    fill(store)
    label_all(llmeval, here / "out.csv", leaving=range(6, 10))
    (score,) = llmeval("calibrate", "--json").json()["scores"]
    assert (score["n"], score["rates"]["accuracy"]["value"]) == (8, 1.0)
    assert score["voting"]["disagreement"]["value"] == 4 / 12
    assert {(each["n"], each["accuracy"], each["kappa"]) for each in score["voting"]["jurors"]} == {(0, None, None)}
    out = llmeval("calibrate").out
    assert "a accuracy" not in " ".join(out.split())
    assert "label those on which the panel was split, too" in " ".join(out.split())


def test_a_run_whose_answers_are_all_split_can_be_labelled(store: SqliteStore, llmeval: Command, here: Path) -> None:
    store_run(store, [voted(at, "good", "bad") for at in range(3)])
    label_all(llmeval, here / "out.csv")
    (score,) = llmeval("calibrate", "--json").json()["scores"]
    assert (score["judged"], score["n"], score["raw_rate"]) == (0, 0, None)
    jurors = {each["judge"]: each["accuracy"]["value"] for each in score["voting"]["jurors"]}
    assert jurors == {"a": 1.0, "b": 0.0}
    assert llmeval("calibrate").status == 0
    assert RUN in llmeval("calibrate").out


def test_votes_of_a_run_without_labels_count_nowhere(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """With ``--of``, what is told of each judge comes from the run that has the labels."""
    fill(store)
    label_all(llmeval, here / "out.csv")
    other = "20250103-000000-eeeeee"
    store_run(store, [voted(at, *(("good", "bad") if at < 3 else ("good", "good"))) for at in range(8)], other)
    told = " ".join(llmeval("calibrate", "--run", RUN, "--of", other).out.split())
    assert "without a valid verdict of the judge: 3 answers, left out, and in no rate" in told
    assert "the panel was split evenly" not in told
