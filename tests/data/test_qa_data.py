"""The shipped question-answering rows: counts, leaks, answers that hold, and reproduction."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "data" / "qa"
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from data.generators.qa import __main__ as command  # noqa: E402
from data.generators.qa.build import build  # noqa: E402
from data.generators.qa.values import number_words  # noqa: E402

Row = dict[str, Any]
COUNTS = {
    "train": {"factual": 800, "reasoning": 667, "multi_hop": 533},
    "val": {"factual": 12, "reasoning": 10, "multi_hop": 8},
    "test": {"factual": 48, "reasoning": 40, "multi_hop": 32},
}
NAMED = {"largest": -1, "latest": -1, "smallest": 0, "earliest": 0, "middle": 1}


def _read(split: str) -> list[Row]:
    lines = (FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


ROWS = {split: _read(split) for split in COUNTS}
EVERY = [row for rows in ROWS.values() for row in rows]
HELD = ROWS["val"] + ROWS["test"]


@pytest.fixture(scope="module")
def made() -> dict[str, list[Row]]:
    """Return the rows as the generator makes them now."""
    return build()


def _of(kind: str, answerable: bool = True) -> list[Row]:
    return [row for row in EVERY if row["slice"] == kind and row["metadata"]["answerable"] is answerable]


def _accepted(row: Row) -> list[str]:
    return [row["target"]["answer"], *row["target"]["aliases"]]


# --- shape and counts ---


@pytest.mark.parametrize("split", COUNTS)
def test_slices_have_the_stated_sizes(split: str) -> None:
    assert Counter(row["slice"] for row in ROWS[split]) == COUNTS[split]


def test_val_and_test_together_have_sixty_fifty_forty() -> None:
    assert Counter(row["slice"] for row in HELD) == {"factual": 60, "reasoning": 50, "multi_hop": 40}


def test_rows_have_the_stated_shape() -> None:
    for row in EVERY:
        assert set(row) - {"marks"} == {"id", "input", "target", "slice", "metadata"}
        assert set(row["input"]) == {"context", "question"}
        assert set(row["target"]) == {"answer", "aliases"}
        assert {"topic", "layout", "operation", "answerable"} <= set(row["metadata"])
        assert row["target"]["answer"] and all(row["target"]["aliases"])
        assert row["input"]["question"].endswith("?")
        assert re.fullmatch(r"[a-z]+-\d{4}", row["id"])


def test_ids_are_unique_over_the_splits() -> None:
    assert len({row["id"] for row in EVERY}) == len(EVERY) == 2150


def test_texts_are_clean_and_short() -> None:
    for row in EVERY:
        text = row["input"]["context"] + " " + row["input"]["question"]
        assert not re.search(r"[{}<>|]|  | [.,;:!?]|\.\.|a\(n\)", text), row["id"]
        assert not re.search(r"\b[Aa] [aeio]\w|\b[Aa]n (?!hour)[b-df-hj-np-tv-z]\w", text), row["id"]
        words = len(text.split())
        assert 38 <= words <= (100 if row["slice"] == "factual" else 260), row["id"]


def test_no_answer_is_worn_out() -> None:
    for rows in (ROWS["train"], HELD):
        answers = Counter(row["target"]["answer"] for row in rows)
        answers.pop("not stated")
        assert answers.most_common(1)[0][1] <= 0.03 * len(rows)


def test_marks_are_forty_and_spread() -> None:
    marked = [row for row in ROWS["test"] if "marks" in row]
    assert all(row["marks"] == ["regression"] for row in marked)
    assert not any("marks" in row for row in ROWS["train"] + ROWS["val"])
    by_slice = Counter(row["slice"] for row in marked)
    assert sum(by_slice.values()) == 40
    for kind, total in COUNTS["test"].items():
        assert abs(by_slice[kind] - total / 3) < 1
    assert len({row["metadata"]["topic"] for row in marked}) >= 12
    assert any(not row["metadata"]["answerable"] for row in marked)


def test_the_first_twenty_test_rows_meet_every_slice() -> None:
    first = ROWS["test"][:20]
    by_slice = Counter(row["slice"] for row in first)
    for kind, total in COUNTS["test"].items():
        assert abs(by_slice[kind] - total / 6) <= 2
    assert any(not row["metadata"]["answerable"] for row in first)


# --- reproduction ---


def test_the_generator_reproduces_the_files(made: dict[str, list[Row]]) -> None:
    for split, rows in made.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        assert (FOLDER / f"{split}.jsonl").read_bytes() == text.encode("utf-8")


def test_check_fails_on_a_changed_or_absent_file(
    made: dict[str, list[Row]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "build", lambda: made)
    assert command.main(["--check", "--out", str(tmp_path)]) == 1
    assert command.main(["--out", str(tmp_path)]) == 0
    assert command.main(["--check", "--out", str(tmp_path)]) == 0
    path = tmp_path / "val.jsonl"
    path.write_bytes(path.read_bytes().replace(b"not stated", b"not Stated", 1))
    assert command.main(["--check", "--out", str(tmp_path)]) == 1


def test_the_readme_gives_the_checksums() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for split in COUNTS:
        digest = hashlib.sha256((FOLDER / f"{split}.jsonl").read_bytes()).hexdigest()
        assert re.search(rf"{split}\.jsonl.*{digest}", readme), f"{split}.jsonl has sha256 {digest}"


# --- leaks ---


def test_no_input_stands_twice() -> None:
    assert len({(row["input"]["context"], row["input"]["question"]) for row in EVERY}) == len(EVERY)
    assert len({row["input"]["context"] for row in EVERY}) == len(EVERY)


def test_no_layout_and_entities_stand_twice() -> None:
    combos = Counter((row["metadata"]["layout"], frozenset(row["metadata"]["entities"])) for row in EVERY)
    assert combos.most_common(1)[0][1] == 1
    for row in EVERY:
        assert row["metadata"]["entities"]
        whole = row["input"]["context"].lower()
        assert all(name.lower() in whole for name in row["metadata"]["entities"]), row["id"]


def _tokens(row: Row) -> frozenset[str]:
    """Return the distinct lower-case runs of word characters in context and question."""
    return frozenset(re.findall(r"\w+", f"{row['input']['context']} {row['input']['question']}".lower()))


def test_no_train_row_is_close_to_a_held_row() -> None:
    train = [(row["id"], _tokens(row)) for row in ROWS["train"]]
    for row in HELD:
        bag = _tokens(row)
        for name, other in train:
            common = len(bag & other)
            assert common <= 0.8 * (len(bag) + len(other) - common), (row["id"], name)


def test_a_third_of_the_held_rows_have_a_layout_of_their_own() -> None:
    seen = {row["metadata"]["layout"] for row in ROWS["train"]}
    own = [row for row in HELD if row["metadata"]["layout"] not in seen]
    assert len(own) >= 0.3 * len(HELD)
    topics = {row["metadata"]["topic"] for row in EVERY}
    assert len(topics) >= 15
    assert topics - {row["metadata"]["topic"] for row in ROWS["train"]} == {
        "apiary",
        "observatory",
        "theatre",
    }


# --- answers ---


def test_factual_answers_stand_in_the_context_once() -> None:
    for row in _of("factual"):
        context = row["input"]["context"]
        assert context.count(row["target"]["answer"]) == 1, row["id"]
        assert "\n\n" not in context


def _stands(operand: int | str, context: str) -> bool:
    """Return whether a number, a time or a date stands in the context in some spelling."""
    if isinstance(operand, int):
        forms = [f"{operand:,}", str(operand), number_words(operand)]
    elif ":" in operand:
        hour, minute = (int(part) for part in operand.split(":"))
        half = "pm" if hour >= 12 else "am"
        forms = [f"{hour}:{minute:02d}", f"{hour % 12 or 12}:{minute:02d} {half}"]
    else:
        day = datetime.date.fromisoformat(operand)
        forms = [f"{day.day} {day:%B}"]
    return any(re.search(rf"(?<![\w,]){re.escape(form)}(?![\d:])", context) for form in forms)


def _minutes(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])


def _days(first: str, second: str) -> int:
    return (datetime.date.fromisoformat(second) - datetime.date.fromisoformat(first)).days


def _later(day: str, days: int) -> str:
    then = datetime.date.fromisoformat(day) + datetime.timedelta(days=days)
    return f"{then.day} {then:%B}"


def _time(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"


def _span(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours} hour{'s' * (hours > 1)}"] * (hours > 0) + [f"{rest} minutes"] * (rest > 0)
    return " ".join(parts)


SOLVERS: dict[str, Callable[[Sequence[Any]], int | str]] = {
    "sum": lambda v: sum(v),
    "difference": lambda v: max(v) - min(v),
    "product": lambda v: math.prod(v),
    "quotient": lambda v: v[0] // v[1],
    "remainder": lambda v: v[0] - v[1],
    "percent_of": lambda v: v[0] * v[1] // 100,
    "scale": lambda v: v[0] // v[1] * v[2] if v[0] % v[1] == 0 else v[0] * v[2] // v[1],
    "product_plus": lambda v: v[0] * v[1] + v[2],
    "two_products": lambda v: v[0] * v[1] + v[2] * v[3],
    "days_between": lambda v: _days(v[0], v[1]),
    "year_after": lambda v: v[0] + v[1],
    "time_between": lambda v: _span(_minutes(v[1]) - _minutes(v[0])),
    "time_after": lambda v: _time(_minutes(v[0]) + v[1]),
    "date_after": lambda v: _later(v[0], v[1]),
}


def _order(value: int | str) -> int:
    if isinstance(value, int):
        return value
    return _minutes(value) if ":" in value else datetime.date.fromisoformat(value).toordinal()


def test_reasoning_answers_can_be_computed_again() -> None:
    for row in _of("reasoning"):
        meta, answer = row["metadata"], row["target"]["answer"]
        operands = meta["operands"]
        assert all(_stands(operand, row["input"]["context"]) for operand in operands), row["id"]
        if meta["operation"] in NAMED:
            ranked = sorted(operands, key=_order)
            assert len(set(ranked)) == len(ranked), row["id"]
            assert answer == meta["names"][operands.index(ranked[NAMED[meta["operation"]]])], row["id"]
            assert len(ranked) == 3 or all(name in row["input"]["question"] for name in meta["names"])
            continue
        result = SOLVERS[meta["operation"]](operands)
        if isinstance(result, str):
            assert result in _accepted(row), row["id"]
        else:
            number = re.match(r"[\d,]+", answer)
            assert number is not None, row["id"]
            assert int(number[0].replace(",", "")) == result, row["id"]
            assert result > 1 and {str(result), number_words(result)} & set(_accepted(row)), row["id"]


def test_fractions_are_never_cut_off() -> None:
    for row in _of("reasoning"):
        values = row["metadata"]["operands"]
        if row["metadata"]["operation"] == "quotient":
            assert values[0] % values[1] == 0
        if row["metadata"]["operation"] == "percent_of":
            assert values[0] * values[1] % 100 == 0
        if row["metadata"]["operation"] == "scale":
            assert values[0] * values[2] % values[1] == 0


def test_multi_hop_answers_need_two_passages() -> None:
    for row in _of("multi_hop"):
        chain, question = row["metadata"]["chain"], row["input"]["question"]
        pages = row["input"]["context"].split("\n\n")
        assert 2 <= len(pages) <= 3 and all("\n" in page for page in pages), row["id"]
        answer = row["target"]["answer"]
        last = [page for page in pages if answer in page]
        assert len(last) == 1, row["id"]
        # without that passage the answer is gone, and alone it does not name what is asked about
        assert chain[0] in question and chain[0] not in last[0], row["id"]
        assert not any(link in question for link in chain[1:]), row["id"]
        # each link between stands in two passages, and the first one next to what is asked about
        for link in chain[1:-1]:
            assert sum(link.lower() in page.lower() for page in pages) >= 2, row["id"]
        assert any(chain[0] in page and chain[1] in page for page in pages if page is not last[0]), row["id"]
        # a rival of the same kind stands beside the answer
        assert row["metadata"]["foil"] in last[0] and row["metadata"]["foil"] != answer, row["id"]


def test_unanswerable_rows_do_not_state_the_asked_fact() -> None:
    for split, rows in ROWS.items():
        for kind, total in COUNTS[split].items():
            here = [row for row in rows if row["slice"] == kind and not row["metadata"]["answerable"]]
            assert abs(len(here) - total / 10) < 1
    for row in EVERY:
        meta = row["metadata"]
        assert (row["target"]["answer"] == "not stated") is (not meta["answerable"])
        if meta["answerable"]:
            assert "withheld" not in meta
            continue
        context, withheld = row["input"]["context"], meta["withheld"]
        assert withheld not in context, row["id"]
        assert "not mentioned" in row["target"]["aliases"]
        if number := re.match(r"[\d,:]+", withheld):
            assert not re.search(rf"(?<![\w,.]){re.escape(number[0])}(?![\w,:])", context), row["id"]


def test_aliases_cover_other_notations() -> None:
    for row in EVERY:
        answer, aliases = row["target"]["answer"], row["target"]["aliases"]
        assert answer not in aliases and len(set(aliases)) == len(aliases)
        if match := re.fullmatch(r"(\d+) [a-z]+", answer):
            assert match[1] in aliases or "hour" in answer, row["id"]
        if re.fullmatch(r"\d{1,2} [A-Z][a-z]+", answer):
            day, month = answer.split()
            assert f"{month} {day}" in aliases
        if re.fullmatch(r"\d,\d{3}", answer):
            assert answer.replace(",", "") in aliases
