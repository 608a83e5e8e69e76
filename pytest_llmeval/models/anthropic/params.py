"""Translation of parameters from OpenAI's format into that of Anthropic's Messages API.

With it, the same test or judge can request a tool call from every vendor. Parameters that are already in the API's own
format are sent unchanged.
"""

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["translated"]

_CHOICES = {"auto": "auto", "required": "any", "none": "none"}


def translated(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``params`` in the format of the Messages API.

    Raises:
        ValueError: ``response_format`` has a type that the API does not support.
    """
    whole = dict(params)
    for name, told in _TOLD.items():
        if name in params:
            told(whole, whole.pop(name))
    return whole


def _tools(whole: dict[str, Any], tools: Any) -> None:
    whole["tools"] = [_tool(tool) for tool in tools] if isinstance(tools, list | tuple) else tools


def _tool(tool: Any) -> Any:
    """Return a translated tool: a function's schema has another key in this API."""
    function = tool.get("function") if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping):
        return tool
    kept = {key: value for key, value in function.items() if key != "parameters"}
    beside = {key: value for key, value in tool.items() if key not in ("type", "function")}
    return {**kept, "input_schema": function.get("parameters", {"type": "object"}), **beside}


def _tool_choice(whole: dict[str, Any], choice: Any) -> None:
    if isinstance(choice, str):
        choice = {"type": _CHOICES.get(choice, choice)}
    function = choice.get("function") if isinstance(choice, Mapping) else None
    whole["tool_choice"] = {"type": "tool", **function} if isinstance(function, Mapping) else choice


def _parallel_tool_calls(whole: dict[str, Any], are_allowed: Any) -> None:
    choice = whole.get("tool_choice", {"type": "auto"})
    whole["tool_choice"] = {**choice, "disable_parallel_tool_use": not are_allowed}


def _stop(whole: dict[str, Any], stop: Any) -> None:
    whole["stop_sequences"] = [stop] if isinstance(stop, str) else stop


def _user(whole: dict[str, Any], user: Any) -> None:
    whole["metadata"] = {**(whole.get("metadata") or {}), "user_id": user}


def _reasoning_effort(whole: dict[str, Any], effort: Any) -> None:
    whole["output_config"] = {**(whole.get("output_config") or {}), "effort": effort}


def _response_format(whole: dict[str, Any], form: Any) -> None:
    """Request an answer that follows a JSON schema; the schema's name and ``strict`` are dropped as implied."""
    kind = form.get("type") if isinstance(form, Mapping) else None
    named = form.get("json_schema") if isinstance(form, Mapping) else None
    if kind == "json_schema" and isinstance(named, Mapping) and "schema" in named:
        asked = {"type": "json_schema", "schema": named["schema"]}
        whole["output_config"] = {**(whole.get("output_config") or {}), "format": asked}
    elif kind != "text":
        raise ValueError("the Messages API supports only json_schema as 'response_format'; use that, or tools")


_TOLD: Mapping[str, Callable[[dict[str, Any], Any], None]] = {
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _parallel_tool_calls,
    "stop": _stop,
    "user": _user,
    "reasoning_effort": _reasoning_effort,
    "response_format": _response_format,
}
"""Translations by OpenAI's name of the parameter, in the order of application; later ones may build on earlier ones."""
