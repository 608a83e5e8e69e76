"""json_match: the share of right leaves, and what it says of the wrong ones."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.scorers import ScoreBook, json_match
from tests.support.growth import assert_grows_with_size

INVOICE = {"total": 12.5, "items": [{"name": "a", "price": 1}, {"name": "b", "price": 2}], "paid": False}


def share(answer: Any, target: Any, **settings: Any) -> float:
    """Return the share, and check that the companion is 1 just where the share is."""
    scored = json_match(answer if isinstance(answer, str) else json.dumps(answer), target, **settings)
    assert scored.companions == {"exact": float(scored.value == 1)}
    assert (scored.reason is None) is (scored.value == 1)
    return float(scored.value)


def lines(answer: Any, target: Any, **settings: Any) -> list[str]:
    """Return what the reason says after its head."""
    return (json_match(json.dumps(answer), target, **settings).reason or "").splitlines()[1:]


def test_the_same_value_is_exact() -> None:
    """Whatever the order of keys and the white space."""
    assert share(INVOICE, INVOICE) == 1
    assert share(json.dumps(dict(reversed(INVOICE.items())), indent=4), INVOICE) == 1


@pytest.mark.parametrize(
    ("answer", "target", "expected"),
    [
        ({"a": 1, "b": 3}, {"a": 1, "b": 2}, 1 / 2),
        ({"a": 1}, {"a": 1, "b": 2}, 1 / 2),
        ({"a": 1, "c": 5}, {"a": 1}, 1 / 2),
        ({"a": 1, "c": [5, {"d": 6, "e": 7}]}, {"a": 1}, 1 / 4),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": {"d": 2, "e": 3}}}, 1 / 3),
        ([1, 2], [1, 2, 3], 2 / 3),
        ([1, 2, 3, 4], [1, 2, 3], 3 / 4),
        ([2, 1], [1, 2], 0),
        ({}, {"a": 1}, 0),
        ({"a": 1}, {}, 0),
        ([], {}, 0),
        ({}, {}, 1),
        ([], [], 1),
        ({"a": []}, {"a": {}}, 0),
        ({"a": []}, {"a": [1, 2]}, 0),
        ("12", "12", 1),
        ({"a": "x", "b": 1}, {"a": [1, 2, 3], "b": 1}, 1 / 4),
        ({"a": {"b": 1, "c": 2}, "d": 1}, {"a": 5, "d": 1}, 1 / 3),
    ],
)
def test_the_share_is_right_leaves_over_the_leaves_of_both(answer: Any, target: Any, expected: float) -> None:
    """Missing ones and invented ones are wrong; a wrong kind costs the larger side."""
    assert share(json.dumps(answer), target) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answer", "target", "right"),
    [
        (1.0, 1, True),
        (1e2, 100, True),
        (-0.0, 0, True),
        (True, 1, False),
        (0, False, False),
        (True, True, True),
        ("1", 1, False),
        (1, "1", False),
        (0.1 + 0.2, 0.3, False),
        (2**53 + 1, float(2**53), False),
        (" Paris\n", "Paris", True),
        ("paris", "Paris", False),
        ("a  b", "a b", False),
        ("e\u0301", "\u00e9", True),
        ("\ud800", "\ud800", True),
        ("\x00", "\x00", True),
        (None, None, True),
        (None, 0, False),
        ("", None, False),
        ([None], [], False),
        ([], [None], False),
        ({"a": None}, {}, True),
        ({}, {"a": None}, True),
        ([{"a": None}], [{}], True),
        ({"a": {}}, {"a": None}, False),
    ],
)
def test_what_counts_as_equal(answer: Any, target: Any, right: bool) -> None:
    """Numbers by value, bools apart, texts in NFC without outer white space, absent like null in objects."""
    assert (share(json.dumps(answer), target) == 1) is right


def test_a_null_of_the_target_that_is_left_out_counts_as_right() -> None:
    """And an extra null counts neither way."""
    assert share({"a": 2}, {"a": 1, "b": None}) == 1 / 2
    assert share({"a": 2, "b": None}, {"a": 1, "b": None}) == 1 / 2
    assert share({"a": 2, "c": None}, {"a": 1}) == 0
    assert share({"a": 1, "c": {"d": None, "e": 1}}, {"a": 1}) == 1 / 2


def test_case_counts_unless_declared_otherwise() -> None:
    """Of texts; keys are as they are."""
    assert share({"a": "PARIS"}, {"a": "Paris"}, casefold=True) == 1
    assert share({"A": "Paris"}, {"a": "Paris"}, casefold=True) == 0


def test_the_reason_names_the_paths_that_differ() -> None:
    """Wrong, missing, invented, with the concrete position."""
    answer = {
        "total": "12.50",
        "items": [{"name": "a", "price": 1}, {"price": 2}],
        "paid": False,
        "note": "x\ny",
    }
    assert (json_match(json.dumps(answer), INVOICE).reason or "").splitlines() == [
        "4 of 7 fields right",
        'total: expected 12.5, got "12.50"',
        'items[1].name: missing, expected "b"',
        'note: not expected, got "x\\ny"',
    ]


def test_the_reason_is_short_however_much_differs() -> None:
    """Five paths and a count; long values and keys are cut, odd keys quoted."""
    told = lines([0] * 100, list(range(1, 101)))
    assert len(told) == 6
    assert told[-1] == "+ 95 more"
    (line,) = lines({"k" * 5000: "v" * 5000}, {})
    assert len(line) < 600
    assert "…" in line
    assert lines({"::error\n\x1b": 1, "a.b": {"c d": 2}}, {}) == [
        '["::error\\n\\u001b"]: not expected, got 1',
        '["a.b"]: not expected, got {"c d": 2}',
    ]
    assert lines({"a.b": {"c d": 2}}, {"a.b": {"c d": 3}}) == ['["a.b"]["c d"]: expected 3, got 2']
    why = "; only one is a string, as each cell of a CSV file is"
    assert lines({"urgent": True}, {"urgent": "true"}) == [f'urgent: expected "true", got true{why}']
    assert lines({"n": "12"}, {"n": 12}) == [f'n: expected 12, got "12"{why}']
    assert lines(1, 2) == ["$: expected 2, got 1"]


@pytest.mark.parametrize(
    "answer",
    ["", "I cannot", "{'a': 1}", '{"a": NaN}', '{"a": 1, "a": 1}', "[" * 100_000, "9" * 6000, '{"a": 1} ok'],
)
def test_an_answer_that_is_no_json_scores_0(answer: str) -> None:
    """A miss that says where reading failed."""
    assert share(answer, {"a": 1}) == 0
    assert (json_match(answer, {"a": 1}).reason or "").startswith("not JSON: ")


def test_one_fence_around_everything_is_read_unless_forbidden() -> None:
    """Chat models write it."""
    assert share('```json\n{"a": 1}\n```', {"a": 1}) == 1
    assert share('```json\n{"a": 1}\n```', {"a": 1}, fenced=False) == 0


def test_lists_are_compared_in_order_unless_declared() -> None:
    """By path, at any depth; a text is one path."""
    target = {"tags": ["x", "y"], "rows": [{"ids": [1, 2]}, {"ids": [3]}]}
    answer = {"tags": ["y", "x"], "rows": [{"ids": [3]}, {"ids": [2, 1]}]}
    assert share(answer, target) < 1
    assert share(answer, target, unordered=["tags", "rows", "rows[].ids"]) == 1
    assert share({"tags": ["y", "x"]}, {"tags": ["x", "y"]}, unordered="tags") == 1
    assert share([2, 1], [1, 2], unordered=["$"]) == 1
    assert share([[2, 1]], [[1, 2]], unordered="[]") == 1
    assert share({"odd key": [2, 1]}, {"odd key": [1, 2]}, unordered=['["odd key"]']) == 1
    assert share({"odd key": [2, 1]}, {"odd key": [1, 2]}, unordered=["$.odd key"]) == 1


def test_without_order_elements_are_paired_for_the_most_right_leaves() -> None:
    """Greedy pairing would take the first best and lose one."""
    target = [{"a": 1, "b": 1}, {"a": 1, "b": 2}]
    answer = [{"a": 1, "b": 3}, {"a": 1, "b": 1}]
    assert share(answer, target, unordered="$") == 3 / 4
    assert share([1, 1, 2], [1, 2, 2], unordered="$") == 2 / 3
    assert share([1, 2, 3], [3], unordered="$") == 1 / 3
    assert share([3], [1, 2, 3], unordered="$") == 1 / 3
    assert share([], [1, 2], unordered="$") == 0


def test_without_order_the_reason_names_positions() -> None:
    """The target's for what is wrong or missing, the answer's for what is invented."""
    assert lines([{"k": 2, "v": 9}, 7, {"k": 1, "v": 1}], [{"k": 1, "v": 1}, {"k": 2, "v": 2}], unordered="$") == [
        "[1].v: expected 2, got 9",
        "[1]: not expected, got 7",
    ]


def test_comparing_long_lists_without_order_grows_with_their_length() -> None:
    """Identical elements are paired first; what one element lacks costs that element only."""

    def one_differs(count: int) -> None:
        rows = [{"id": number, "name": f"n{number}", "tags": [number]} for number in range(count)]
        answer = [*reversed(rows)]
        assert share(answer, rows, unordered="$") == 1
        answer[5] = {**answer[5], "name": "other"}
        assert share(answer, rows, unordered="$") == pytest.approx(1 - 1 / (3 * count))

    def most_are_too_many(count: int) -> None:
        assert share(list(range(count, 0, -1)), list(range(20, 0, -1)), unordered="$") == 20 / count

    def none_is_the_same(count: int) -> None:
        assert share([f"x{n}" for n in range(count)], [f"y{n}" for n in range(count)], unordered="$") == 0

    def all_are_near(count: int) -> None:
        numbers = list(range(1, count + 1))
        assert share([n + 0.5 for n in reversed(numbers)], numbers, unordered="$", tolerance=0.5) == 1

    assert_grows_with_size(one_differs, 2000)
    assert_grows_with_size(most_are_too_many, 8000)
    assert_grows_with_size(none_is_the_same, 2000)
    assert_grows_with_size(all_are_near, 2000)


def test_comparing_nested_lists_without_order_grows_with_their_leaves() -> None:
    """Not with a power of the depth."""

    def one_leaf_differs(blocks: int) -> None:
        inner = [[[n * 7 + m for m in range(40)] for n in range(40)] for _ in range(blocks)]
        turned = [[list(reversed(row)) for row in reversed(block)] for block in reversed(inner)]
        turned[0][0][0] = -1
        assert 0 < share(turned, inner, unordered=["$", "[]", "[][]"]) < 1

    assert_grows_with_size(one_leaf_differs, 12)
    deep = "[" * 100 + "%d" + "]" * 100
    paths = ["$", *("[]" * depth for depth in range(1, 100))]
    assert share(deep % 1, json.loads(deep % 2), unordered=paths) == 0  # by its power this would never end
    assert lines([{"k": [1, {"v": 2}]}], [{"k": [{"v": 3}, 1]}], unordered=["$", "[].k"]) == [
        "[0].k[0].v: expected 3, got 2"
    ]


@pytest.mark.parametrize(
    ("answer", "target", "tolerance", "right"),
    [
        (1.1, 1.0, 0.1, True),
        (1.11, 1.0, 0.1, False),
        (0.9, 1, 0.1, True),
        (True, 1, 5, False),
        ("1", 1, 5, False),
        (10**300 + 1, 10**300, 0, False),
        ({"a": 5.5, "b": 1}, {"a": 5, "b": 1}, {"a": 0.5}, True),
        ({"a": 5.5, "b": 1.1}, {"a": 5, "b": 1}, {"a": 0.5}, False),
        ({"r": [{"p": 1.5}]}, {"r": [{"p": 1}]}, {"r[].p": 1}, True),
        ([1.5], [1], {"[]": 1}, True),
    ],
)
def test_numbers_may_differ_by_a_declared_tolerance(answer: Any, target: Any, tolerance: Any, right: bool) -> None:
    """Everywhere or by path, counted in decimal as written."""
    assert (share(json.dumps(answer), target, tolerance=tolerance) == 1) is right


@pytest.mark.parametrize(
    ("answer", "target", "settings", "right"),
    [
        ("2024-01-05", "2024-01-05", {}, True),
        ("20240105", "2024-01-05", {}, True),
        ("2024-01-05T23:10:00", "2024-01-05", {}, True),
        ("2024-01-05T10:00:00Z", "2024-01-05T11:00:00+01:00", {}, True),
        ("2024-01-05T10:00:00", "2024-01-05T10:00:00Z", {}, True),
        ("2024-01-05T10:00:01", "2024-01-05T10:00:00", {}, False),
        ("05/01/2024", "2024-01-05", {}, False),
        ("05/01/2024", "2024-01-05", {"date_formats": ["%d/%m/%Y"]}, True),
        ("5 January 2024", "2024-01-05", {"date_formats": ["%d/%m/%Y", "%d %B %Y"]}, True),
        ("05/01/2024 10:30", "2024-01-05T10:30", {"date_formats": "%d/%m/%Y %H:%M"}, True),
        ("2024-01-07", "2024-01-05", {"date_tolerance_days": 1}, False),
        ("2024-01-06", "2024-01-05", {"date_tolerance_days": 1}, True),
        ("2024-01-05T22:00", "2024-01-05T10:00", {"date_tolerance_days": 0.5}, True),
        ("soon", "soon", {}, True),
        ("soon", "2024-01-05", {}, False),
        ("2024-02-30", "2024-02-30", {}, True),
        ("9" * 100, "2024-01-05", {}, False),
        (20240105, "2024-01-05", {}, False),
    ],
)
def test_dates_are_compared_as_dates_where_declared(
    answer: Any, target: str, settings: dict[str, Any], right: bool
) -> None:
    """By day where one side has no time, else by instant; no guessing of notations."""
    assert (share({"due": answer}, {"due": target}, dates=["due"], **settings) == 1) is right


def test_without_declaration_dates_are_texts() -> None:
    """Explicit, never guessed."""
    assert share({"due": "20240105"}, {"due": "2024-01-05"}) == 0


def test_ignored_values_count_on_neither_side() -> None:
    """With everything under them."""
    target = {"id": 1, "rows": [{"k": 1, "note": {"x": 1}}]}
    assert share({"rows": [{"k": 1, "note": 5}]}, target, ignore=["id", "rows[].note"]) == 1
    assert share({"id": 9, "rows": [{"k": 2}]}, target, ignore=["id", "rows[].note"]) == 0
    assert share({"rows": [1, 2, 3]}, {"rows": []}, ignore=["rows[]"]) == 1
    assert share({"rows": [1, 2, 3]}, {"rows": [4]}, ignore=["rows[]"], unordered="rows") == 1
    assert share({"a": {"b": 1}, "c": 1}, {"c": 1}, ignore=["a.b"]) == 1 / 2
    assert share([{"a": 1, "b": 2}, {"a": 2, "b": 1}], [{"a": 2}, {"a": 1}], unordered="$", ignore="[].b") == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"unordered": ["items[0]"]},
        {"unordered": ["a..b"]},
        {"unordered": ["a."]},
        {"unordered": [".a"]},
        {"unordered": [""]},
        {"unordered": [3]},
        {"ignore": ["$"]},
        {"dates": ['["open']},
        {"tolerance": -1},
        {"tolerance": float("nan")},
        {"tolerance": True},
        {"tolerance": {"a": "1"}},
        {"tolerance": {"a[": 1}},
        {"date_tolerance_days": -1},
        {"date_formats": ["%Q"]},
        {"date_formats": [5]},
    ],
    ids=repr,
)
def test_settings_that_make_no_sense_are_errors(book: ScoreBook, settings: dict[str, Any]) -> None:
    """Never a score."""
    with pytest.raises(ScorerError):
        json_match("{}", {}, **settings)
    assert book.json_match("{}", {}, **settings).status == "error"


@pytest.mark.parametrize(
    "target",
    [float("nan"), {1: 2}, {"a": {"b": object()}}, {"a": 10**400}, [b"x"], Decimal(1), {1, 2}],
    ids=lambda value: repr(value).partition(" object at ")[0],
)
def test_a_target_that_json_cannot_say_is_an_error(target: Any) -> None:
    """Never a score."""
    with pytest.raises(ScorerError, match="the target holds"):
        json_match("{}", target)


def test_a_target_nested_too_deeply_is_an_error() -> None:
    """No recursion without bound."""
    target: Any = 1
    for _ in range(5000):
        target = [target]
    with pytest.raises(ScorerError, match="too deep"):
        json_match("[]", target)


def test_tuples_and_dates_of_a_target_are_read_as_json_would_say_them() -> None:
    """As a loader of YAML gives them."""
    target = {"on": date(2024, 1, 5), "at": datetime(2024, 1, 5, 10), "of": (1, 2)}
    assert share({"on": "2024-01-05", "at": "2024-01-05T10:00:00", "of": [1, 2]}, target) == 1


def test_a_deep_answer_is_compared() -> None:
    """The deepest that is read at all."""
    deep = "[" * 100 + "1" + "]" * 100
    assert share(deep, json.loads(deep), unordered=["$", "[]"]) == 1
