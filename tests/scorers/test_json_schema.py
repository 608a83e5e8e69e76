"""json_schema: accepts or refuses, names the path, fetches nothing, cannot hang."""

import json
import socket
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.scorers import ScoreBook, json_match, json_schema
from tests.support.growth import assert_grows_with_size

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Z]"},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "odd key": {"type": "integer"},
    },
    "required": ["name"],
    "additionalProperties": False,
}
SLOW = "^(a|aa)+$"


def refusal(answer: Any, schema: Any) -> str:
    """Return why an answer is refused."""
    scored = json_schema(json.dumps(answer), schema)
    assert scored.value == 0
    return scored.reason or ""


def test_an_answer_that_the_schema_accepts_scores_1() -> None:
    """Fenced only where allowed."""
    assert json_schema('{"name": "Ann", "tags": ["x", "y"]}', PERSON).value == 1
    assert json_schema('```json\n{"name": "Ann"}\n```', PERSON).value == 0
    assert json_schema('```json\n{"name": "Ann"}\n```', PERSON, fenced=True).value == 1
    assert json_schema("[]", True).value == 1


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ({"name": 5}, "name: 5 is not of type 'string'"),
        ({"name": "ann"}, 'name: "ann" does not match "^[A-Z]"'),
        ({"tags": []}, "$: 'name' is a required property"),
        ({"name": "A", "tags": ["x", 1]}, "tags[1]: 1 is not of type 'string'"),
        ({"name": "A", "tags": ["x", "y", "x"]}, 'tags: elements 0 and 2 are the same: "x"'),
        ({"name": "A", "odd key": "1"}, "[\"odd key\"]: '1' is not of type 'integer'"),
        ({"name": "A", "::x\n": 1}, '$: the property "::x\\n" is not allowed'),
    ],
)
def test_the_reason_names_path_and_demand(answer: Any, line: str) -> None:
    """One line for each error."""
    assert refusal(answer, PERSON) == line


def test_the_reason_is_short_however_much_is_wrong() -> None:
    """Four errors; a huge value is not shown."""
    told = refusal(["x" * 100_000] * 1000, {"items": {"type": "integer"}}).splitlines()
    assert len(told) == 5
    assert told[-1] == "and more"
    assert told[0].startswith('[0]: type "integer" does not hold for "xxx')
    assert all(len(line) < 300 for line in told)


def test_text_that_is_no_json_scores_0() -> None:
    """A miss, as in json_valid."""
    for text in ["", "Sure!", '{"a": NaN}', "[" * 100_000, '{"a": 1, "a": 2}']:
        scored = json_schema(text, True)
        assert scored.value == 0
        assert (scored.reason or "").startswith("not JSON: ")


@pytest.mark.parametrize(
    ("draft", "accepted"),
    [
        ("http://json-schema.org/draft-04/schema#", False),
        ("http://json-schema.org/draft-06/schema#", True),
        ("http://json-schema.org/draft-07/schema#", True),
        ("https://json-schema.org/draft/2019-09/schema", True),
        ("https://json-schema.org/draft/2020-12/schema", True),
    ],
)
def test_the_draft_is_the_one_that_the_schema_names(draft: str, accepted: bool) -> None:
    """Draft 4 did not call 1.0 an integer."""
    assert bool(json_schema("1.0", {"$schema": draft, "type": "integer"}).value) is accepted


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "strin"}, "the schema is invalid at type"),
        ({"properties": {"a": 5}}, "the schema is invalid at properties.a"),
        ({"pattern": "("}, "not a regular expression"),
        ({"properties": {"a": {"patternProperties": {"[": {}}}}}, "not a regular expression"),
        ({"$schema": "urn:mine"}, "is not a known draft"),
        ({"$ref": "https://example.com/schema.json"}, "nothing is fetched"),
        ({"properties": {"a": {"items": {"$ref": "other.json#/x"}}}}, "nothing is fetched"),
        ({"$ref": "#/$defs/missing"}, "is not in it"),
        ({"$ref": "#"}, "refers to itself without end"),
        (
            {"properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#"}}},
            "\\$schema of its own",
        ),
        ({"unevaluatedProperties": False, "patternProperties": {"a": {}}}, "cannot be bounded"),
        ({"enum": [object()]}, "something that JSON cannot represent"),
        ({"enum": [{1, 2}]}, "something that JSON cannot represent"),
        ("object", "the schema must be an object or a bool, found str"),
        (None, "the schema must be an object or a bool, found NoneType"),
    ],
)
def test_a_schema_that_cannot_be_used_is_an_error(book: ScoreBook, schema: Any, problem: str) -> None:
    """Never a score, whatever the answer."""
    with pytest.raises(ScorerError, match=problem):
        json_schema('{"a": [1]}', schema)
    assert book.json_schema("{}" if problem != "x" else "", schema).status == "error"


def test_nothing_is_ever_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the address of a known draft, nor one that looks reachable."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    for address in (
        "http://127.0.0.1:9/x",
        "https://json-schema.org/draft/2020-12/schema",
        "file:///etc/passwd",
    ):
        with pytest.raises(ScorerError, match="nothing is fetched"):
            json_schema("{}", {"$ref": address})


def test_references_inside_the_schema_work() -> None:
    """By pointer, by anchor, by an inner $id; in a draft-7 schema with $schema at the top too."""
    inner = {"$defs": {"n": {"$anchor": "num", "type": "integer"}}, "items": {"$ref": "#num"}}
    assert json_schema("[1]", inner).value == 1
    assert json_schema('["x"]', inner).value == 0
    tree = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"child": {"$ref": "#"}, "word": {"pattern": SLOW}},
    }
    assert json_schema('{"child": {"child": {"word": "aa"}}}', tree).value == 1
    named = {"$id": "urn:x:root", "$defs": {"a": {"$id": "urn:x:a", "type": "null"}}, "$ref": "urn:x:a"}
    assert json_schema("null", named).value == 1


@pytest.mark.parametrize(
    ("answer", "schema"),
    [
        (["a" * 60 + "!"] * 50, {"items": {"pattern": SLOW}}),
        ({"a" * 60 + "!": 1}, {"patternProperties": {SLOW: {}}}),
        ({"a" * 60 + "!": 1}, {"patternProperties": {SLOW: {}}, "additionalProperties": {"type": "string"}}),
        ({"a" * 60 + "!": 1}, {"propertyNames": {"pattern": SLOW}}),
        (
            {"a" * 60 + "!": 1},
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "$ref": "#/x",
                "x": {"patternProperties": {SLOW: {}}},
            },
        ),
        (
            {"c": {"a" * 60 + "!": 1}},
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "properties": {"c": {"$ref": "#"}},
                "propertyNames": {"pattern": SLOW},
            },
        ),
    ],
)
def test_a_pattern_that_runs_wild_is_an_error_within_the_time(answer: Any, schema: Any) -> None:
    """All patterns of one answer share one second, also behind a reference to a schema with $schema."""
    started = time.process_time()
    with pytest.raises(ScorerError, match="took"):
        json_schema(json.dumps(answer), schema)
    assert time.process_time() - started < 8


def test_finding_unique_items_grows_with_their_number() -> None:
    """Objects too, of which the library compares all pairs; 1 and 1.0 are the same, 1 and true are not."""

    def find(count: int) -> None:
        assert json_schema(json.dumps([{"a": n} for n in range(count)]), {"uniqueItems": True}).value == 1

    assert_grows_with_size(find, 8000)
    assert json_schema('[{"a": 1}, {"a": 1.0}]', {"uniqueItems": True}).value == 0
    assert json_schema("[1, true, [1], [true], 0, false]", {"uniqueItems": True}).value == 1
    assert json_schema("[1, 1]", {"uniqueItems": False}).value == 1


def test_additional_properties_follow_their_own_schema() -> None:
    """Those that neither properties nor patternProperties name."""
    schema = {
        "properties": {"a": {}},
        "patternProperties": {"^x": {"type": "null"}},
        "additionalProperties": {"type": "integer"},
    }
    assert json_schema('{"a": "?", "x1": null, "b": 1}', schema).value == 1
    assert refusal({"b": "1"}, schema) == "b: '1' is not of type 'integer'"
    assert refusal({"x1": 1}, schema) == "x1: 1 is not of type 'null'"
    assert json_schema("[]", schema).value == 1


@pytest.mark.parametrize(
    ("answer", "step", "value"),
    [("19.99", 0.01, 1), ("4.35", 0.01, 1), ("0.07", 0.01, 1), ("0.3", 0.1, 1), ("-0.3", 0.1, 1), ("7", 0.5, 1),
     ("1e300", 1e-300, 1), ("0.015", 0.01, 0), ("7", 2, 0), ('"x"', 2, 1)],
)  # fmt: skip
def test_multiples_are_counted_in_decimal_as_written(answer: str, step: float, value: int) -> None:
    """Amounts of money are multiples of a hundredth."""
    assert json_schema(answer, {"multipleOf": step}).value == value


def test_a_schema_may_be_changed_between_calls() -> None:
    """It is read anew each time, and never changed by a call."""
    schema: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "integer"}
    assert json_schema("1", schema).value == 1
    assert "$schema" in schema
    schema["type"] = "string"
    assert json_schema("1", schema).value == 0


def test_a_deep_answer_is_validated() -> None:
    """As deep as is read at all."""
    assert json_schema("[" * 100 + "]" * 100, {"items": {"$ref": "#"}, "type": "array"}).value == 1


@given(st.text())
def test_no_answer_makes_it_raise(text: str) -> None:
    """Arbitrary text."""
    assert json_schema(text, PERSON).value in (0, 1)


def test_a_pydantic_model_is_no_schema_and_no_target() -> None:
    """An application that extracts has one at hand; what to pass in its place is told."""

    class Person(BaseModel):
        name: str

    with pytest.raises(ScorerError, match=r"an object or a bool, found ModelMetaclass: pass its model_json_schema\(\)"):
        json_schema("{}", Person)  # type: ignore[arg-type]  # what a user might pass
    with pytest.raises(ScorerError, match=r"JSON cannot represent.*; pass its model_dump\(mode='json'\)"):
        json_match("{}", [Person(name="Ada")])
