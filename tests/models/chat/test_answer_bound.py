"""The bound of an answer has two names, of which a server may know one; against a real server."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.param_levels import bound_of, laid_over
from pytest_llmeval.core.types import Request, Response
from pytest_llmeval.loaders.prompts import Prompt
from pytest_llmeval.models.chat.refused_params import RefusedParams
from pytest_llmeval.models.hf.params import read_sampling
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.registry import open_model
from pytest_llmeval.models.specs import parse_spec
from pytest_llmeval.training.task import Task
from tests.support.anthropic_server import AnthropicServer
from tests.support.asking import FAST, Ask, Fail, ask_model
from tests.support.fault_server import FaultServer

NAMES = ["max_tokens", "max_completion_tokens"]
Params = Mapping[str, Any]


def bounds(server: FaultServer) -> list[dict[str, Any]]:
    """Return the bounds of the requests that arrived, in their order."""
    return [{name: entry.body[name] for name in NAMES if name in entry.body} for entry in server.ledger]


def named(spec: str, **params: Any) -> NamedModel:
    return NamedModel(name="m", spec=parse_spec(spec), params=params)


@pytest.mark.parametrize("early", NAMES)
@pytest.mark.parametrize("late", NAMES)
def test_a_later_bound_replaces_an_earlier_one_under_either_name(early: str, late: str) -> None:
    assert laid_over({"seed": 1, early: 500}, {late: 20, "stop": "x"}) == {"seed": 1, late: 20, "stop": "x"}
    assert laid_over({"seed": 1, early: 500}, {"seed": 2}) == {"seed": 2, early: 500}
    assert laid_over({}, dict.fromkeys(NAMES, 5)) == dict.fromkeys(NAMES, 5)


@pytest.mark.parametrize(
    ("params", "bound"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
    ],
    ids=str,
)
def test_of_two_bounds_of_one_level_the_newer_name_counts_everywhere(params: Params, bound: int | None) -> None:
    assert bound_of(params) == bound
    prompt = Prompt(source="input", digest="", render=lambda sample: ())
    assert Task(suite="t", prompt=prompt, params=params).new_tokens == (bound or 256)
    backend = open_model(named("anthropic:m"), environ={"ANTHROPIC_API_KEY": "key"})
    assert backend.identity(Request(messages=(), params=params))["params"] == {"max_tokens": bound or 1024}
    if bound is not None:
        assert read_sampling(params, "m").max_tokens == bound


def test_a_server_is_sent_one_bound(server: FaultServer, ask: Ask) -> None:
    ask(named(server.spec("echo"), max_completion_tokens=500), params={"max_tokens": 20})
    ask(named(server.spec("echo"), max_tokens=500), params={"max_completion_tokens": 20})
    assert bounds(server) == [{"max_tokens": 20}, {"max_completion_tokens": 20}]


@pytest.mark.parametrize(
    ("own", "call", "sent"),
    [
        ({}, {}, 1024),
        ({"max_completion_tokens": 500}, {}, 500),
        ({"max_completion_tokens": 500}, {"max_tokens": 20}, 20),
        ({"max_tokens": 500}, {"max_completion_tokens": 20}, 20),
    ],
    ids=str,
)
def test_the_messages_api_is_sent_max_tokens(own: Params, call: Params, sent: int) -> None:
    """By which the answer is found again, too."""
    with AnthropicServer() as server:
        model = named(server.spec("echo"), **own)
        ask_model(model, params=call)
        assert bounds(server) == [{"max_tokens": sent}]
        backend = open_model(model, environ={})
        assert backend.identity(Request(messages=(), params=call))["params"] == {"max_tokens": sent}
        asyncio.run(backend.aclose())


@pytest.mark.parametrize(("refused", "other"), [NAMES, NAMES[::-1]])
def test_a_bound_goes_out_by_the_name_that_the_server_tells(server: FaultServer, refused: str, other: str) -> None:
    """It is remembered; what the answer is found again by stays as it was."""
    backend = open_model(named(server.spec(f"fault-noparam-{refused}")), environ={}, policy=FAST)
    request = Request(messages=({"role": "user", "content": "hi"},), params={refused: 9, "seed": 1})
    before = backend.identity(request)

    async def calls() -> list[Response]:
        try:
            first = await asyncio.gather(*[backend.complete(request) for _ in range(3)])
            return [*first, await backend.complete(request)]
        finally:
            await backend.aclose()

    *first, last = asyncio.run(calls())
    assert ({each.text for each in first}, last.text, last.attempts) == ({"hi"}, "hi", 1)
    assert {each.attempts for each in first} <= {1, 2}
    assert (bounds(server)[0], bounds(server)[-1]) == ({refused: 9}, {other: 9})
    assert all(entry.body["seed"] == 1 for entry in server.ledger)
    assert backend.identity(request) == before


def test_a_server_that_refuses_both_names_is_asked_by_each_once(server: FaultServer, fail: Fail) -> None:
    error = fail(server.spec("fault-noparam-max_tokens-max_completion_tokens"), params={"max_tokens": 9})
    assert (error.kind, error.attempts, error.param) == (ErrorKind.BAD_REQUEST, 2, "max_completion_tokens")
    assert bounds(server) == [{"max_tokens": 9}, {"max_completion_tokens": 9}]


SAID = [
    (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        True,
    ),
    ("max_tokens is unsupported, see max_completion_tokens", True),
    ("The max_tokens parameter is not supported with this model; use max_completion_tokens", True),
    ("`max_tokens` is no longer supported. Please use `max_completion_tokens`.", True),
    ("max_tokens isn't supported by this model, please use max_completion_tokens", True),
    ("this model does not support the parameter `max_tokens`: send `max_completion_tokens`", True),
    ("Please use max_completion_tokens instead.", True),
    ("max_tokens is too large: 9. This model supports at most 8 completion tokens, max_completion_tokens too.", False),
    ("max_tokens: 9 is over the 8 of max_completion_tokens that are supported", False),
    ("'max_tokens' and 'max_completion_tokens' cannot be set at once; no model supports that", False),
]


@pytest.mark.parametrize(("said", "is_other"), SAID, ids=[said for said, _ in SAID])
def test_only_a_name_that_is_not_supported_gives_way_to_the_other(said: str, is_other: bool) -> None:
    refused, params = RefusedParams(), {"max_tokens": 9}
    error = AttemptError(ErrorKind.BAD_REQUEST, said, param="max_tokens")
    assert (refused.learn(error, params), error.retryable) == (is_other, is_other)
    assert refused.as_taken(params) == ({"max_completion_tokens": 9} if is_other else params)


def test_one_of_the_two_names_stays() -> None:
    refused = RefusedParams()
    for name, other in (NAMES, NAMES[::-1]):
        error = AttemptError(ErrorKind.BAD_REQUEST, f"{name} is not supported; use {other} instead", param=name)
        assert refused.learn(error, {name: 9}) == (name == "max_tokens")
    assert refused.as_taken({"max_tokens": 9}) == {"max_completion_tokens": 9}


@pytest.mark.parametrize("param", ["temperature", "top_p"])
def test_no_other_parameter_is_left_out(server: FaultServer, fail: Fail, param: str) -> None:
    """That would change what is measured; the error says what to do."""
    error = fail(server.spec(f"fault-noparam-{param}"), params={param: 0.5})
    assert (error.kind, error.attempts, len(server.ledger)) == (ErrorKind.BAD_REQUEST, 1, 1)
    assert f"take {param!r} out of the params of models.yaml, the marker or the call, or change it" in str(error)


def test_a_refusal_that_names_nothing_stays_one(server: FaultServer, fail: Fail) -> None:
    error: CallError = fail(server.spec("fault-nameless-max_tokens"), params={"max_tokens": 9})
    assert (error.kind, error.attempts, bounds(server)) == (ErrorKind.BAD_REQUEST, 1, [{"max_tokens": 9}])
