"""Translation of parameters of the Responses API, including tools, into those of a chat completion.

https://platform.openai.com/docs/api-reference/responses/create and https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Callable, Mapping
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.text import shown_value

__all__ = ["chat_params", "custom_names", "unsupported"]

_ELSEWHERE = frozenset({"input", "instructions", "model", "previous_response_id", "stream"})
"""Keys of a request that become messages of the chat completion, or decide how it is sent."""
_WITHOUT_EFFECT = frozenset({"background_options", "include", "max_tool_calls", "metadata", "store", "stream_options"})
"""Parameters that do not change the answer: they concern its storage, its display, and tools that OpenAI runs.

OpenAI accepts ``metadata`` in a chat completion only if it stores the completion.
"""
_UNTOLD: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "access_programs": ((), "leave it out"),
    "background": ((False,), "ask without it, and wait for the answer"),
    "context_management": (([],), "leave it out, and shorten the input in the application"),
    "conversation": ((), "pass previous_response_id, or what was said before in input"),
    "image": (({}, {"context_compression": "auto"}, {"context_compression": "disabled"}), "leave it out"),
    "prompt": ((), "pass the text of the template as instructions or input"),
    "truncation": (("disabled",), "leave it out, and shorten the input in the application"),
}
"""Parameters that would change an answer: the values that do not, and what to do instead of using them."""
_REASONING: Mapping[str, tuple[Any, ...]] = {"context": ("auto",), "mode": ("standard",)}
"""Keys of ``reasoning`` that would change an answer, with the values that do not."""
_OF_REASONING = frozenset({"effort", "generate_summary", "summary"})
"""The other keys of ``reasoning``: how much the model reasons, and how much of that is shown."""
_KINDS = {"function": ("name", "description", "parameters", "strict"), "custom": ("name", "description", "format")}
"""Types of tools that an application runs itself, each with its keys in a chat completion."""
_UNNEEDED = {"allowed_callers": (["direct"],), "async": (False,), "defer_loading": (False,)}
"""Further keys of these tools, with the values that have no effect."""
_OF_TOOLS = ("parallel_tool_calls", "tool_choice")


def chat_params(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a chat completion for the body of a request, including keys that are not known here.

    Raises:
        CaseError: the body asks for something that a chat completion cannot do.
    """
    params: dict[str, Any] = {}
    for name, value in body.items():
        if value is not None and name not in _ELSEWHERE | _WITHOUT_EFFECT:
            params |= _TOLD.get(name, _refused if name in _UNTOLD else _same)(name, value)
    if "tools" in params:
        return params
    # Without tools, OpenAI refuses these in a chat completion but accepts them in a response.
    return {name: value for name, value in params.items() if name not in _OF_TOOLS or value == "required"}


def custom_names(params: Mapping[str, Any]) -> set[str]:
    """Return the names of the custom tools among the parameters of a chat completion."""
    return {tool["custom"]["name"] for tool in params.get("tools") or () if tool.get("type") == "custom"}


def unsupported(what: str, todo: str) -> CaseError:
    """Return the error for a request that contains ``what``; ``todo`` says what the application can do instead."""
    message = f"{what}: the case's model is asked by a chat completion, which cannot have that; {todo}"
    return CaseError(message, kind=ErrorKind.CODE)


def _same(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


def _refused(name: str, value: Any) -> dict[str, Any]:
    """Return no parameter for a value without effect; raise CaseError for any other value."""
    values, todo = _UNTOLD[name]
    if value in values:
        return {}
    raise unsupported(f"{name}={shown_value(value)}", todo)


def _text(name: str, value: Any) -> dict[str, Any]:
    """Return ``text`` as ``verbosity`` and ``response_format``."""
    for key in value.keys() - {"format", "verbosity"}:
        raise unsupported(f"text.{key}={shown_value(value[key])}", "leave it out")
    verbosity, form = value.get("verbosity"), value.get("format") or {"type": "text"}
    told: dict[str, Any] = {} if verbosity is None else {"verbosity": verbosity}
    if form.get("type") == "text":
        return told
    schema = {key: each for key, each in form.items() if key != "type" and each is not None}
    return {**told, "response_format": {"type": form.get("type"), **({"json_schema": schema} if schema else {})}}


def _reasoning(name: str, value: Any) -> dict[str, Any]:
    """Return ``reasoning`` as ``reasoning_effort``."""
    for key, each in value.items():
        if key not in _OF_REASONING and each not in (None, *_REASONING.get(key, ())):
            raise unsupported(f"reasoning.{key}={shown_value(each)}", "leave it out, or send it by extra_body")
    effort = value.get("effort")
    return {} if effort is None else {"reasoning_effort": effort}


def _caching(name: str, value: Any) -> dict[str, Any]:
    """Return the options of OpenAI's own cache, without the response to compare with, which is for display only."""
    if value.get("prewarm"):
        raise unsupported("prompt_cache_options.prewarm=True", "leave it out")
    fields = {key: each for key, each in value.items() if key not in ("comparison_response_id", "prewarm")}
    return {name: fields} if fields else {}


def _tools(tools: Any) -> dict[str, Any]:
    """Return ``tools`` as a parameter; no parameter for an empty list, which servers refuse.

    Raises:
        CaseError: one of the tools is run by OpenAI.
    """
    functions = [_tool(tool) for tool in tools]
    return {"tools": functions} if functions else {}


def _tool(tool: Any) -> dict[str, Any]:
    kind = _kind(tool)
    if kind not in _KINDS:
        raise _no_tool(kind)
    if tool.get("name") is None:
        raise unsupported(
            f"the tool {shown_value(tool)}, which has no name", "give its name, as this API has it, beside type"
        )
    for key, values in _UNNEEDED.items():
        if tool.get(key) not in (None, *values):
            message = f"{key}={shown_value(tool[key])} of the tool {tool.get('name')!r}"
            raise unsupported(message, "leave it out")
    found: dict[str, Any] = {key: tool[key] for key in _KINDS[kind] if tool.get(key) is not None}
    if isinstance(found.get("format"), Mapping):
        found["format"] = _format(found["format"])
    return {"type": kind, kind: found}


def _kind(tool: Any) -> str:
    return str(tool.get("type")) if isinstance(tool, Mapping) else shown_value(tool)


def _no_tool(kind: str) -> CaseError:
    return unsupported(f"the tool {kind!r}", "let the application give a function in its place, or a stub of one")


def _format(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the format of a custom tool's input; in a chat completion a grammar is a nested object."""
    rest = {key: value for key, value in form.items() if key != "type"}
    kind = form.get("type")
    return {"type": kind, "grammar": rest} if kind == "grammar" else {"type": kind, **rest}


def _choice(choice: Any) -> dict[str, Any]:
    """Return ``tool_choice`` as a parameter.

    Raises:
        CaseError: it names a tool that OpenAI runs.
    """
    if isinstance(choice, str):
        return {"tool_choice": choice}
    if _kind(choice) != "allowed_tools":
        return {"tool_choice": _named(choice)}
    allowed = {"mode": choice.get("mode"), "tools": [_named(tool) for tool in choice.get("tools") or ()]}
    return {"tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}}


def _named(tool: Any) -> dict[str, Any]:
    """Return the reference to a tool by its name."""
    kind = _kind(tool)
    if kind not in _KINDS:
        raise _no_tool(kind)
    return {"type": kind, kind: {"name": tool.get("name")}}


_TOLD: Mapping[str, Callable[[str, Any], dict[str, Any]]] = {
    "max_output_tokens": lambda _, value: {"max_completion_tokens": value},
    "prompt_cache_options": _caching,
    "reasoning": _reasoning,
    "text": _text,
    "tool_choice": lambda _, value: _choice(value),
    "tools": lambda _, value: _tools(value),
    "top_logprobs": lambda _, value: {"logprobs": True, "top_logprobs": value} if value else {},
}
"""Translations of the parameters that have another form in a chat completion."""
