"""Laws of json_match over arbitrary JSON."""

import json
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.scorers import ScoreBook, json_match

KEYS = st.sampled_from(["a", "b", "c d", "e.f", ""])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(-3, 3, allow_nan=False)
    | st.sampled_from(["x", "y", " x", "2024-01-05", "é"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "unordered": st.lists(st.sampled_from(["$", "a", "[]", "a[]", "b"]), max_size=3),
        "ignore": st.lists(st.sampled_from(["b", "a.b", "[].a", "[]", "a[]"]), max_size=2),
        "dates": st.lists(st.sampled_from(["a", "[]"]), max_size=2),
        "tolerance": st.floats(0, 2) | st.dictionaries(st.sampled_from(["a", "[]"]), st.floats(0, 2)),
        "casefold": st.booleans(),
    },
)


def share(answer: Any, target: Any, **settings: Any) -> float:
    """Return the share of right leaves."""
    return float(json_match(json.dumps(answer), target, **settings).value)


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal as the docstring says, written down a second time, plainly."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(same(one.get(key), other.get(key)) for key in {*one, *other})
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return one.strip() == other.strip()
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return type(one) in (int, float) and type(other) in (int, float) and one == other or one is other is None


@given(ANY_JSON, ANY_JSON, SETTINGS)
def test_arbitrary_json_has_a_share_in_0_to_1(answer: Any, target: Any, settings: dict[str, Any]) -> None:
    """No pair of values and settings raises."""
    scored = json_match(json.dumps(answer), target, **settings)
    assert 0 <= scored.value <= 1
    assert scored.companions["exact"] == (scored.value == 1)


@given(st.text())
def test_arbitrary_text_has_a_share_in_0_to_1(answer: str) -> None:
    """Nothing that a model says raises."""
    assert 0 <= json_match(answer, {"a": 1}).value <= 1


@given(VALUES, VALUES)
def test_the_share_is_1_just_where_the_values_are_equal(answer: Any, target: Any) -> None:
    """Under the equalities that are documented."""
    assert (share(answer, target) == 1) is same(answer, target)


@given(ANY_JSON, SETTINGS)
def test_a_value_matches_itself_under_all_settings(value: Any, settings: dict[str, Any]) -> None:
    """Exactly."""
    assert share(value, value, **settings) == 1


@given(VALUES, VALUES, st.integers(0, 5), st.floats(0, 2))
def test_the_order_of_an_unordered_list_never_changes_the_share(
    answer: Any, target: Any, seed: int, tolerance: float
) -> None:
    """On either side, nested lists included, with a tolerance too."""
    paths = ["$", *("[]" * depth for depth in range(1, 4)), "a", "a[]", "[].a", "b", "a.a"]
    settings: dict[str, Any] = {"unordered": paths, "tolerance": tolerance}
    before = share(answer, target, **settings)
    assert before == share(_turned(answer, paths, seed), target, **settings)
    assert before == share(answer, _turned(target, paths, seed), **settings)


def _turned(value: Any, paths: list[str], seed: int, path: str = "") -> Any:
    """Return the value with the lists at the declared paths in another order."""
    if isinstance(value, dict):
        return {key: _turned(each, paths, seed, _child(path, key)) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    inner = [_turned(each, paths, seed, path + "[]") for each in value]
    if (path or "$") in paths:
        random.Random(seed).shuffle(inner)
    return inner


def _child(path: str, key: str) -> str:
    if not key:
        return f'{path}[""]'
    return f"{path}.{key}" if path else key


@given(VALUES, st.integers(0, 5))
def test_a_shuffled_copy_of_unordered_lists_is_exact(value: Any, seed: int) -> None:
    """A multiset equals itself."""
    paths = ["$", *("[]" * depth for depth in range(1, 4)), "a", "b"]
    assert share(_turned(value, paths, seed), value, unordered=paths) == 1


@given(st.dictionaries(KEYS, VALUES, max_size=4), VALUES, LEAVES.filter(lambda leaf: leaf is not None), SETTINGS)
def test_an_invented_field_never_raises_the_share(
    answer: dict[str, Any], target: Any, invented: Any, settings: dict[str, Any]
) -> None:
    """A key that the target has nowhere."""
    assert share({**answer, "zz": invented}, target, **settings) <= share(answer, target, **settings)


@given(st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=4), st.booleans())
def test_an_invented_element_never_raises_the_share(answer: list[Any], target: list[Any], unordered: bool) -> None:
    """Behind the last one of the target."""
    longer = answer + ["zz"] * (len(target) + 1 - min(len(answer), len(target)))
    settings: dict[str, Any] = {"unordered": "$" if unordered else ()}
    padded = answer + ["zz"] * max(0, len(target) - len(answer))
    assert share([*padded, "zz"], target, **settings) <= share(padded, target, **settings)
    assert share(longer, target, **settings) <= 1


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), VALUES, st.data())
def test_a_right_field_made_wrong_never_raises_the_share(
    answer: dict[str, Any], target: Any, data: st.DataObject
) -> None:
    """Where a leaf stood, another leaf that the target has nowhere."""
    leaves = [key for key, value in answer.items() if not isinstance(value, (dict, list)) and value is not None]
    if leaves:
        key = data.draw(st.sampled_from(leaves))
        assert share({**answer, key: "zz"}, target) <= share(answer, target)


@given(VALUES, VALUES, st.floats(0, 2), st.floats(0, 2))
def test_more_tolerance_never_lowers_the_share(answer: Any, target: Any, one: float, other: float) -> None:
    """In lists that have an order."""
    low, high = sorted((one, other))
    assert share(answer, target, tolerance=low) <= share(answer, target, tolerance=high)


@given(VALUES, VALUES, st.floats(0, 1), st.floats(0, 1))
def test_a_stricter_pass_mark_never_turns_a_miss_into_a_pass(
    answer: Any, target: Any, one: float, other: float
) -> None:
    """For any value."""
    low, high = sorted((one, other))
    text = json.dumps(answer)
    lenient = ScoreBook().json_match(text, target, pass_mark=low).passed
    strict = ScoreBook().json_match(text, target, pass_mark=high).passed
    assert lenient is not False or not strict
