"""Tables for a spreadsheet: numbers stay numbers, no text is a formula, and every row has its columns."""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.reports.export_csv import cases_csv, summary_csv
from pytest_llmeval.reports.exported import exported_cases
from pytest_llmeval.store.sqlite import SqliteStore
from tests.reports.sides import judged
from tests.support.hostile import harmless
from tests.support.hostile_run import hostile_run
from tests.support.memory_store import MemoryStore
from tests.support.records import call, record, score, storable_texts
from tests.support.stored_runs import run

FORMULA = re.compile("\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
NUMBER = re.compile(r"[-+]?[\d.]+([eE][-+]?\d+)?")


def parsed(lines: Iterable[str]) -> list[dict[str, str]]:
    """Return the rows as a reader of CSV gets them; all have the columns of the first line."""
    text = "".join(f"{line}\n" for line in lines)
    table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert {len(row) for row in table} == {len(table[0])}
    assert len({*table[0]}) == len(table[0])
    return [dict(zip(table[0], row, strict=True)) for row in table[1:]]


def told_lines(*cases: object, names: dict[str, bool] | None = None) -> Iterable[str]:
    """Return the lines of the table of some cases."""
    store = MemoryStore()
    store.start_run(run())
    for case in cases:
        store.add_case(run().id, case)  # type: ignore[arg-type]
    return cases_csv("r1", names or {}, exported_cases(store, run().id))


def told(*cases: object, names: dict[str, bool] | None = None) -> list[dict[str, str]]:
    """Return the table of some cases."""
    return parsed(told_lines(*cases, names=names))


def test_a_case_is_a_row() -> None:
    scores = (
        score("exact", 0.0, False, reason="expected 'a'\ngot 'b'", decided_by="panel"),
        score("f1", 0.25, None),
    )
    case = record("fr", slices=("easy", "é"), outcome="missed", scores=scores, calls=(call(),), target='"Paris"')
    assert told(case, names={"exact": True, "f1": False}) == [
        {
            "run": "r1",
            "suite": "qa",
            "slices": '["easy", "é"]',
            "sample_id": "fr",
            "model": "m",
            "epoch": "1",
            "outcome": "missed",
            "error_kind": "",
            "error": "",
            "input": "q",
            "response": "x",
            "expected": '"Paris"',
            "latency_s": "2.0",
            "input_tokens": "10",
            "output_tokens": "5",
            "cost_usd": "0.5",
            "attempts": "1",
            "cached": "0",
            "started_at": "2025-01-02T03:04:05.678+00:00",
            "nodeid": "t.py::test[fr]",
            "exact.value": "0.0",
            "exact.passed": "0",
            "exact.reason": "expected 'a'\ngot 'b'",
            "exact.decided_by": "panel",
            "f1.value": "0.25",
            "f1.passed": "",
            "f1.reason": "",
        }
    ]


def test_a_case_without_a_score_leaves_its_cells_empty() -> None:
    (row,) = told(record("a", outcome="error", error_kind="code", error="boom"), names={"f1": False})
    assert (row["error"], row["f1.value"], row["f1.passed"], row["f1.reason"], row["response"]) == ("boom", *[""] * 4)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1+1", "'+1+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1+1", "'\t'=1+1"),
        ("\n=1+1", "'\n'=1+1"),
        ("  =1+1", "'  =1+1"),
        ("\uff1dcmd|' /C calc'!A0", "'\uff1dcmd|' /C calc'!A0"),
        ("\uff0d1\uff0b1", "'\uff0d1\uff0b1"),
        ("\uff201", "'\uff201"),
        ("- a list", "'- a list"),
        ("\r=1+1", "\\x0d=1+1"),
        ("\u200b=1+1", "\\u200b=1+1"),
        ("-2.5", "-2.5"),
        ("+1e3", "+1e3"),
        ("-.5", "-.5"),
        ("1=1", "1=1"),
        ("a\n=1+1", "a\n'=1+1"),
        ("a\n\n - b\nc-d\n", "a\n\n' - b\nc-d\n"),
        ("a;=1;-2;b=3", "a;'=1;'-2;b=3"),
        ('a;"=1"\t@x', "a;'\"=1\"\t'@x"),
        ("a\x00b\x1b[31m", "a\\x00b\\x1b[31m"),
        ('"', '"'),
    ],
)
def test_what_a_spreadsheet_takes_for_a_formula_gets_an_apostrophe(text: str, cell: str) -> None:
    """Numbers do not; what stands behind a semicolon, a tab or a line end begins a cell for some."""
    (row,) = told(record("a", calls=(call(response=text),)))
    assert row["response"] == cell


def split(lines: Iterable[str], delimiter: str) -> list[str]:
    """Return the cells as a program gets them that takes another sign to part them, and no offence."""
    text = "".join(f"{line}\n" for line in lines)
    return [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in row]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_is_a_formula_whatever_sign_parts_cells(delimiter: str) -> None:
    """Excel takes a semicolon where numbers have a decimal comma."""
    answer = 'ok;=1+cmd|\' /C calc\'!A0;x\n=2+3;y\t-1;"@SUM(1)";""=4, z;  +5\n\n- six'
    cells = split(told_lines(record("a", calls=(call(response=answer),))), delimiter)
    assert len(cells) > 4 and any("cmd" in cell for cell in cells)
    assert not [cell for cell in cells if FORMULA.match(cell)]


@given(st.lists(st.text("a'\";,=-\t\n ", max_size=12), min_size=1, max_size=3), st.sampled_from(",;\t"))
def test_no_text_begins_a_formula_whatever_sign_parts_cells(texts: list[str], delimiter: str) -> None:
    cases = [record(f"{place}", calls=(call(response=text),), target=text) for place, text in enumerate(texts)]
    assert not [cell for cell in split(told_lines(*cases), delimiter) if re.match("\\s*[=+\\-@]", cell)]


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        (r'"4,90 \u20ac"', '"4,90 €"'),
        (
            r'{"a": "f\u00fcr", "n": 12345678901234567890, "x": 0.5}',
            '{"a": "für", "n": 12345678901234567890, "x": 0.5}',
        ),
        (r'"half \ud83d of a pair"', r'"half \ud83d of a pair"'),
        (r"no JSON, \u20ac", r"no JSON, \u20ac"),
    ],
)
def test_what_was_expected_stands_in_its_own_letters(kept: str, shown: str) -> None:
    """As the answer beside it does; only half of a surrogate pair, which no file can hold, stays an escape."""
    (row,) = told(record("a", target=kept))
    assert row["expected"] == shown


def test_numbers_of_ours_are_numbers() -> None:
    """Scores that are recorded may be negative."""
    (row,) = told(record("a", scores=(score("gain", -2.5),)), names={"gain": False})
    assert row["gain.value"] == "-2.5"


def test_a_long_text_is_cut_where_a_cell_ends() -> None:
    """Excel takes 32,767 characters."""
    (row,) = told(record("a", calls=(call(response="x" * 40_000),)))
    assert row["response"] == "x" * 32_000 + "... 8000 characters more"


@given(st.lists(storable_texts, min_size=1, max_size=4))
def test_any_text_stays_in_its_cell(texts: list[str]) -> None:
    """A table has as many rows as cases, whatever they hold."""
    cases = [record(f"{place}{text}", calls=(call(response=text),), slices=(text,)) for place, text in enumerate(texts)]
    rows = told(*cases)
    assert len(rows) == len(texts)
    assert not [row for row in rows for cell in row.values() if FORMULA.match(cell) and not NUMBER.fullmatch(cell)]


def test_nothing_hostile_runs_breaks_or_lies(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "x.db")
    made = hostile_run(store)
    cases = list(cases_csv(made.id, store.score_names(made.id), exported_cases(store, made.id)))
    summary = list(summary_csv(made.id, list(store.judged(made.id))))
    store.close()
    for lines in (cases, summary):
        harmless(*lines)
        for row in parsed(lines):
            for title, cell in row.items():
                assert not FORMULA.match(title), title
                assert NUMBER.fullmatch(cell) or not FORMULA.match(cell), (title, cell)
    assert [row["outcome"] for row in parsed(cases)] == ["passed", "missed", "error"] * (len(parsed(cases)) // 3)


def test_the_summary_has_a_row_for_each_metric_of_each_part() -> None:
    """Means and intervals are those of the gate; misses and errors are cases."""
    cases = [judged(number, float(number > 1), slices=("hard",) if number < 3 else ()) for number in range(8)]
    cases.append(judged("broken", outcome="error", error_kind="code"))
    rows = parsed(summary_csv("r1", cases))
    assert [(row["slice"], row["metric"], row["n"], row["misses"], row["errors"]) for row in rows] == [
        ("", "pass_rate", "8", "2", "1"),
        ("", "f1", "8", "2", "1"),
        ("hard", "pass_rate", "3", "2", "0"),
        ("hard", "f1", "3", "2", "0"),
    ]
    assert rows[0] | {"low": "", "high": ""} == {
        "run": "r1",
        "suite": "qa",
        "model": "m",
        "slice": "",
        "metric": "pass_rate",
        "n": "8",
        "mean": "0.75",
        "low": "",
        "high": "",
        "misses": "2",
        "errors": "1",
        "skipped": "0",
        "cases": "9",
    }
    assert 0 < float(rows[0]["low"]) < 0.75 < float(rows[0]["high"]) < 1


def test_what_counts_nowhere_is_no_miss() -> None:
    """A row that was expected to fail and scored: 9 of 9 others passed."""
    failed = judged("x", 0.0, outcome="skipped")
    rows = parsed(summary_csv("r1", [*(judged(each, 1.0) for each in range(9)), failed]))
    assert {row["metric"]: (row["n"], row["misses"]) for row in rows if row["metric"] in ("f1", "pass_rate")} == {
        "f1": ("9", "0"),
        "pass_rate": ("9", "0"),
    }
