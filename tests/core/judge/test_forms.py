"""A judge's server is asked for the best form that it takes."""

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.judge.asking import verdict_schema
from pytest_llmeval.core.judge.forms import Forms, reply_of, told
from pytest_llmeval.core.judge.verdict import MalformedVerdictError
from pytest_llmeval.core.types import Response, ToolCall
from tests.core.judge.rubrics import NONCE, RUBRIC

Params = dict[str, Any]


def refused(param: str | None, kind: ErrorKind = ErrorKind.BAD_REQUEST) -> CallError:
    return CallError("HTTP 400: temperature response_format", kind=kind, param=param)


def means(params: Params) -> str:
    """Return by what means a verdict is asked for."""
    if "tools" in params:
        return "strict tool" if params["tools"][0]["function"].get("strict") else "tool"
    return str(params.get("response_format", {"type": "text"})["type"])


def answered(forms: Forms, refusal: Callable[[Params], CallError | None]) -> tuple[Params | None, list[str]]:
    """Ask until nothing is refused; return the last parameters, None where all was, and the means in order."""
    asking, seen = forms.asking(RUBRIC, NONCE), list[str]()
    while True:
        sent = asking.params
        seen.append(means(sent))
        error = refusal(sent)
        if error is None:
            asking.taken()
            return sent, seen
        if not asking.give_way(error):
            return None, seen


def without(*params: str, named: bool = True) -> Callable[[Params], CallError | None]:
    """Return a server that refuses each of these parameters."""

    def refusal(sent: Params) -> CallError | None:
        found = next((param for param in params if param.partition(".")[0].partition("[")[0] in sent), None)
        return refused(found if named else None) if found else None

    return refusal


def test_at_first_everything_is_asked_for() -> None:
    params = Forms().asking(RUBRIC, NONCE).params
    assert params["temperature"] == 0
    assert params["response_format"]["json_schema"]["schema"] == verdict_schema(RUBRIC)


def test_a_tool_has_the_schema_and_is_forced() -> None:
    sent, _ = answered(Forms(), without("response_format"))
    assert sent is not None
    (tool,) = sent["tools"]
    assert tool["function"]["parameters"] == verdict_schema(RUBRIC) and tool["function"]["strict"] is True
    assert sent["tool_choice"] == {"type": "function", "function": {"name": tool["function"]["name"]}}


@pytest.mark.parametrize("refusals", [(), ("response_format",)], ids=["response_format", "tool"])
def test_a_schema_may_hold_the_nonce_of_its_call(refusals: tuple[str, ...]) -> None:
    sent, _ = answered(Forms(binds_nonce=True), without(*refusals))
    assert sent is not None
    found = sent["tools"][0]["function"]["parameters"] if refusals else sent["response_format"]["json_schema"]["schema"]
    assert found["properties"]["nonce"] == {"type": "string", "enum": [NONCE]}
    assert found["properties"]["format"] == verdict_schema(RUBRIC)["properties"]["format"]


ALL = ["json_schema", "strict tool", "tool", "json_object", "text"]


@pytest.mark.parametrize("named", [True, False], ids=["named", "nameless"])
@pytest.mark.parametrize(
    ("params", "seen"),
    [
        (("response_format",), ALL[:2]),
        (("response_format.json_schema",), ALL[:2]),
        (("response_format[0]", "tools[0].function"), ALL),
        (("tools", "tool_choice", "response_format"), ALL),
    ],
)
def test_a_form_that_is_refused_gives_way_to_the_next_for_good(
    params: tuple[str, ...], seen: list[str], named: bool
) -> None:
    forms, server = Forms(), without(*params, named=named)
    assert answered(forms, server)[1] == seen
    sent, again = answered(forms, server)
    assert again == seen[-1:]
    assert sent is not None and sent["temperature"] == 0


def test_a_server_that_forces_no_tool_is_not_asked_for_another_one() -> None:
    forms = Forms()
    assert answered(forms, without("tool_choice", "response_format"))[1] == [*ALL[:2], "json_object", "text"]


def test_a_server_may_take_a_tool_whose_schema_it_does_not_enforce() -> None:
    def lenient(sent: Params) -> CallError | None:
        if "response_format" in sent:
            return refused("response_format")
        return refused("tools[0].function.strict") if means(sent) == "strict tool" else None

    assert answered(Forms(), lenient)[1] == ["json_schema", "strict tool", "tool"]


@pytest.mark.parametrize("named", [True, False], ids=["named", "nameless"])
def test_a_temperature_that_is_refused_is_left_out(named: bool) -> None:
    """Where it is not named, the words alone tell: the form is back with the next request."""
    forms, server = Forms(), without("temperature", named=named)
    first, _ = answered(forms, server)
    assert first is not None and "temperature" not in first
    assert answered(forms, server)[1] == ["json_schema"]


@pytest.mark.parametrize("first", ["refused", "taken"])
def test_no_form_is_to_blame_where_a_server_takes_nothing(first: str) -> None:
    """Of one that took a request, a refusal in all ways says that this text is not wanted."""
    forms, nothing = Forms(), without("temperature", "messages", named=False)
    if first == "taken":
        assert answered(forms, without())[1] == ALL[:1]

    def refusing(sent: Params) -> CallError | None:
        return nothing({**sent, "messages": []})

    tried = [len(answered(forms, refusing)[1]) for _ in range(10)]
    assert tried == ([6] * 10 if first == "taken" else [6] * 8 + [1] * 2)
    if first == "refused":
        assert answered(forms, without("response_format"))[1] == ["text"]  # for itself, as it turns out
    assert answered(forms, without("response_format"))[1] == ALL[:2]


@pytest.mark.parametrize(
    ("own", "asked"),
    [({}, 0), ({"seed": 3}, 0), ({"temperature": 0.7}, 0.7), ({"temperature": 0.0}, 0)],
)
@pytest.mark.parametrize("refusals", [(), ("response_format",), ("tools", "response_format")])
def test_a_temperature_of_the_judges_own_is_asked_for(own: Params, asked: float, refusals: tuple[str, ...]) -> None:
    """And nothing else of its own; that 0 is written out in other figures makes no other request."""
    sent, _ = answered(Forms(own=own), without(*refusals))
    assert sent is not None and repr(sent["temperature"]) == repr(asked)
    assert "seed" not in sent


@pytest.mark.parametrize("named", ["max_completion_tokens", None])
def test_room_that_the_model_does_not_have_is_given_up_and_nothing_else(named: str | None) -> None:
    forms = Forms()
    asking = forms.asking(RUBRIC, NONCE, {"max_tokens": 9})
    assert asking.params == {**forms.asking(RUBRIC, NONCE).params, "max_tokens": 9}
    assert asking.give_way(refused(named))
    assert asking.params == forms.asking(RUBRIC, NONCE).params
    asking.taken()
    assert answered(forms, without())[1] == ["json_schema"]


@pytest.mark.parametrize("kind", [ErrorKind.BAD_REQUEST, ErrorKind.NOT_CACHED])
def test_what_is_refused_in_every_way_takes_nothing_from_the_others(kind: ErrorKind) -> None:
    """A question that is too long is no reason to ask less of a form."""
    forms = Forms()
    assert answered(forms, lambda sent: refused(None, kind))[0] is None
    assert answered(forms, without())[1] == ["json_schema"]


def test_what_is_recorded_is_found_in_every_way_that_there_was() -> None:
    """A judge may have been asked otherwise in each case of the run that is scored again."""
    forms = Forms()
    for wanted in ALL:
        for temperature in (True, False):

            def recorded(sent: Params, wanted: str = wanted, temperature: bool = temperature) -> CallError | None:
                found = means(sent) == wanted and ("temperature" in sent) == temperature
                return None if found else refused(None, ErrorKind.NOT_CACHED)

            assert answered(forms, recorded)[0] is not None


@pytest.mark.parametrize("named", [True, False], ids=["named", "nameless"])
@pytest.mark.parametrize("params", [("response_format",), ("temperature",)])
def test_requests_that_went_out_together_give_way_once(params: tuple[str, ...], named: bool) -> None:
    forms, server = Forms(), without(*params, named=named)
    waiting = [forms.asking(RUBRIC, NONCE) for _ in range(3)]
    while waiting:
        asking = waiting.pop(0)
        error = server(asking.params)
        if error is None:
            asking.taken()
        else:
            assert asking.give_way(error)
            waiting.append(asking)
    assert answered(forms, server)[1] == (["strict tool"] if params == ("response_format",) else ["json_schema"])


@pytest.mark.parametrize(
    "error",
    [
        refused("model"),
        refused("messages"),
        refused("tools"),
        refused(None, ErrorKind.AUTH),
        refused("temperature", ErrorKind.QUOTA),
    ],
)
def test_other_faults_are_no_reason_to_ask_for_less(error: CallError) -> None:
    """A parameter that was not sent among them."""
    forms = Forms()
    assert answered(forms, lambda sent: error) == (None, ["json_schema"])
    assert answered(forms, without())[1] == ["json_schema"]


def by_tool() -> Params:
    sent, _ = answered(Forms(), without("response_format"))
    assert sent is not None
    return sent


def calls(*names: str, text: str = "", finish: str = "tool_calls") -> Response:
    found = tuple(ToolCall(name=name, arguments=f'{{"n": {n}}}') for n, name in enumerate(names))
    return Response(text=text, tool_calls=found, finish_reason=finish)


def test_where_a_tool_was_forced_only_its_arguments_are_the_reply() -> None:
    assert reply_of(calls("verdict", text='{"n": 7}'), by_tool()) == '{"n": 0}'
    assert reply_of(calls("verdict", finish="stop"), by_tool()) == '{"n": 0}'


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (Response(text='{"n": 0}'), "was not called"),
        (calls("verdict", "verdict"), "was called 2 times; call it once"),
        (calls("answer"), "another function"),
        (calls("verdict", "answer"), "another function"),
    ],
)
def test_every_other_call_is_malformed(response: Response, problem: str) -> None:
    with pytest.raises(MalformedVerdictError, match=problem):
        reply_of(response, by_tool())


def test_where_no_tool_was_asked_for_a_call_is_no_reply() -> None:
    assert reply_of(calls("verdict", text="Well."), Forms().asking(RUBRIC, NONCE).params) == "Well."


def test_a_call_is_told_by_its_arguments() -> None:
    assert told(calls("verdict", "answer", text="Well.")) == '{"n": 0}\n{"n": 1}'
    assert told(Response(text="Well.")) == "Well."
