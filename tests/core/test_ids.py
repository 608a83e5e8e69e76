"""Names that stay the same: laws of ids and digests, over any row and name."""

import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_llmeval.core.ids import content_id, digest, input_digest, node_part, shown_name
from pytest_llmeval.core.text import one_line

texts = st.text(st.characters())
"""Any text, lone surrogates and control characters included."""
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
UNSAFE_NAMES = ["", "a b", "a_b", "a/b", "ü", "_", "a" * 80, "a" * 81, "a" * 82, "\ud800", "\x1b[31m", "a::b", "x[1]"]


def shuffled(value: Any) -> Any:
    """Return ``value`` with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(each) for each in value] if isinstance(value, list) else value


@given(values, values)
def test_a_row_has_one_digest_whatever_the_order_of_its_keys(input_: Any, target: Any) -> None:
    assert input_digest(shuffled(input_), shuffled(target)) == input_digest(input_, target)


@given(values, values)
def test_different_inputs_have_different_digests(one: Any, other: Any) -> None:
    assume(repr(one) != repr(other) and repr(shuffled(one)) != repr(other) and one != other)
    assert input_digest(one, None) != input_digest(other, None)


@given(values, values)
def test_input_and_target_do_not_change_places(one: Any, other: Any) -> None:
    assume(one != other)
    assert input_digest(one, other) != input_digest(other, one)


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (1, "1"), (None, "null"), ([], {}), ("", None)])
def test_values_of_different_types_have_different_digests(one: Any, other: Any) -> None:
    assert input_digest(one, None) != input_digest(other, None)


@given(values, values)
def test_a_content_id_is_the_beginning_of_the_input_digest(input_: Any, target: Any) -> None:
    assert content_id(input_, target) == input_digest(input_, target)[:12]


def test_a_digest_is_the_sha256_of_the_text() -> None:
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(texts)
def test_a_node_part_has_only_allowed_characters(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]*", node_part(name))


@given(texts | st.text(min_size=75, max_size=200))
def test_a_node_part_is_at_most_87_characters_long(name: str) -> None:
    assert len(node_part(name)) <= 80 + 1 + 6


@given(texts, texts)
def test_different_names_have_different_node_parts(one: str, other: str) -> None:
    assume(one != other)
    assert node_part(one) != node_part(other)


def test_names_that_look_alike_once_cleaned_have_different_node_parts() -> None:
    assert len({node_part(name) for name in UNSAFE_NAMES}) == len(UNSAFE_NAMES)


@given(st.from_regex(r"[A-Za-z0-9._-]{1,80}", fullmatch=True))
def test_a_harmless_name_is_its_own_node_part(name: str) -> None:
    assert node_part(name) == name


@given(texts)
def test_a_short_node_part_is_its_own_node_part(name: str) -> None:
    part = node_part(name)
    assume(len(part) <= 80)
    assert node_part(part) == part


def test_a_changed_name_is_cut_at_80_and_carries_six_digits_of_its_sha256() -> None:
    name = "é" + "x" * 100
    assert node_part(name) == "_" + "x" * 79 + "-" + digest(name)[:6]


@given(st.text() | st.text(min_size=110, max_size=140))
def test_a_shown_name_is_a_short_printable_line(name: str) -> None:
    shown = shown_name(name)
    assert shown
    assert len(shown) <= 127
    assert shown == one_line(shown)


def test_names_that_look_alike_once_shown_stay_different() -> None:
    names = ["", "a", "a\x1b", "a\\x1b", "a\nb", "a" * 130, "a" * 131]
    assert len({shown_name(name) for name in names}) == len(names)
    assert shown_name("a") == "a"
