"""The rows of data/json_extraction: what they hold, that they can be made again, that nothing leaks."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the generator is run from the repository root and is not installed

from data.generators.json_extraction import __main__ as command  # noqa: E402
from data.generators.json_extraction.draw import SPLITS, Draw, split_part  # noqa: E402
from data.generators.json_extraction.files import file_bytes  # noqa: E402
from data.generators.json_extraction.kinds import KINDS, invoice  # noqa: E402
from data.generators.json_extraction.notation import date_text, money_text, time_text  # noqa: E402
from data.generators.json_extraction.people import _NAMES  # noqa: E402
from data.generators.json_extraction.rows import Row, all_rows  # noqa: E402

FOLDER = ROOT / "data" / "json_extraction"
STYLES = "iso ymd_slash dots slash_day slash_month long short ordinal us_long us_short us_ordinal".split()  # noqa: SIM905
SLICES = ("easy", "medium", "hard", "domain")
LINES = [(split, line) for split in SPLITS for line in (FOLDER / f"{split}.jsonl").read_text("utf-8").splitlines()]
ROWS: list[tuple[str, dict[str, Any]]] = [(split, json.loads(line)) for split, line in LINES]


def of(*splits: str) -> list[dict[str, Any]]:
    """Return the rows of the splits, in the order of the files."""
    return [row for split, row in ROWS if split in splits]


def tokens(text: str) -> frozenset[str]:
    """Return the set of lower-case runs of letters, digits and underscores: the Jaccard tokens."""
    return frozenset(re.findall(r"\w+", text.lower()))


def nearest(ours: list[frozenset[str]], theirs: list[frozenset[str]]) -> float:
    """Return the highest Jaccard index of a set of one list with a set of the other."""
    best = 0.0
    for one in ours:
        for other in theirs:
            if min(len(one), len(other)) > best * max(len(one), len(other)):
                common = len(one & other)
                best = max(best, common / (len(one) + len(other) - common))
    return best


def leaves(schema: dict[str, Any], value: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield each plain value of a target with its schema."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(schema["properties"][key], part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(schema["items"], part)
    else:
        yield schema, value


def described(row: dict[str, Any]) -> list[tuple[dict[str, Any], Any]]:
    """Return the plain values of the row's target, each with its schema."""
    return list(leaves(row["input"]["schema"], row["target"]))


@pytest.fixture(scope="module")
def made() -> dict[str, Row]:
    """The rows as the generator makes them, with their entities, by id."""
    return {row.data["id"]: row for row in all_rows()}


@pytest.fixture(scope="module")
def contents(made: dict[str, Row]) -> dict[str, bytes]:
    """The content of the files as the generator makes them, by name."""
    return file_bytes(list(made.values()))


def test_number_of_rows_and_slices() -> None:
    assert Counter(split for split, _ in ROWS) == {"train": 2000, "val": 30, "test": 120}
    assert Counter(row["slice"] for row in of("val", "test")) == {
        "easy": 50,
        "medium": 50,
        "hard": 30,
        "domain": 20,
    }
    for split in SPLITS:
        assert {row["slice"] for row in of(split)} == set(SLICES)


def test_rows_have_the_stated_keys_and_no_others() -> None:
    for split, row in ROWS:
        assert list(row) == [
            key for key in ("id", "input", "target", "slice", "marks", "metadata") if key != "marks" or "marks" in row
        ]
        assert set(row["input"]) == {"document", "fields", "schema"}
        assert set(row["metadata"]) == {"kind", "layout"} | ({"domain"} if row["slice"] == "domain" else set())
        assert split == "test" or "marks" not in row


def test_ids_are_unique_and_tell_no_position() -> None:
    names = [row["id"] for _, row in ROWS]
    assert len(set(names)) == len(names) == 2150
    assert all(re.fullmatch(rf"{row['metadata']['kind']}-\d{{4}}", row["id"]) for _, row in ROWS)
    numbers = [int(row["id"][-4:]) for row in of("test")]
    assert numbers != sorted(numbers)
    assert max(numbers) > 900 > 100 > min(numbers)


def test_regression_marks_are_spread_over_the_slices() -> None:
    marked = [row for row in of("test") if row.get("marks") == ["regression"]]
    assert len(marked) == 40
    assert Counter(row["slice"] for row in marked) == {"easy": 13, "medium": 13, "hard": 8, "domain": 6}
    assert {row["metadata"]["kind"] for row in marked} == {kind.name for kind in KINDS}


def test_the_first_twenty_test_rows_meet_every_slice() -> None:
    assert {row["slice"] for row in of("test")[:20]} == set(SLICES)
    assert {row["slice"] for row in of("val")[:20]} == set(SLICES)


def test_domain_rows_cover_the_four_domains_evenly() -> None:
    found = Counter(row["metadata"]["domain"] for row in of("val", "test") if row["slice"] == "domain")
    assert found == {"medical": 5, "legal": 5, "finance": 5, "logistics": 5}


def test_there_are_enough_kinds_and_layouts() -> None:
    assert len(KINDS) == 18
    layouts = defaultdict(set)
    for _, row in ROWS:
        layouts[row["metadata"]["kind"]].add(row["metadata"]["layout"])
    assert {len(names) for names in layouts.values()} == {6}
    assert set(layouts) == {kind.name for kind in KINDS}


def test_thirty_percent_of_val_and_test_have_layouts_that_train_has_not() -> None:
    known = {(row["metadata"]["kind"], row["metadata"]["layout"]) for row in of("train")}
    for splits in (("val", "test"), ("val",), ("test",)):
        rows = of(*splits)
        new = [row for row in rows if (row["metadata"]["kind"], row["metadata"]["layout"]) not in known]
        assert len(new) >= 0.3 * len(rows)
    assert {(kind.name, layout) for kind in KINDS for layout in kind.held_out}.isdisjoint(known)


def test_targets_fit_their_schema() -> None:
    draft = jsonschema.Draft202012Validator
    schemas = {row["metadata"]["kind"]: row["input"]["schema"] for _, row in ROWS}
    validators = {kind: draft(schema, format_checker=draft.FORMAT_CHECKER) for kind, schema in schemas.items()}
    for schema in schemas.values():
        draft.check_schema(schema)
    for _, row in ROWS:
        validator = validators[row["metadata"]["kind"]]
        assert validator.schema == row["input"]["schema"]
        validator.validate(row["target"])
        assert not validator.is_valid({**row["target"], "more": 1})
        assert not validator.is_valid({})


def test_one_schema_and_one_list_of_fields_for_each_kind() -> None:
    seen = defaultdict(set)
    for _, row in ROWS:
        seen[row["metadata"]["kind"]].add(json.dumps([row["input"]["schema"], row["input"]["fields"]]))
        names = re.findall(r"^- (\w+): ", row["input"]["fields"], flags=re.M)
        assert names == list(row["target"]) == list(row["input"]["schema"]["properties"])
    assert all(len(texts) == 1 for texts in seen.values())


def test_strings_stand_in_the_document() -> None:
    checked = 0
    for _, row in ROWS:
        for schema, value in described(row):
            if isinstance(value, str) and not {"format", "pattern", "enum"} & set(schema):
                assert re.search(rf"(?<!\w){re.escape(value)}(?!\w)", row["input"]["document"]), (
                    row["id"],
                    value,
                )
                assert value == value.strip(" \t\n.,;:\"'")
                checked += 1
    assert checked > 8000


def test_normal_forms_parse_and_absent_fields_occur() -> None:
    empty, dates = 0, 0
    for _, row in ROWS:
        for schema, value in described(row):
            empty += value is None
            if schema.get("format") == "date" and value is not None:
                assert date.fromisoformat(value).isoformat() == value
                dates += 1
    assert dates > 2000
    assert empty > 800


def test_target_dates_are_written_in_the_document() -> None:
    for _, row in ROWS:
        text = row["input"]["document"]
        text += re.sub(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):", r"\1 \2 \3 ", text).replace("[0", "[")
        for schema, value in described(row):
            if schema.get("format") == "date" and value:
                day = date.fromisoformat(value)
                forms = [date_text(day, style) for style in STYLES] + [f"{day:%Y%m%d}"]
                assert any(form in text for form in forms), (row["id"], value)


def test_digits_only_dates_can_be_read_in_one_way() -> None:
    for _, row in ROWS:
        for first, second in re.findall(r"\b(\d\d)[./](\d\d)[./]20\d\d\b", row["input"]["document"]):
            assert max(int(first), int(second)) > 12, row["id"]


def test_weekdays_match_their_dates() -> None:
    names = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
    months = [date(2000, number, 1).strftime("%B") for number in range(1, 13)]
    found = 0
    for _, row in ROWS:
        for name, day, month, year in re.findall(
            rf"({names}),? (\d+) ({'|'.join(months)}) (\d{{4}})", row["input"]["document"]
        ):
            assert date(int(year), months.index(month) + 1, int(day)).strftime("%A") == name, row["id"]
            found += 1
    assert found > 100


def test_invoices_add_up() -> None:
    for index in range(300):
        facts = invoice.facts(Draw(f"invoice {index}", "train"))
        assert facts["net"] == sum(quantity * price for _, quantity, price in facts["rows"])
        assert facts["sum"] == facts["net"] + facts["tax"] == round(facts["total"] * 100)
        assert facts["due_date"] is None or facts["due_date"] > facts["issue_date"]


def test_target_numbers_stand_in_the_document() -> None:
    words = {6: "six", 12: "twelve", 18: "eighteen", 24: "twenty-four", 36: "thirty-six", 60: "sixty"}
    for _, row in ROWS:
        document = row["input"]["document"]
        runs = set(re.findall(r"\d+", re.sub(r"(?<=\d)[ ,.'](?=\d)", "", document)))
        runs |= set(re.findall(r"\d+", document))
        for _, value in described(row):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                forms = {
                    str(value),
                    f"{value:.2f}".replace(".", ""),
                    f"{value // 10}",
                }  # the last one: 18.22 t
                thousands = value % 1000 == 0 and f"{value // 1000}k" in document
                zero = f"{value / 1000:.3f} s" in document
                plain = f"{value:.2f}" in document or words.get(int(value), "?") in document
                assert forms & runs or thousands or zero or plain, (row["id"], value)


def test_container_and_security_numbers_have_correct_check_digits() -> None:
    for _, row in ROWS:
        if row["metadata"]["kind"] == "trade":
            digits = "".join(str(int(sign, 36)) for sign in row["target"]["isin"])
            doubled = [int(n) * (1 + i % 2) for i, n in enumerate(reversed(digits))]
            assert sum(n // 10 + n % 10 for n in doubled) % 10 == 0
        if row["metadata"]["kind"] == "shipment":
            for box in row["target"]["containers"]:
                letters = {sign: 10 + i + (i + 9) // 10 for i, sign in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
                values = [letters.get(sign) or int(sign) for sign in box["number"]]
                total = sum(value << place for place, value in enumerate(values[:10]))
                assert total % 11 % 10 == values[10]


def test_documents_are_short_enough_for_a_small_model() -> None:
    for _, row in ROWS:
        words = len((row["input"]["document"] + " " + row["input"]["fields"]).split())
        assert words <= (120 if row["slice"] == "easy" else 230), row["id"]


def test_no_input_stands_twice() -> None:
    assert len({row["input"]["document"] for _, row in ROWS}) == len(ROWS)


def test_no_layout_and_entities_stand_in_two_splits(made: dict[str, Row]) -> None:
    assert set(made) == {row["id"] for _, row in ROWS}
    places = defaultdict(set)
    for row in made.values():
        assert row.entities
        places[row.data["metadata"]["kind"], row.data["metadata"]["layout"], row.entities].add(row.split)
    assert all(len(splits) == 1 for splits in places.values())


def test_no_entity_stands_in_two_splits(made: dict[str, Row]) -> None:
    places = defaultdict(set)
    for row in made.values():
        for entity in row.entities:
            places[entity].add(row.split)
    assert len(places) > 1000
    assert [entity for entity, splits in places.items() if len(splits) > 1] == []


def test_no_surname_belongs_to_two_splits() -> None:
    parts = {split: {name for *_, names in _NAMES.values() for name in split_part(names.split(), split)}
             for split in SPLITS}  # fmt: skip
    assert not parts["train"] & parts["val"]
    assert not parts["train"] & parts["test"]
    assert not parts["val"] & parts["test"]


@pytest.mark.parametrize("part", ["document", "whole input"])
def test_no_train_row_is_near_a_val_or_test_row(part: str) -> None:
    def texts(*splits: str) -> list[frozenset[str]]:
        inputs = [row["input"] for row in of(*splits)]
        return [tokens(x["document"] if part == "document" else json.dumps(x, ensure_ascii=False)) for x in inputs]

    assert 0.3 < nearest(texts("train"), texts("val", "test")) <= 0.8
    assert nearest(texts("val"), texts("test")) <= 0.8


def test_train_rows_are_distinct_within_a_layout() -> None:
    groups = defaultdict(list)
    for row in of("train"):
        groups[row["metadata"]["kind"], row["metadata"]["layout"]].append(tokens(row["input"]["document"]))
    for group in groups.values():
        for index, words in enumerate(group):
            assert nearest([words], group[:index]) <= 0.85


def test_the_generator_reproduces_the_files_byte_for_byte(contents: dict[str, bytes]) -> None:
    assert set(contents) == {f"{split}.jsonl" for split in SPLITS}
    for name, content in contents.items():
        shipped = (FOLDER / name).read_bytes()
        assert shipped == content
        assert shipped.endswith(b"\n")
        assert b"\r" not in shipped


def test_check_tells_a_changed_or_absent_file(
    tmp_path: Path, contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "file_bytes", lambda: contents)
    assert command.main(["--check", "--out", str(tmp_path)]) == 1
    assert command.main(["--out", str(tmp_path)]) == 0
    for split in SPLITS:
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (FOLDER / f"{split}.jsonl").read_bytes()
    assert command.main(["--check", "--out", str(tmp_path)]) == 0
    with (tmp_path / "val.jsonl").open("a", encoding="utf-8") as file:
        file.write("{}\n")
    assert command.main(["--check", "--out", str(tmp_path)]) == 1


def test_the_readme_states_the_checksums() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for split in SPLITS:
        digest = hashlib.sha256((FOLDER / f"{split}.jsonl").read_bytes()).hexdigest()
        assert f"{digest}  {split}.jsonl" in text


def test_the_readme_names_every_kind_and_layout() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for kind in KINDS:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{kind.name}`"))
        for layout in (*kind.layouts, *kind.held_out):
            assert layout in row


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (date_text(date(2025, 3, 14), "dots"), "14.03.2025"),
        (date_text(date(2025, 3, 4), "dots"), "4 March 2025"),
        (date_text(date(2025, 3, 4), "slash_month"), "March 4, 2025"),
        (date_text(date(2025, 3, 22), "ordinal"), "22nd March 2025"),
        (time_text("00:05", "pm"), "12:05 am"),
        (time_text("12:30", "pm"), "12:30 pm"),
        (time_text("14:30", "dotpm"), "2.30pm"),
        (money_text(123456789, "INR", "lakh"), "₹12,34,567.89"),
        (money_text(123450, "EUR", "comma_after"), "1.234,50 €"),
        (money_text(123450, "CHF", "apostrophe"), "CHF 1'234.50"),
        (money_text(4820000, "JPY", "yen"), "48,200 yen"),
        (money_text(1205, "USD", "sign"), "$12.05"),
    ],
)
def test_notations(text: str, expected: str) -> None:
    assert text == expected
