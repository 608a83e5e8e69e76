"""tool_calls: the share of right tool calls, and what it says of the wrong ones."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.types import Response, ToolCall
from pytest_llmeval.scorers import ScoreBook, tool_calls

Calls = Sequence[tuple[str, Any]]
PARIS, ROME = ("weather", {"city": "Paris"}), ("weather", {"city": "Rome"})
MAP = ("show_map", {"city": "Paris", "zoom": 3})


def said(calls: Calls, text: str = "") -> Response:
    """Return an answer with these calls; a text stands for arguments as the model wrote them."""
    made = [
        ToolCall(name=name, arguments=given if isinstance(given, str) else json.dumps(given)) for name, given in calls
    ]
    return Response(text=text, tool_calls=tuple(made))


def wanted(calls: Calls) -> list[dict[str, Any]]:
    """Return a target of these calls."""
    return [{"name": name, "arguments": arguments} for name, arguments in calls]


def shares(calls: Calls, target: Any, **settings: Any) -> tuple[float, float]:
    """Return the share of right calls and that by their names; a reason stands where the first is not 1."""
    scored = tool_calls(said(calls), target, **settings)
    assert (scored.reason is None) is (scored.value == 1)
    return float(scored.value), float(scored.companions["names"])


def lines(response: Response, target: Any, **settings: Any) -> list[str]:
    """Return what the reason says."""
    return (tool_calls(response, target, **settings).reason or "").splitlines()


@pytest.mark.parametrize(
    ("calls", "target", "share", "names"),
    [
        ([PARIS], [PARIS], 1, 1),
        ([PARIS, ROME], [ROME, PARIS], 1, 1),
        ([], [], 1, 1),
        ([PARIS], [], 0, 0),
        ([], [PARIS], 0, 0),
        ([ROME], [PARIS], 0, 1),
        ([PARIS, MAP], [PARIS], 1 / 2, 1 / 2),
        ([PARIS], [PARIS, MAP], 1 / 2, 1 / 2),
        ([PARIS, ROME], [PARIS, MAP], 1 / 3, 1 / 3),
        ([PARIS, PARIS], [PARIS], 1 / 2, 1 / 2),
        ([PARIS, MAP, ROME], [PARIS, MAP, ("weather", {"city": "Oslo"})], 1 / 2, 1),
        ([("Weather", {"city": "Paris"})], [PARIS], 0, 0),
    ],
)
def test_the_share_is_right_calls_over_the_calls_of_both(
    calls: Calls, target: Calls, share: float, names: float
) -> None:
    """Each call counts for one of the target; names alone are a share of their own."""
    assert shares(calls, wanted(target)) == pytest.approx((share, names))


def test_a_target_may_leave_the_arguments_open() -> None:
    """By an object without them, or by the name alone; one that names them still gets the call that has these."""
    assert shares([PARIS], "weather") == (1, 1)
    assert shares([PARIS], {"name": "weather"}) == (1, 1)
    assert shares([PARIS, ROME], ["weather", *wanted([PARIS])]) == (1, 1)
    assert shares([ROME, PARIS], [*wanted([PARIS]), "weather"]) == (1, 1)
    assert shares([("weather", "{broken")], ["weather"]) == (1, 1)


def test_arguments_are_compared_as_json_match_compares() -> None:
    """With its settings, whose paths lead into the arguments."""
    made = [("book", {"seats": ["B", "A"], "price": 12.4, "on": "03/02/2026", "note": "by the window", "who": "ANN"})]
    target = wanted([("book", {"seats": ["A", "B"], "price": 12, "on": "2026-02-03", "note": "window", "who": "Ann"})])
    settings: dict[str, Any] = {
        "unordered": "seats",
        "tolerance": {"price": 0.5},
        "dates": "on",
        "date_formats": ["%d/%m/%Y"],
        "ignore": "note",
        "casefold": True,
    }
    assert shares(made, target, **settings) == (1, 1)
    for left_out in settings.keys() - {"date_formats"}:
        assert shares(made, target, **{key: value for key, value in settings.items() if key != left_out}) == (0, 1)
    assert shares([("f", {"a": None, "b": 1})], wanted([("f", {"b": 1.0})])) == (1, 1)


@pytest.mark.parametrize("arguments", ["", "{}"])
def test_a_tool_without_arguments_may_come_without_any(arguments: str) -> None:
    """Some servers send an empty text for them."""
    assert shares([("now", arguments)], wanted([("now", {})])) == (1, 1)


def test_texts_of_custom_tools_and_json_as_text_are_read_alike_on_both_sides() -> None:
    """A text that is JSON is compared as that, one that is not as a text."""
    assert shares([("sql", "select 1")], wanted([("sql", "select 1")])) == (1, 1)
    assert shares([("sql", "select 1")], wanted([("sql", "select 2")])) == (0, 1)
    assert shares([("f", {"a": 1})], wanted([("f", '{"a": 1.0}')])) == (1, 1)
    assert shares([("f", "42")], wanted([("f", "42")])) == (1, 1)


def test_broken_arguments_are_wrong_and_told() -> None:
    """They are a model's fault and no error."""
    assert lines(said([("weather", '{"city": ')]), wanted([PARIS])) == [
        "0 of 2 tool calls right",
        'weather: $: expected {"city": "Paris"}, got "{\\"city\\": "',
    ]


def test_order_counts_where_it_is_asked_for() -> None:
    """As many as come in the order of the target, whatever stands between."""
    assert shares([ROME, PARIS], wanted([PARIS, ROME]), ordered=True) == pytest.approx((1 / 3, 1))
    assert shares([PARIS, MAP, ROME], wanted([PARIS, ROME]), ordered=True) == pytest.approx((2 / 3, 2 / 3))
    assert shares([PARIS, ROME], wanted([PARIS, ROME]), ordered=True) == (1, 1)
    assert lines(said([ROME, MAP, PARIS]), wanted([PARIS, ROME]), ordered=True)[1:] == [
        'out of order: weather {"city": "Paris"}',
        'not expected: show_map {"city": "Paris", "zoom": 3}',
    ]


def test_the_calls_of_several_answers_are_those_of_one_conversation() -> None:
    """Step by step, as ``model.responses`` has them; no answer has no call."""
    steps = (said([PARIS]), said([MAP], "look"), said([], "done"))
    assert tool_calls(steps, wanted([PARIS, MAP]), ordered=True).value == 1
    assert tool_calls(list(steps), wanted([MAP]), ordered=True).value == 1 / 2
    assert tool_calls((), []).value == 1
    assert tool_calls((), wanted([PARIS])).value == 0


def test_a_text_is_the_json_of_the_calls() -> None:
    """As an application may tell them; what is no such JSON scores 0."""
    assert tool_calls(json.dumps(wanted([PARIS, ROME])), wanted([ROME, PARIS])).value == 1
    assert tool_calls(json.dumps({"name": "now", "id": "call_1"}), {"name": "now", "arguments": {}}).value == 1
    for text in ("", "no idea", "[1]", '{"name": 3}', '[{"tool": "now"}]'):
        scored = tool_calls(text, "now")
        assert (scored.value, scored.companions) == (0, {"names": 0})
        assert scored.reason is not None
        assert scored.reason.startswith("not JSON: ")


def test_the_reason_tells_call_by_call() -> None:
    """Other arguments, what is missing, what was not expected; five of them, and what was said instead of a call."""
    response = said([ROME, ("delete", {"all": True})])
    assert lines(response, [*wanted([PARIS, MAP]), "now"]) == [
        "0 of 5 tool calls right",
        'weather: city: expected "Paris", got "Rome"',
        'missing: show_map {"city": "Paris", "zoom": 3}',
        "missing: now",
        'not expected: delete {"all": true}',
    ]
    assert lines(said([], "It is sunny."), wanted([PARIS]))[1:] == [
        'missing: weather {"city": "Paris"}',
        'no tool was called; the answer is "It is sunny."',
    ]
    assert lines(said([(f"t{n}", {}) for n in range(9)]), [])[-1] == "+ 4 more"
    many = {f"k{n}": n for n in range(5)}
    assert lines(said([("f", {})]), wanted([("f", many)]))[1].endswith("; + 2 more")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (None, "the target is None: the row has no target"),
        (3, "the target must be a list of tool calls, "),
        ([3], "the target holds 3; a tool call is {'name': ..., 'arguments': {...}}, or a name alone"),
        ([{"tool": "now"}], "a name alone"),
        ({"name": "now", "args": {}}, "a name alone"),
        ({"type": "function", "function": {"name": "now"}}, "a name alone"),
        ({"name": "now", "arguments": {"at": object()}}, "the target holds something that JSON cannot represent"),
    ],
)
def test_another_target_is_an_error(target: Any, told: str) -> None:
    """It is the row's fault, and no score."""
    with pytest.raises(ScorerError) as caught:
        tool_calls(said([PARIS]), target)
    assert told in str(caught.value)


@pytest.mark.parametrize("response", [None, [1], {"name": "now"}, [{"name": "now"}], 3])
def test_another_response_is_an_error(response: Any) -> None:
    """It says what to pass."""
    with pytest.raises(ScorerError, match="a scorer reads a Response or a str: "):
        tool_calls(response, "now")


def test_both_scores_are_recorded(book: ScoreBook) -> None:
    """The names' share makes no miss."""
    book.tool_calls(said([ROME]), wanted([PARIS]))
    book.tool_calls(said([PARIS]), wanted([PARIS]), name="plan")
    assert [(each.name, each.value, each.passed) for each in book.scores] == [
        ("tool_calls", 0.0, False),
        ("tool_names", 1.0, None),
        ("plan", 1.0, True),
        ("plan_names", 1.0, None),
    ]


CALL = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([{}, {"x": 1}, {"x": 2}]))
TARGET = st.one_of(st.sampled_from(["a", "b"]), CALL.map(lambda call: {"name": call[0], "arguments": call[1]}))


def brute(calls: Calls, target: list[Any], *, ordered: bool) -> int:
    """Return the most calls of the target that can have one of the answer each, by trying all ways."""

    def agree(one: Any, other: tuple[str, Any]) -> bool:
        return bool(one == other[0] if isinstance(one, str) else one == {"name": other[0], "arguments": other[1]})

    for count in range(min(len(calls), len(target)), 0, -1):
        for rows in itertools.combinations(range(len(target)), count):
            ways = itertools.combinations if ordered else itertools.permutations
            if any(
                all(agree(target[row], calls[column]) for row, column in zip(rows, columns, strict=True))
                for columns in ways(range(len(calls)), count)
            ):
                return count
    return 0


@given(st.lists(CALL, max_size=4), st.lists(TARGET, max_size=4), st.booleans())
def test_as_many_calls_are_right_as_can_be(calls: list[Any], target: list[Any], ordered: bool) -> None:
    """No other pairing finds more."""
    right = brute(calls, target, ordered=ordered)
    total = len(calls) + len(target) - right
    assert shares(calls, target, ordered=ordered)[0] == pytest.approx(right / total if total else 1)


@given(st.lists(CALL, max_size=5).flatmap(lambda calls: st.tuples(st.just(calls), st.permutations(calls))))
def test_without_order_a_permutation_is_the_same(drawn: tuple[list[Any], list[Any]]) -> None:
    """And with order it is where it changes nothing."""
    calls, other = drawn
    assert shares(calls, wanted(other)) == (1, 1)
    assert (shares(calls, wanted(other), ordered=True)[0] == 1) is (calls == other)
