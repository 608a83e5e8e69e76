"""A file of labels in a spreadsheet: nothing in it is computed, and every text comes back as it was."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_llmeval.core.transport import as_json
from pytest_llmeval.reports.formulas import FORMULA
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.full_disk import largest_file
from tests.support.judged_runs import RUN, judged_record, store_run
from tests.support.records import call

TEXTS = [
    "ok;=1+1;x",
    "ok;'=1",
    "a\n- b\n'- c",
    'a;"=1"',
    "x\t@y",
    ";'",
    "=1+1",
    " =1+1",
    "\uff1d1+1",
    "\n=1+1",
    "\t=",
    "-1",
    "'=1+1",
    "''=1+1",
    "' @x",
    "'quoted'",
    "it's",
    "a=1",
    "'",
]


def test_a_text_is_no_formula_and_comes_back_as_it_was(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """Full-width signs and blanks before a sign included, and an apostrophe that stood there before."""
    store_run(store, [judged_record(text, answer=text) for text in TEXTS])
    llmeval("labels", "export", "--output", "out.csv")
    with open(here / "out.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(TEXTS)
    assert not [cell for row in rows for cell in row.values() if FORMULA.match(cell)]
    with open(here / "out.csv", encoding="utf-8-sig", newline="") as file:
        assert not [cell for row in csv.reader(file, delimiter=";") for cell in row if FORMULA.match(cell)]
    with open(here / "back.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "label_format": "good", "note": row["answer"]} for row in rows)
    done = llmeval("labels", "import", "back.csv", "--rater", "kim")
    assert (done.status, done.err) == (0, "")
    samples = {case.id: case.key.sample_id for case in store.cases(RUN)}
    assert {samples[each.case_id]: each.note for each in store.labels(RUN)} == {text: text for text in TEXTS}


def test_people_read_the_texts_of_the_row(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """As the page shows them; what stays as it was quoted for the judge says so beside the levels."""
    own = judged_record("own", answer="<b>\u200b", reference="<b>", target=as_json("<b>"))
    passed_on = judged_record("passed on", answer="<i>", reference="<b>", target=as_json("<b>"))
    store_run(store, [own, replace(passed_on, calls=(call(response="So: <i>"), *passed_on.calls[1:]))])
    llmeval("labels", "export", "--output", "out.jsonl")
    rows = {row["sample_id"]: row for row in map(json.loads, (here / "out.jsonl").read_text().splitlines())}
    assert [rows["own"][name] for name in ("question", "answer", "reference")] == ["Who?", "<b>\u200b", "<b>"]
    assert [rows["passed on"][name] for name in ("answer", "reference")] == ["< i>", "< b>"]
    assert ["as it was quoted for the judge" in rows[name]["levels"] for name in ("own", "passed on")] == [False, True]
    rows["own"]["label_format"] = rows["passed on"]["label_format"] = "good"
    (here / "back.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows.values()))
    done = llmeval("labels", "import", "back.jsonl", "--rater", "kim")
    assert (done.status, done.err) == (0, "")


def test_a_number_that_no_float_holds_is_told_with_its_line(store: SqliteStore, llmeval: Command, here: Path) -> None:
    store_run(store, [judged_record("a", answer="x")])
    (here / "l.jsonl").write_text(f'{{"sample_id": "a", "name": "format", "value": 1{"0" * 400}}}\n')
    done = llmeval("labels", "import", "l.jsonl", "--rater", "kim")
    assert done.status == 4
    assert "l.jsonl:1: format: a label is a number from 0 to 1, found 1000" in done.err


def test_an_export_that_finds_no_room_leaves_no_file(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """Half of one would keep the next one away, as it may hold labels."""
    store_run(store, [judged_record(str(each), answer="x" * 1000) for each in range(30)])
    with largest_file(20_000):
        done = llmeval("labels", "export", "--output", "out.csv")
    assert done.status == 4
    assert "out.csv: cannot be written: File too large" in done.err
    assert not (here / "out.csv").exists()
    assert llmeval("labels", "export", "--output", "out.csv").status == 0


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_all_wrong_lines_of_a_file_are_told_together(
    store: SqliteStore, llmeval: Command, here: Path, ending: str
) -> None:
    store_run(store, [judged_record("a", answer="x")])
    rows = [{"sample_id": "a", "name": "format", "level": "good", "epoch": epoch} for epoch in ["1", *"x" * 24, "2"]]
    with open(here / f"l.{ending}", "w", encoding="utf-8", newline="") as file:
        if ending == "csv":
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.write("".join(f"{json.dumps(row)}\n" for row in rows).replace('"x"', '"x'))
    done = llmeval("labels", "import", f"l.{ending}", "--rater", "kim")
    assert done.status == 4
    wrong = "epoch is a whole number from 1, found 'x'" if ending == "csv" else "not valid JSON: "
    first = 3 if ending == "csv" else 2
    assert [f"l.{ending}:{line}: {wrong}" in done.err for line in (first, first + 19, first + 20)] == [
        True,
        True,
        False,
    ]
    assert "… and 4 more wrong lines" in done.err


def test_targets_of_a_database_of_elsewhere_are_shown_as_they_are(
    store: SqliteStore, llmeval: Command, here: Path
) -> None:
    store_run(store, [replace(judged_record("a", answer="x"), target="{no JSON")])
    done = llmeval("labels", "export", "--output", "out.jsonl")
    assert (done.status, done.err) == (0, "")
