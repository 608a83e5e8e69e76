"""Tools of the Responses API, told as a chat completion has them."""

from collections.abc import Mapping
from typing import Any

from pytest_llmeval.core.errors import CaseError
from pytest_llmeval.core.text import shown_value
from pytest_llmeval.models.application.responses_refusals import untold

__all__ = ["chat_choice", "chat_tools", "custom_names"]

_KINDS = {"function": ("name", "description", "parameters", "strict"), "custom": ("name", "description", "format")}
"""Types of tools that an application runs itself, and what a chat completion knows of each."""
_UNNEEDED = {"allowed_callers": (["direct"],), "async": (False,), "defer_loading": (False,)}
"""What else may stand in them, with the values that change nothing."""


def chat_tools(tools: Any) -> dict[str, Any]:
    """Return tools as parameters; none where there are none, as servers refuse an empty list.

    Raises:
        CaseError: one of them is run by OpenAI.
    """
    told = [_tool(tool) for tool in tools]
    return {"tools": told} if told else {}


def _tool(tool: Any) -> dict[str, Any]:
    kind = _kind(tool)
    if kind not in _KINDS:
        raise _no_tool(kind)
    if tool.get("name") is None:
        raise untold(
            f"the tool {shown_value(tool)}, which has no name", "give its name, as this API has it, beside type"
        )
    for key, values in _UNNEEDED.items():
        if tool.get(key) not in (None, *values):
            told = f"{key}={shown_value(tool[key])} of the tool {tool.get('name')!r}"
            raise untold(told, "leave it out")
    found: dict[str, Any] = {key: tool[key] for key in _KINDS[kind] if tool.get(key) is not None}
    if isinstance(found.get("format"), Mapping):
        found["format"] = _format(found["format"])
    return {"type": kind, kind: found}


def _kind(tool: Any) -> str:
    return str(tool.get("type")) if isinstance(tool, Mapping) else shown_value(tool)


def _no_tool(kind: str) -> CaseError:
    return untold(f"the tool {kind!r}", "let the application give a function in its place, or a stub of one")


def _format(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the input of a custom tool must be; a grammar is an object of its own there."""
    rest = {key: value for key, value in form.items() if key != "type"}
    kind = form.get("type")
    return {"type": kind, "grammar": rest} if kind == "grammar" else {"type": kind, **rest}


def chat_choice(choice: Any) -> dict[str, Any]:
    """Return ``tool_choice`` as a parameter.

    Raises:
        CaseError: it names a tool that is run by OpenAI.
    """
    if isinstance(choice, str):
        return {"tool_choice": choice}
    if _kind(choice) != "allowed_tools":
        return {"tool_choice": _named(choice)}
    allowed = {"mode": choice.get("mode"), "tools": [_named(tool) for tool in choice.get("tools") or ()]}
    return {"tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}}


def _named(tool: Any) -> dict[str, Any]:
    """Return a tool by its name."""
    kind = _kind(tool)
    if kind not in _KINDS:
        raise _no_tool(kind)
    return {"type": kind, kind: {"name": tool.get("name")}}


def custom_names(params: Mapping[str, Any]) -> set[str]:
    """Return the names of the custom tools among the parameters of a chat completion."""
    return {tool["custom"]["name"] for tool in params.get("tools") or () if tool.get("type") == "custom"}
