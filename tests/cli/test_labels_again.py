"""Labels that are imported again: what stays of the earlier ones that they take the place of."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.clock import stored_time, utc
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.cli.test_labels import GOOD, fill, jsonl, rows_of, write_rows
from tests.support.judged_runs import RUN

BY_VERDICT = "verdict of correctness"
JANUARY = "2026-01-05T09:30:00.000+00:00"


def say(llmeval: Command, here: Path, rater: str = "kim", **fields: Any) -> None:
    """Import one label of row a."""
    row = {key: value for key, value in {**GOOD, **fields}.items() if value is not None}
    done = llmeval("labels", "import", jsonl(here / "in.jsonl", row), "--rater", rater)
    assert done.status == 0, done.err


def test_how_answers_were_drawn_is_stored_with_their_labels(store: SqliteStore, llmeval: Command, here: Path) -> None:
    fill(store)
    llmeval("labels", "export", "--by", "format", "--output", "out.csv")
    write_rows(here / "back.csv", [{**row, "label_format": "bad"} for row in rows_of(here / "out.csv")])
    assert llmeval("labels", "import", "back.csv", "--rater", "kim").status == 0
    assert {each.draw for each in store.labels(RUN)} == {"verdict of format"}
    assert llmeval("labels", "import", jsonl(here / "in.jsonl", GOOD), "--rater", "lee").status == 0
    assert [each.draw for each in store.labels(RUN) if each.rater == "lee"] == [None]
    done = llmeval("labels", "import", jsonl(here / "no.jsonl", {**GOOD, "draw": "by hand"}), "--rater", "kim")
    assert done.status == 4
    assert "no.jsonl:1: draw: a draw is 'random' or 'verdict of SCORE', found 'by hand'" in done.err


@pytest.mark.parametrize("level", ["right", "wrong"])
@pytest.mark.parametrize(
    ("before", "now", "kept"),
    [
        ("random", None, "random"),
        ("random", BY_VERDICT, "random"),
        (BY_VERDICT, None, BY_VERDICT),
        (BY_VERDICT, "random", "random"),
        (BY_VERDICT, "verdict of format", BY_VERDICT),
        (None, BY_VERDICT, None),
        (None, "random", "random"),
        (None, None, None),
    ],
)
def test_a_correction_leaves_how_the_answer_was_drawn(
    store: SqliteStore, llmeval: Command, here: Path, level: str, before: str | None, now: str | None, kept: str | None
) -> None:
    """Be it that nobody knows; one that was once drawn by chance stays so."""
    fill(store)
    say(llmeval, here, draw=before)
    say(llmeval, here, "lee", draw=before)
    say(llmeval, here, level=level, draw=now)
    found = {each.rater: (each.value, each.draw) for each in store.labels(RUN)}
    assert found == {"kim": (float(level == "right"), kept), "lee": (1.0, before)}


def given_at(store: SqliteStore) -> dict[str, str]:
    """Return when the labels of row a were given, by rater."""
    return {each.rater: each.at for each in store.labels(RUN)}


@pytest.mark.parametrize(
    ("changed", "is_kept"),
    [({}, True), ({"level": "partly"}, False), ({"note": "hm"}, False), ({"draw": "random"}, True)],
)
def test_a_label_that_says_nothing_new_is_as_old_as_it_was(
    store: SqliteStore, llmeval: Command, here: Path, changed: dict[str, str], is_kept: bool
) -> None:
    """A file that comes again with every run makes no old label new."""
    fill(store)
    say(llmeval, here)
    (label,) = store.labels(RUN)
    store.add_labels([replace(label, at=JANUARY), replace(label, at=JANUARY, rater="lee")])
    say(llmeval, here, **changed)
    found = given_at(store)
    assert ((found["kim"] == JANUARY), found["lee"]) == (is_kept, JANUARY)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{}, {"name": "format", "level": "good"}], "2 of them repeat earlier ones and keep their dates: where people"),
        ([{}, {"name": "format", "level": "bad"}], "1 of them repeats an earlier one and keeps its date: where people"),
        ([{"at": "2026-02-01"}, {"name": "format", "level": "bad"}], None),
    ],
)
def test_a_label_that_keeps_its_date_is_told(
    store: SqliteStore, llmeval: Command, here: Path, rows: list[dict[str, Any]], told: str | None
) -> None:
    """Else those who label anew, as the gate tells them to, would not know why its labels are too old as before."""
    fill(store)
    before = [GOOD, {**GOOD, "name": "format", "level": "good"}]
    first = llmeval("labels", "import", jsonl(here / "first.jsonl", *before), "--rater", "kim")
    assert "column at" not in first.out
    done = llmeval("labels", "import", jsonl(here / "in.jsonl", *({**GOOD, **row} for row in rows)), "--rater", "kim")
    said = " ".join(done.out.split())
    assert "2 labels of run" in said and "0 new, 2 in place of earlier ones" in said
    assert (told or "") in said and ("put the new date into the column `at`" in said) == (told is not None)


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ("2026-01-05", "2026-01-05T23:59:59.999+00:00"),
        ("20260105", "2026-01-05T23:59:59.999+00:00"),
        ("2026-01-05T00:00", "2026-01-05T00:00:00.000+00:00"),
        (" 2026-01-05 09:30 ", JANUARY),
        ("2026-01-05T09:30:00Z", JANUARY),
        ("2026-01-05T10:30+01:00", JANUARY),
    ],
)
def test_a_file_may_say_when_its_labels_were_given(
    store: SqliteStore, llmeval: Command, here: Path, told: str, at: str
) -> None:
    """Which counts for a label that was there before, too; without a time zone it is in UTC, without a time the end."""
    fill(store)
    say(llmeval, here)
    say(llmeval, here, at=told)
    say(llmeval, here, "lee", at=told)
    assert given_at(store) == {"kim": at, "lee": at}


@pytest.mark.parametrize("days", [0, 1])
def test_a_label_of_today_is_at_most_as_late_as_it_is(
    store: SqliteStore, llmeval: Command, here: Path, days: int
) -> None:
    """Else one that comes later would not count; a day begins sooner in some places than in UTC."""
    fill(store)
    before = utc()
    say(llmeval, here, at=(before + timedelta(days=days)).date().isoformat())
    assert stored_time(before) <= given_at(store)["kim"] <= stored_time(utc())


@pytest.mark.parametrize(
    "at", ["5/1/2026", "yesterday", "2026-02-30", "0001-01-01T00:00+14:00", "9999-01-01", 20260105]
)
def test_when_a_label_was_given_is_a_date_that_was(
    store: SqliteStore, llmeval: Command, here: Path, at: str | int
) -> None:
    fill(store)
    done = llmeval("labels", "import", jsonl(here / "in.jsonl", {**GOOD, "at": at}), "--rater", "kim")
    assert (done.status, store.labels(RUN)) == (4, [])
    assert f"in.jsonl:1: at: a label is dated like 2026-01-31, at the latest today, found {at!r}" in done.err


def test_an_exported_sheet_has_room_for_the_date(store: SqliteStore, llmeval: Command, here: Path) -> None:
    fill(store)
    assert llmeval("labels", "export", "--output", "out.csv").status == 0
    rows = [{**row, "label_format": "good", "at": "2026-01-05"} for row in rows_of(here / "out.csv")]
    write_rows(here / "back.csv", rows)
    assert llmeval("labels", "import", "back.csv", "--rater", "kim").status == 0
    assert given_at(store) == {"kim": "2026-01-05T23:59:59.999+00:00"}
