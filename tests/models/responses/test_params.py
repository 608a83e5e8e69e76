"""Parameters in the words of chat completions, as a model is sent them by the Responses API."""

from typing import Any

import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from pytest_llmeval.models.responses.params import as_asked, sent_params, unsent_params

SDK: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsNonStreaming)
ALWAYS = {"store": False, "include": ["reasoning.encrypted_content"]}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
SHAPE = {"name": "place", "strict": True, "schema": SCHEMA}
LOGPROBS = "message.output_text.logprobs"
NOTHING = {"type": "object", "properties": {}}


def sent(**params: Any) -> dict[str, Any]:
    """Return what is sent, which OpenAI's types know."""
    told = sent_params({"include": ALWAYS["include"], **params})
    SDK.validate_python({"model": "m", "input": "Hi", **told})
    return told


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({}, {}),
        ({"temperature": 0, "service_tier": "flex"}, {"temperature": 0, "service_tier": "flex"}),
        ({"max_tokens": 5}, {"max_output_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_output_tokens": 6}),
        ({"max_tokens": None}, {}),
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        (
            {"reasoning_effort": "low", "reasoning": {"summary": "auto"}},
            {"reasoning": {"effort": "low", "summary": "auto"}},
        ),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        ({"response_format": {"type": "json_object"}}, {"text": {"format": {"type": "json_object"}}}),
        (
            {"response_format": {"type": "json_schema", "json_schema": SHAPE}, "verbosity": "high"},
            {"text": {"format": {"type": "json_schema", **SHAPE}, "verbosity": "high"}},
        ),
        (
            {"response_format": {"type": "json_schema", **SHAPE}},
            {"text": {"format": {"type": "json_schema", **SHAPE}}},
        ),
        ({"response_format": None, "verbosity": None, "reasoning_effort": None}, {}),
        ({"store": True, "include": []}, {"store": True, "include": []}),
        ({"include": ["file_search_call.results"]}, {"include": ["file_search_call.results"]}),
        ({"logprobs": False}, {}),
        (
            {"logprobs": True, "top_logprobs": 2},
            {"include": [*ALWAYS["include"], LOGPROBS], "top_logprobs": 2},  # type: ignore[misc]  # it is a list
        ),
        ({"logprobs": True, "include": [LOGPROBS]}, {"include": [LOGPROBS]}),
        ({"seed": None, "n": 1, "frequency_penalty": 0, "stop": [], "background": False, "stream": False}, {}),
    ],
    ids=str,
)
def test_each_goes_out_by_the_name_that_the_api_has_for_it(params: dict[str, Any], told: dict[str, Any]) -> None:
    """What is in the words of the API goes out as it is, and says what would be sent anyway otherwise."""
    assert sent(**params) == {**ALWAYS, **told}


def test_what_is_no_list_of_what_to_include_is_for_the_server_to_refuse() -> None:
    assert sent_params({"include": "all", "logprobs": True})["include"] == "all"


def test_a_server_that_refused_to_include_reasoning_is_not_asked_for_it() -> None:
    assert sent_params({}) == {"store": False}
    assert sent_params({"logprobs": True}) == {"store": False, "include": [LOGPROBS]}


@pytest.mark.parametrize(
    ("tool", "told"),
    [
        ({"name": "look"}, {"name": "look", "parameters": NOTHING, "strict": False}),
        ({"name": "look", "parameters": SCHEMA}, {"name": "look", "parameters": SCHEMA, "strict": False}),
        (
            {"name": "look", "description": "Looks.", "parameters": SCHEMA, "strict": True},
            {"name": "look", "description": "Looks.", "parameters": SCHEMA, "strict": True},
        ),
    ],
    ids=["bare", "loose", "strict"],
)
def test_a_function_is_followed_strictly_where_that_is_said(tool: dict[str, Any], told: dict[str, Any]) -> None:
    """By this API it would be without a word, too."""
    assert sent(tools=[{"type": "function", "function": tool}])["tools"] == [{"type": "function", **told}]


def test_custom_tools_and_those_of_the_vendor() -> None:
    """The latter are in the words of the API alone."""
    grammar = {"syntax": "regex", "definition": "[ab]"}
    custom = {"name": "patch", "format": {"type": "grammar", "grammar": grammar}}
    own = [{"type": "web_search"}, {"type": "function", "name": "f", "parameters": SCHEMA, "strict": None}]
    told = sent(tools=[{"type": "custom", "custom": custom}, {"type": "custom", "custom": {"name": "say"}}, *own])
    assert told["tools"] == [
        {"type": "custom", "name": "patch", "format": {"type": "grammar", **grammar}},
        {"type": "custom", "name": "say"},
        *own,
    ]


LOOK = {"type": "function", "function": {"name": "look"}}


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", "auto"),
        ("required", "required"),
        (LOOK, {"type": "function", "name": "look"}),
        ({"type": "custom", "custom": {"name": "patch"}}, {"type": "custom", "name": "patch"}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [LOOK]}},
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]},
        ),
        ({"type": "web_search_preview"}, {"type": "web_search_preview"}),
    ],
    ids=str,
)
def test_a_choice_of_a_tool(choice: object, told: object) -> None:
    assert sent(tool_choice=choice)["tool_choice"] == told


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "'reasoning_effort' is in params beside"),
        ({"verbosity": "low", "text": {"verbosity": "high"}}, "'verbosity' is in params beside 'text'"),
        ({"response_format": {"type": "text"}, "text": {"format": {"type": "text"}}}, "'response_format' is in"),
        ({"reasoning_effort": "low", "reasoning": "high"}, "'reasoning_effort' is in params beside 'reasoning'"),
    ],
)
def test_what_stands_there_in_both_words_is_refused(params: dict[str, Any], problem: str) -> None:
    """One would silently win over the other."""
    with pytest.raises(ValueError, match=problem):
        sent(**params)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"seed": 7}, "'seed' is unknown to the Responses API; take it out of the params of models.yaml, the marker"),
        ({"seed": 0}, "'seed' is unknown to the Responses API"),
        ({"stop": "x"}, "'stop' is unknown to the Responses API"),
        ({"n": 2}, "'n' is unknown to the Responses API; ask once for each answer"),
        ({"presence_penalty": 0.5}, "'presence_penalty' is unknown to the Responses API"),
        ({"logit_bias": {"1": 5}}, "'logit_bias' is unknown to the Responses API"),
        ({"functions": [{}]}, "'functions' is unknown to the Responses API; give them as tools"),
        ({"web_search_options": {}}, "give the tool {'type': 'web_search'}"),
        ({"max_output_tokens": 5}, "'max_output_tokens' is to be written as max_tokens"),
        ({"stream": True}, "'stream' is for streams, and those of the Responses API are not read"),
        ({"background": True}, "'background' asks for an answer to be fetched later"),
        ({"input": "Hi"}, "'input' is not a sampling parameter"),
    ],
    ids=str,
)
def test_what_cannot_be_had_says_what_to_do(params: dict[str, Any], told: str) -> None:
    ((name, problem),) = unsent_params({"temperature": 0, **params})
    assert name in params and problem.startswith(f"{name!r} ") and told in problem


def test_every_parameter_of_the_api_can_be_sent() -> None:
    """But for those that say what this package says, or asks for otherwise."""
    known = ResponseCreateParamsNonStreaming.__annotations__
    refused = {name for name, _ in unsent_params(dict.fromkeys(known, "x"))}
    assert refused == {"background", "input", "max_output_tokens", "stream", "stream_options"}


@pytest.mark.parametrize(
    ("name", "params", "asked"),
    [
        (None, {}, None),
        ("temperature", {"temperature": 0}, "temperature"),
        ("text.format", {"response_format": {}}, "response_format"),
        ("text.format.schema", {"response_format": {}, "verbosity": "low"}, "response_format"),
        ("text.verbosity", {"response_format": {}, "verbosity": "low"}, "verbosity"),
        ("text", {"verbosity": "low"}, "verbosity"),
        ("text.format", {"text": {"format": {}}}, "text.format"),
        ("reasoning.effort", {"reasoning_effort": "low"}, "reasoning_effort"),
        ("reasoning.summary", {"reasoning_effort": "low"}, "reasoning.summary"),
        ("max_output_tokens", {"max_tokens": 5}, "max_tokens"),
        ("max_output_tokens", {"max_completion_tokens": 5}, "max_completion_tokens"),
        ("max_output_tokens", {}, "max_output_tokens"),
        ("include", {"logprobs": True}, "logprobs"),
        ("include", {"include": []}, "include"),
        ("input[3].content", {}, "messages"),
        ("input", {}, "messages"),
        ("tools[0].parameters", {"tools": []}, "tools[0].parameters"),
        ("tool_choice", {"tool_choice": "auto"}, "tool_choice"),
    ],
    ids=str,
)
def test_what_a_server_refuses_is_named_as_it_was_asked_for(
    name: str | None, params: dict[str, Any], asked: str | None
) -> None:
    """By that name a judge knows what to do without, and a user what to take out."""
    assert as_asked(name, params) == asked
