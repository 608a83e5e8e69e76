"""A file of labels in a spreadsheet: nothing in it is computed, and every text comes back as it was."""

import csv
from pathlib import Path

from pytest_llmeval.reports.formulas import FORMULA
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.judged_runs import RUN, judged_record, store_run

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
