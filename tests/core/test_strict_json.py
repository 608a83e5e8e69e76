"""JSON as RFC 8259 has it: the same as Python's reader where that keeps to it, and a refusal elsewhere."""

import json
import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_llmeval.core.strict_json import NotJsonError, canonical, parse, parse_at

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "nan": ("NaN", "NaN is not JSON"),
    "nan inside": ('{"a": [1, NaN]}', "NaN is not JSON"),
    "infinity": ("Infinity", "Infinity is not JSON"),
    "minus infinity": ("-Infinity", "-Infinity is not JSON"),
    "too large": ("1e999", "1e999 is beyond double precision"),
    "too small": ("[-1e999]", "-1e999 is beyond double precision"),
    "long float": ("1" * 400 + ".0", "1111111111111111111111111111111111111111 is beyond double precision"),
    "doubled key": ('{"a": 1, "a": 1}', "key 'a' appears twice in one object"),
    "doubled key, written differently": ('{"a": 1, "\\u0061": 2}', "key 'a' appears twice in one object"),
    "doubled key, long": (f'{{"{"k" * 999}": 1, "{"k" * 999}": 1}}', "kkk... appears twice in one object"),
    "doubled key, deep": ('[{"x": {"b": 1, "b": 2}}]', "key 'b' appears twice in one object"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "deep and closed": ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
    "long integer": ("9" * 5000, "a number with too many digits"),
    "bad utf-8": (b'"\xff"', "byte 2 is not UTF-8"),
    "utf-16": ("1".encode("utf-16"), "byte 1 is not UTF-8"),
    "surrogate in utf-8": (b'"\xed\xa0\x80"', "byte 2 is not UTF-8"),
    "two values": ("1 2", "Extra data at character 3"),
    "trailing comma": ("[1,]", " at character "),
    "comment": ("1 // one", "Extra data at character 3"),
    "single quotes": ("{'a': 1}", " at character 2"),
    "control character": ('"a\nb"', "Invalid control character at at character 3"),
    "leading zero": ("01", "Extra data at character 2"),
    "plus": ("+1", "Expecting value at character 1"),
    "hex": ("0x10", "Extra data at character 2"),
    "arabic digits": ("\u0661", "Expecting value at character 1"),
    "nothing": ("", "Expecting value at character 1"),
    "blank": ("   ", "Expecting value at character "),
    "other blank": ("\u00a01", "Expecting value at character 1"),
    "python": ("None", "Expecting value at character 1"),
    "byte order mark": ("\ufeff1", " at character 1"),
}


@given(values, st.sampled_from([None, 2]), st.booleans())
def test_valid_json_is_read_as_python_reads_it(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert parse(text) == json.loads(text)
    assert parse(text.encode("utf-8", "surrogatepass") if ascii_only else text) == json.loads(text)


@given(values)
def test_what_is_written_is_read_back_with_its_types(value: Any) -> None:
    assert repr(parse(json.dumps(value))) == repr(value)


@pytest.mark.parametrize("text", ["-0", "-0.0", "1E5", "1e-999", "0.1", '"\\ud83d\\ude00"', '"\\ud800"', " [ ] \r\n\t"])
def test_odd_but_valid_json_is_accepted(text: str) -> None:
    assert repr(parse(text)) == repr(json.loads(text))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_json_is_refused_with_the_reason(name: str) -> None:
    text, reason = REFUSED[name]
    with pytest.raises(NotJsonError) as caught:
        parse(text)
    assert reason in str(caught.value)


@given(st.text(st.characters()) | st.binary())
def test_any_text_is_either_a_value_or_one_error(text: str | bytes) -> None:
    """No error of another kind gets out, and a value is one that Python's reader finds too."""
    try:
        value = parse(text)
    except NotJsonError:
        return
    assert value == json.loads(text)


@given(values)
def test_a_value_is_found_inside_a_text(value: Any) -> None:
    text = json.dumps(value)
    assume(not isinstance(value, int | float) or isinstance(value, bool))  # digits that follow would belong to it
    found, end = parse_at(f"answer: {text}, so", 8)
    assert (found, end) == (value, 8 + len(text))


@pytest.mark.parametrize("text", ["NaN", "1e999", '{"a":1,"a":2}', "[" * 100_000, "9" * 5000, "x", ""])
def test_a_value_inside_a_text_is_read_as_strictly(text: str) -> None:
    with pytest.raises(NotJsonError):
        parse_at(f"=>{text}", 2)


@given(st.dictionaries(st.text(), values))
def test_the_canonical_text_does_not_know_the_order_of_keys(value: dict[str, Any]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@given(values)
def test_the_canonical_text_is_ascii_json_of_the_value(value: Any) -> None:
    text = canonical(value)
    assert text.isascii()
    assert repr(parse(text)) == repr(value) or parse(text) == value


@given(values, values)
def test_different_values_have_different_canonical_texts(one: Any, other: Any) -> None:
    assume(one != other)
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf]])
def test_the_canonical_text_of_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical(value)


def test_the_canonical_text_of_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError):
        canonical({"a": object()})
