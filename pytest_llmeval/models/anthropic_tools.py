"""Tools in the words of the OpenAI protocol, told to the Messages API in its own.

So one test, and one judge, asks every vendor for a tool call. What is in the API's own words goes out as it is.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["translated"]

_CHOICES = {"auto": "auto", "required": "any", "none": "none"}


def translated(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``params`` with ``tools``, ``tool_choice`` and ``parallel_tool_calls`` as the Messages API has them."""
    whole = {key: value for key, value in params.items() if key != "parallel_tool_calls"}
    if isinstance(params.get("tools"), list | tuple):
        whole["tools"] = [_tool(tool) for tool in params["tools"]]
    if "tool_choice" in params:
        whole["tool_choice"] = _choice(params["tool_choice"])
    if "parallel_tool_calls" in params:
        choice = whole.get("tool_choice", {"type": "auto"})
        whole["tool_choice"] = {**choice, "disable_parallel_tool_use": not params["parallel_tool_calls"]}
    return whole


def _tool(tool: Any) -> Any:
    """Return a tool; of a function, its schema goes by another name."""
    function = tool.get("function") if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping):
        return tool
    kept = {key: value for key, value in function.items() if key != "parameters"}
    return {**kept, "input_schema": function.get("parameters", {"type": "object"})}


def _choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return {"type": _CHOICES.get(choice, choice)}
    function = choice.get("function") if isinstance(choice, Mapping) else None
    return {"type": "tool", **function} if isinstance(function, Mapping) else choice
