"""Parameters of the Responses API, told as those of a chat completion.

https://platform.openai.com/docs/api-reference/responses/create and https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Callable, Mapping
from typing import Any

from pytest_llmeval.core.text import shown_value
from pytest_llmeval.models.application.responses_refusals import untold
from pytest_llmeval.models.application.responses_tools import chat_choice, chat_tools

__all__ = ["chat_params"]

_ELSEWHERE = frozenset({"input", "instructions", "model", "previous_response_id", "stream"})
"""What is no parameter of a chat completion, but its messages, or how it is sent."""
_WITHOUT_EFFECT = frozenset({"background_options", "include", "max_tool_calls", "metadata", "store", "stream_options"})
"""What changes no answer here: how it is kept and shown, and the calls of tools that OpenAI runs. OpenAI takes the
``metadata`` of a chat completion only where it keeps that."""
_UNTOLD: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "access_programs": ((), "leave it out"),
    "background": ((False,), "ask without it, and wait for the answer"),
    "context_management": (([],), "leave it out, and shorten the input in the application"),
    "conversation": ((), "pass previous_response_id, or what was said before in input"),
    "image": (({}, {"context_compression": "auto"}, {"context_compression": "disabled"}), "leave it out"),
    "prompt": ((), "pass the text of the template as instructions or input"),
    "truncation": (("disabled",), "leave it out, and shorten the input in the application"),
}
"""What would change an answer: the values that do not, and what to do instead."""
_REASONING: Mapping[str, tuple[Any, ...]] = {"context": ("auto",), "mode": ("standard",)}
"""The same of keys of ``reasoning``."""
_OF_REASONING = frozenset({"effort", "generate_summary", "summary"})
"""Its other keys: how much the model is to think, and what of it is shown."""
_OF_TOOLS = ("parallel_tool_calls", "tool_choice")


def chat_params(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a chat completion for the body of a request; keys that no API knows among them.

    Raises:
        CaseError: what the body asks for cannot be had of a chat completion.
    """
    params: dict[str, Any] = {}
    for name, value in body.items():
        if value is not None and name not in _ELSEWHERE | _WITHOUT_EFFECT:
            params |= _TOLD.get(name, _refused if name in _UNTOLD else _same)(name, value)
    if "tools" in params:
        return params
    # Without tools OpenAI refuses these in a chat completion; a response may have them all the same.
    return {name: value for name, value in params.items() if name not in _OF_TOOLS or value == "required"}


def _same(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


def _refused(name: str, value: Any) -> dict[str, Any]:
    """Return nothing for a value that changes nothing; raise CaseError for any other one."""
    values, todo = _UNTOLD[name]
    if value in values:
        return {}
    raise untold(f"{name}={shown_value(value)}", todo)


def _text(name: str, value: Any) -> dict[str, Any]:
    """Return what is said of the form of the answer."""
    for key in value.keys() - {"format", "verbosity"}:
        raise untold(f"text.{key}={shown_value(value[key])}", "leave it out")
    verbosity, form = value.get("verbosity"), value.get("format") or {"type": "text"}
    told: dict[str, Any] = {} if verbosity is None else {"verbosity": verbosity}
    if form.get("type") == "text":
        return told
    schema = {key: each for key, each in form.items() if key != "type" and each is not None}
    return {**told, "response_format": {"type": form.get("type"), **({"json_schema": schema} if schema else {})}}


def _reasoning(name: str, value: Any) -> dict[str, Any]:
    """Return how much the model is to think."""
    for key, each in value.items():
        if key not in _OF_REASONING and each not in (None, *_REASONING.get(key, ())):
            raise untold(f"reasoning.{key}={shown_value(each)}", "leave it out, or send it by extra_body")
    effort = value.get("effort")
    return {} if effort is None else {"reasoning_effort": effort}


def _caching(name: str, value: Any) -> dict[str, Any]:
    """Return what is said of OpenAI's own cache; which earlier response to compare with is for display."""
    if value.get("prewarm"):
        raise untold("prompt_cache_options.prewarm=True", "leave it out")
    told = {key: each for key, each in value.items() if key not in ("comparison_response_id", "prewarm")}
    return {name: told} if told else {}


_TOLD: Mapping[str, Callable[[str, Any], dict[str, Any]]] = {
    "max_output_tokens": lambda _, value: {"max_completion_tokens": value},
    "prompt_cache_options": _caching,
    "reasoning": _reasoning,
    "text": _text,
    "tool_choice": lambda _, value: chat_choice(value),
    "tools": lambda _, value: chat_tools(value),
    "top_logprobs": lambda _, value: {"logprobs": True, "top_logprobs": value} if value else {},
}
"""What a chat completion has in other words."""
