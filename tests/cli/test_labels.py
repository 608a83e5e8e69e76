"""Judged answers go to people in a file, and what they say comes back."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.judge.asking import preference_rubric
from pytest_llmeval.core.judge.given import digest_of
from pytest_llmeval.core.types import Score
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.judged_runs import RUN, judge_record, judged_record, qa_rubric, settled_record, store_run
from tests.support.records import call, record


def fill(store: SqliteStore) -> None:
    store_run(store, [judged_record("a"), judged_record("b", "wrong", "missing", answer="Ann"), record("unjudged")])


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def said(store: SqliteStore) -> list[tuple[str, float, bool | None, str, str | None]]:
    """Return the labels that are stored: sample, value, whether it passes, rater, note."""
    samples = {case.id: case.key.sample_id for case in store.cases(RUN)}
    return [
        (f"{samples[each.case_id]} {each.name}", each.value, each.passed, each.rater, each.note)
        for each in store.labels(RUN)
    ]


def jsonl(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_an_exported_file_shows_what_the_judge_saw_and_not_what_it_said(
    store: SqliteStore, llmeval: Command, here: Path
) -> None:
    fill(store)
    done = llmeval("labels", "export", "--output", "out.csv")
    assert done.status == 0
    assert done.out == (
        f"out.csv: answers to 2 of 2 rows that were judged in run {RUN}\n"
        "fill in label_completeness, label_correctness, label_format, then `llmeval\n"
        f"  labels import out.csv {RUN} --rater NAME`\n"
    )
    found = {row["sample_id"]: row for row in rows_of(here / "out.csv")}
    assert found["b"] == {
        "sample_id": "b",
        "suite": "qa",
        "model": "m",
        "epoch": "1",
        "question": "Who?",
        "answer": "Ann",
        "reference": "Kim",
        "levels": found["a"]["levels"],
        "label_completeness": "",
        "label_correctness": "",
        "label_format": "",
        "rater": "",
        "note": "",
        "at": "",
        "draw": "random",
        "answer_digest": "a17239b6e2501",
    }
    assert found["a"]["levels"].splitlines()[-3:] == [
        "format: Is the answer given as it was asked for, and no longer than it has to be?",
        "  bad = 0: long-winded, or in a form that was not asked for",
        "  good = 1: the answer itself, in the form that was asked for",
    ]
    assert sorted(found) == ["a", "b"]


def test_people_see_no_key(store: SqliteStore, llmeval: Command, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is known by its digest all the same."""
    monkeypatch.setenv("MY_API_KEY", "hunter2secret")
    store_run(store, [judged_record("a", answer="hunter2secret", question="Is it hunter2secret?")])
    assert llmeval("labels", "export", "--output", "out.csv").status == 0
    (row,) = rows_of(here / "out.csv")
    assert (row["question"], row["answer"]) == ("Is it ***?", "***")
    write_rows(here / "back.csv", [{**row, "label_correctness": "right"}])
    assert llmeval("labels", "import", "back.csv", "--rater", "kim").status == 0


def test_a_file_filled_in_comes_back(store: SqliteStore, llmeval: Command, here: Path) -> None:
    fill(store)
    llmeval("labels", "export", "--output", "out.csv")
    rows = sorted(rows_of(here / "out.csv"), key=lambda row: row["sample_id"])
    rows[0] |= {"label_correctness": "right", "label_format": "0"}
    rows[1] |= {"label_correctness": "partly", "rater": "lee", "note": "half of it"}
    write_rows(here / "back.csv", rows, delimiter=";")
    done = llmeval("labels", "import", "back.csv", "--rater", "kim")
    assert (done.status, done.out) == (0, f"back.csv: 3 labels of run {RUN}: 3 new, 0 in place of earlier\n  ones\n")
    assert said(store) == [
        ("a correctness", 1.0, True, "kim", None),
        ("a format", 0.0, False, "kim", None),
        ("b correctness", 0.5, False, "lee", "half of it"),
    ]
    again = llmeval("labels", "import", "back.csv", RUN, "--rater", "kim", "--json").json()
    assert again == {"run": RUN, "labels": 3, "new": 0, "replaced": 3, "repeated": 3}


def test_jsonl_goes_out_and_comes_back(store: SqliteStore, llmeval: Command, here: Path) -> None:
    fill(store)
    told = llmeval("labels", "export", RUN, "--output", "out.jsonl", "--json").json()
    assert told == {"run": RUN, "output": "out.jsonl", "answers": 2, "rows": 2, "draw": "random"}
    rows = [json.loads(line) for line in (here / "out.jsonl").read_text().splitlines()]
    assert llmeval("labels", "import", "out.jsonl", "--rater", "kim").err == (
        "llmeval: out.jsonl: no label in it; fill in a column label_NAME, or name with value or level\n"
    )
    for row in rows:
        row["label_correctness"] = 0.5
    jsonl(here / "back.jsonl", *rows)
    assert llmeval("labels", "import", "back.jsonl", "--rater", "kim").status == 0
    assert sorted(said(store)) == [
        ("a correctness", 0.5, False, "kim", None),
        ("b correctness", 0.5, False, "kim", None),
    ]


def test_a_label_is_of_the_answer_that_was_judged(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """Which a test may have made of the response: of another one it is a mistake though the response is the same."""
    for id, answer in ((RUN, "Kim"), ("20250103-000000-cccccc", "Lee")):
        judged = judged_record("a", answer=answer)
        store_run(store, [replace(judged, calls=(call(response="Kim or Lee"), *judged.calls[1:]))], id)
    llmeval("labels", "export", RUN, "--output", "out.jsonl")
    (row,) = map(json.loads, (here / "out.jsonl").read_text("utf-8").splitlines())
    assert (row["answer"], row["answer_digest"]) == ("Kim", digest_of("Kim"))
    file = jsonl(here / "back.jsonl", {**row, "label_format": "good"})
    refused = llmeval("labels", "import", file, "last", "--rater", "kim")
    assert (refused.status, refused.out) == (4, "")
    assert "another answer of sample_id 'a', suite qa, model m, epoch 1 was labelled than the run has" in refused.err
    assert llmeval("labels", "import", file, RUN, "--rater", "kim").status == 0
    assert llmeval("calibrate", file, "--run", RUN).status == 0
    older = jsonl(here / "older.jsonl", {**row, "label_format": "bad", "answer_digest": digest_of("Kim or Lee")})
    assert llmeval("labels", "import", older, RUN, "--rater", "kim").status == 0, "an older version wrote it"
    assert said(store) == [("a format", 0.0, False, "kim", None)]


def test_an_answer_is_no_formula_for_a_spreadsheet(store: SqliteStore, llmeval: Command, here: Path) -> None:
    hostile = "=HYPERLINK(1)"
    store_run(store, [judged_record("-1", answer=hostile, question="@SUM(1)")])
    llmeval("labels", "export", "--output", "out.csv")
    (row,) = rows_of(here / "out.csv")
    assert (row["answer"], row["question"], row["sample_id"]) == (f"'{hostile}", "'@SUM(1)", "'-1")
    write_rows(here / "back.csv", [{**row, "label_format": "good"}])
    assert llmeval("labels", "import", "back.csv", "--rater", "kim").status == 0
    assert said(store) == [("-1 format", 1.0, True, "kim", None)]


def test_a_sample_has_each_verdict_by_its_share(store: SqliteStore, llmeval: Command, here: Path) -> None:
    cases = [judged_record(f"{at}", "right" if at % 4 else "wrong") for at in range(40)]
    store_run(store, cases)
    llmeval("labels", "export", "--output", "out.csv", "--sample", "20", "--seed", "3")
    chosen = [int(row["sample_id"]) for row in rows_of(here / "out.csv")]
    assert len(set(chosen)) == 20
    assert sum(at % 4 == 0 for at in chosen) == 5
    llmeval("labels", "export", "--output", "again.csv", "--sample", "20", "--seed", "3")
    assert (here / "again.csv").read_bytes() == (here / "out.csv").read_bytes()
    llmeval("labels", "export", "--output", "other.csv", "--sample", "20", "--seed", "4")
    assert (here / "other.csv").read_bytes() != (here / "out.csv").read_bytes()


def test_a_file_that_may_hold_labels_is_not_written_over(store: SqliteStore, llmeval: Command, here: Path) -> None:
    fill(store)
    (here / "out.csv").write_text("work of hours")
    done = llmeval("labels", "export", "--output", "out.csv")
    assert done.status == 4
    assert done.err == "llmeval: --output out.csv: already exists, and may hold labels; name another file\n"
    assert (here / "out.csv").read_text() == "work of hours"


GOOD = {"sample_id": "a", "name": "correctness", "level": "right"}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({**GOOD, "sample_id": "z"}, "no such case in the run: sample_id 'z'"),
        ({**GOOD, "model": "n"}, "no such case in the run: sample_id 'a', model n"),
        ({**GOOD, "name": "corectness"}, "no score of a judge 'corectness'; did you mean 'correctness'?"),
        ({**GOOD, "name": "qa"}, "no score of a judge 'qa'; "),
        (
            {**GOOD, "level": "great"},
            "correctness: a label is a number from 0 to 1 or one of wrong, partly, right; found 'great'",
        ),
        (
            {"sample_id": "a", "name": "correctness", "value": 1.5},
            "correctness: a label is a number from 0 to 1 or one of",
        ),
        (
            {"sample_id": "a", "name": "correctness", "value": True},
            "correctness: a label is a number or a level's name, found True",
        ),
        ({**GOOD, "value": 1}, "a label is a name with a value or a level, found name and value and level"),
        ({"name": "correctness", "level": "right"}, "sample_id is missing"),
        ({**GOOD, "epoch": "one"}, "epoch is a whole number from 1, found 'one'"),
        ({**GOOD, "labl": 1}, "unknown column 'labl'; "),
        ([1], "a line must be an object"),
    ],
)
def test_a_line_that_is_no_label_is_named_and_nothing_is_stored(
    store: SqliteStore, llmeval: Command, here: Path, row: Any, told: str
) -> None:
    fill(store)
    done = llmeval("labels", "import", jsonl(here / "in.jsonl", GOOD, row), "--rater", "kim")
    assert done.status == 4
    assert f"{here}/in.jsonl:2: {told}" in done.err
    assert store.labels(RUN) == []


@pytest.mark.parametrize(
    ("first", "second", "by"),
    [
        ({"rater": "kim"}, {"rater": "kim"}, "by kim"),
        ({"rater": "kim"}, {}, "by kim"),
        ({"rater": "kim"}, {"rater": " kim "}, "by kim"),
        ({"rater": "kim"}, {"rater": " "}, "by kim"),
        ({"rater": "kim", "epoch": 1}, {"rater": "kim"}, "by kim"),
    ],
)
def test_a_rater_who_says_two_things_of_one_answer_is_a_mistake(
    store: SqliteStore, llmeval: Command, here: Path, first: Any, second: Any, by: str
) -> None:
    """Which line counts is no matter of their order; the same said twice is once."""
    fill(store)
    rows = [{**GOOD, **first}, {**GOOD, **second, "level": "wrong"}]
    done = llmeval("labels", "import", jsonl(here / "in.jsonl", *rows), "--rater", "kim ")
    assert (done.status, done.out) == (4, "")
    told = f"in.jsonl:2: correctness of sample_id 'a' is 'wrong', and 'right' in {here}/in.jsonl:1, {by}; leave one of"
    assert told in done.err
    assert store.labels(RUN) == []
    twice = [{**GOOD, **first}, {**GOOD, **second}]
    assert llmeval("labels", "import", jsonl(here / "in.jsonl", *twice), "--rater", "kim").status == 0
    assert [each[0] for each in said(store)] == ["a correctness"]


def test_a_name_that_no_suite_has_is_told_before_which_answer_is_meant(
    store: SqliteStore, llmeval: Command, here: Path
) -> None:
    store_run(store, [judged_record("a"), judged_record("a", suite="other", answer="another")])
    done = llmeval("labels", "import", jsonl(here / "in.jsonl", {**GOOD, "name": "corectness"}), "--rater", "kim")
    assert "in.jsonl:1: no score of a judge 'corectness'; did you mean 'correctness'?" in done.err


def test_two_raters_may_differ(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """In calibrate, too, where a file need not name them as long as they agree."""
    fill(store)
    wrong = {**GOOD, "level": "wrong"}
    both = jsonl(here / "in.jsonl", {**GOOD, "rater": "kim"}, {**wrong, "rater": "lee"})
    assert llmeval("labels", "import", both).status == 0
    assert llmeval("calibrate", both).status == 0
    done = llmeval("calibrate", jsonl(here / "nameless.jsonl", GOOD, wrong))
    assert done.status == 4
    assert f"and 'right' in {here}/nameless.jsonl:1, and no rater tells the two apart; leave one of them" in done.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sample_id,label_x,label_x\na,1,1\n", "in.csv:1: column 'label_x' appears twice"),
        ("id,label_x\na,1\n", "in.csv:1: unknown column 'id'"),
        ("model,label_x\nm,1\n", "in.csv:1: no column sample_id"),
        ("sample_id,label_format\na,good\n\na,1,2\n", "in.csv:4: 3 cells under 2 columns"),
        ('sample_id,label_format\na,"good', "in.csv:2: not valid CSV: unexpected end of data"),
        ("", "in.csv: no label in it"),
    ],
)
def test_a_csv_that_is_none_is_named(store: SqliteStore, llmeval: Command, here: Path, text: str, told: str) -> None:
    fill(store)
    (here / "in.csv").write_text(text)
    done = llmeval("labels", "import", "in.csv", "--rater", "kim")
    assert done.status == 4
    assert told in done.err


def test_every_label_has_a_rater(store: SqliteStore, llmeval: Command, here: Path) -> None:
    fill(store)
    done = llmeval("labels", "import", jsonl(here / "in.jsonl", {**GOOD, "rater": "lee"}, GOOD))
    assert done.status == 4
    assert "in.jsonl:2: no rater is named; pass --rater NAME or fill in the column" in done.err


def test_a_label_without_epoch_is_of_every_epoch_with_that_answer(
    store: SqliteStore, llmeval: Command, here: Path
) -> None:
    same = [judged_record("a", epoch=epoch) for epoch in (1, 2)]
    store_run(store, [*same, judged_record("b", epoch=1), judged_record("b", epoch=2, answer="y")])
    assert llmeval("labels", "import", jsonl(here / "in.jsonl", GOOD), "--rater", "kim").status == 0
    assert [each[0] for each in said(store)] == ["a correctness"] * 2
    done = llmeval("labels", "import", jsonl(here / "in.jsonl", {**GOOD, "sample_id": "b"}), "--rater", "kim")
    assert done.status == 4
    assert "in.jsonl:1: sample_id 'b' has 2 different answers in the run; suite, model and epoch say" in done.err
    one = {**GOOD, "sample_id": "b", "epoch": 2}
    told = llmeval("labels", "import", jsonl(here / "in.jsonl", one), "--rater", "kim").out
    assert ": 1 label of run" in " ".join(told.split())


def test_a_run_without_a_judge_has_nothing_to_label(store: SqliteStore, llmeval: Command, here: Path) -> None:
    store_run(store, [record("a")])
    done = llmeval("labels", "export", "--output", "out.csv")
    assert (done.status, done.err) == (
        4,
        f"llmeval: run {RUN} has no answer that a judge judged, so there is nothing to label\n",
    )
    assert not (here / "out.csv").exists()
    done = llmeval("labels", "import", jsonl(here / "in.jsonl", GOOD), "--rater", "kim")
    assert "no score of a judge 'correctness'; no judge scored this suite" in done.err


def test_a_preference_is_no_level_to_label(store: SqliteStore, llmeval: Command, here: Path) -> None:
    preferred = Score(name="qa_preference", value=1.0, passed=None, reason="a in both orders", judge_id="k")
    judges = (judge_record(preference_rubric(qa_rubric()), "k"),)
    store_run(store, [record("a", scores=(preferred,), judges=judges)])
    done = llmeval("labels", "export", "--output", "out.csv")
    assert (done.status, "there is nothing to label" in done.err) == (4, True)


def test_other_files_are_no_labels(store: SqliteStore, llmeval: Command, here: Path) -> None:
    fill(store)
    assert "ending in .csv or .jsonl" in llmeval("labels", "export", "--output", "out.xlsx").err
    (here / "in.txt").write_text("x")
    assert "in.txt: labels are read from files ending in .csv or .jsonl" in llmeval("labels", "import", "in.txt").err
    assert "no.csv: cannot be read" in llmeval("labels", "import", "no.csv", "--rater", "kim").err
    (here / "in.csv").write_bytes(b"sample_id,\xff\n")
    assert "in.csv: byte 11 is not UTF-8; save it as UTF-8" in llmeval("labels", "import", "in.csv").err


def test_as_many_passes_as_failures_are_drawn_on_request(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """Of 36 answers that are right and four that are wrong: all of these, and four others."""
    store_run(store, [judged_record(f"{at}", "right" if at % 10 else "wrong") for at in range(40)])
    told = llmeval("labels", "export", "--by", "correctness", "--output", "out.jsonl", "--sample", "8", "--json").json()
    assert told["draw"] == "verdict of correctness"
    rows = [json.loads(line) for line in (here / "out.jsonl").read_text().splitlines()]
    assert sum(int(row["sample_id"]) % 10 == 0 for row in rows) == 4
    assert {row["draw"] for row in rows} == {"verdict of correctness"}
    done = llmeval("labels", "export", "--by", "corectness", "--output", "no.csv")
    assert (done.status, "--by corectness: no score of a judge; did you mean 'correctness'?" in done.err) == (4, True)
    assert not (here / "no.csv").exists()


def test_of_a_row_with_several_epochs_one_answer_is_given_to_people(
    store: SqliteStore, llmeval: Command, here: Path
) -> None:
    """The first that was judged."""
    cases = [judged_record("a", epoch=epoch) for epoch in (3, 2)]
    store_run(store, [record("a", epoch=1, outcome="error", error_kind="judge"), *cases, judged_record("b", epoch=1)])
    assert llmeval("labels", "export", "--output", "out.csv").status == 0
    assert sorted((row["sample_id"], row["epoch"]) for row in rows_of(here / "out.csv")) == [("a", "2"), ("b", "1")]


def test_labels_of_other_answers_than_the_run_has_are_a_mistake(
    store: SqliteStore, llmeval: Command, here: Path
) -> None:
    """They were exported from another run, or the run that is the newest now is not the one that was labelled."""
    store_run(store, [judged_record("a", answer="Kim"), judged_record("b", answer="Ann")])
    llmeval("labels", "export", "--output", "out.csv")
    write_rows(here / "back.csv", [{**row, "label_format": "bad"} for row in rows_of(here / "out.csv")])
    store_run(store, [judged_record("a", answer="Kim"), judged_record("b", answer="Lou")], "20260102-000000-bbbbbb")
    for command in (
        ["labels", "import", "back.csv", "20260102-000000-bbbbbb", "--rater", "kim"],
        ["calibrate", "back.csv", "--run", "20260102-000000-bbbbbb"],
    ):
        done = llmeval(*command)
        assert done.status == 4
        assert "another answer of sample_id 'b', suite qa, model m, epoch 1 was labelled" in " ".join(done.err.split())
        assert "'a'" not in done.err
    assert said(store) == []
    assert llmeval("labels", "import", "back.csv", RUN, "--rater", "kim").status == 0


def test_what_code_settled_is_not_given_to_people(store: SqliteStore, llmeval: Command, here: Path) -> None:
    store_run(store, [judged_record("a"), settled_record("b")])
    assert llmeval("labels", "export", "--output", "out.csv").status == 0
    assert [row["sample_id"] for row in rows_of(here / "out.csv")] == ["a"]
