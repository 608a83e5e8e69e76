"""From asks to records and back: names that are the same everywhere, and responses that lose nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.calls import answered, ask_name, failed, response_of
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Ask, Response
from tests.support.engine_parts import ask
from tests.support.records import finite, responses, texts


@given(response=responses)
def test_an_answered_call_holds_the_whole_response(response: Response) -> None:
    made = answered(ask(), response, "n")
    assert response_of(made) == response
    assert (made.status, made.name, made.role, made.model) == ("ok", "n", "model", "m")


def test_a_record_of_before_tool_calls_were_read_holds_none() -> None:
    made = answered(ask(), Response(text="yes", finish_reason="stop"), "n")
    assert made.detail == {"finish_reason": "stop"}
    assert response_of(made).tool_calls == ()


def test_a_record_without_an_answer_reads_as_an_empty_one() -> None:
    record = failed(ask(), CallError("no", kind=ErrorKind.TIMEOUT), "n")
    assert response_of(record).text == ""


def test_a_name_is_a_digest_and_a_number() -> None:
    """It stands in the database: a change of it would make every call of a run that goes on a new one."""
    assert ask_name(ask()) == "f9efaa0b58da4d8f-1"
    assert ask_name(ask(nth=12)).endswith("-12")


@pytest.mark.parametrize(
    "other",
    [
        ask(text="Q"),
        ask(nth=2),
        ask(role="judge"),
        ask(model="other"),
        ask(params={"t": 1}),
        ask(params={"t": 1.0}),
        ask(params={"t": True}),
        ask(params={"t": "1"}),
    ],
)
def test_calls_of_a_case_that_differ_have_different_names(other: Ask) -> None:
    assert ask_name(other) != ask_name(ask())
    assert ask_name(other) != ask_name(ask(params={"t": None}))


@given(
    sample=st.text(),
    epoch=st.integers(1, 9),
    position=st.none() | st.integers(0, 9),
    params=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | finite | texts),
    data=st.data(),
)
def test_neither_the_case_nor_the_order_of_params_is_in_the_name(
    sample: str, epoch: int, position: int | None, params: dict[str, Any], data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(params.items()))))
    assert ask_name(ask(sample, epoch=epoch, position=position, params=shuffled)) == ask_name(ask(params=params))


def too_deep() -> list[Any]:
    inner: list[Any] = []
    for _ in range(100_000):
        inner = [inner]
    return inner


def in_a_circle() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["self"] = made
    return made


@pytest.mark.parametrize(
    "make",
    [lambda: float("nan"), lambda: float("-inf"), object, lambda: b"", lambda: {1}, too_deep, in_a_circle],
    ids=["nan", "inf", "object", "bytes", "set", "deep", "circle"],
)
def test_a_request_that_json_cannot_hold_is_a_bad_request(make: Any) -> None:
    with pytest.raises(CallError, match="m: messages or params cannot be sent as JSON: ") as caught:
        ask_name(ask(params={"x": make()}))
    assert (caught.value.kind, caught.value.attempts) == (ErrorKind.BAD_REQUEST, 0)
    with pytest.raises(CallError, match=r"serializable; x is the class object: pass its JSON Schema, or .*client"):
        ask_name(ask(params={"x": object}))


def test_a_failed_call_costs_nothing_where_nothing_was_sent_and_an_unknown_sum_where_it_was() -> None:
    sent = failed(ask(), CallError("no", kind=ErrorKind.SERVER_ERROR, attempts=3, latency_s=1.5), "n")
    assert (sent.status, sent.attempts, sent.latency_s, sent.cost_usd) == ("server_error", 3, 1.5, None)
    unsent = failed(ask(), CallError("no", kind=ErrorKind.BUDGET, attempts=0), "n")
    assert (unsent.status, unsent.attempts, unsent.cost_usd, unsent.response) == ("budget", 0, 0.0, None)


def test_a_request_that_json_cannot_hold_can_be_recorded_all_the_same() -> None:
    made = failed(ask(params={"x": float("nan"), "y": object()}), CallError("no", kind=ErrorKind.BAD_REQUEST), "")
    assert made.request["params"] == {"x": "nan", "y": "<object>"}
