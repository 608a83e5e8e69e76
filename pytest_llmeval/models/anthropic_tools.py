"""Tools in the words of the OpenAI protocol, told to the Messages API in its own.

So one test, and one judge, asks every vendor for a tool call. What is in the API's own words goes out as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from json import loads
from typing import Any

from pytest_llmeval.core.types import Message

__all__ = ["translated", "translated_messages"]

_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_UNTOLD = frozenset({"refusal", "annotations"})
"""Keys of an answer of OpenAI that this API knows nothing of."""


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


def translated_messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return ``messages`` with tool calls and their results as the Messages API has them.

    There a call is a block of what the assistant said, and what its tools gave are blocks of one message of the user:
    https://docs.anthropic.com/en/api/messages

    Raises:
        ValueError: the arguments of a call are no JSON object, as that API demands.
    """
    told: list[dict[str, Any]] = []
    results: list[dict[str, Any]] | None = None
    for message in messages:
        if message["role"] != "tool":
            told.append(_message(message))
            results = None
            continue
        if results is None:
            results = []
            told.append({"role": "user", "content": results})
        results.append(
            {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": message["content"]}
        )
    return told


def _message(message: Message) -> dict[str, Any]:
    """Return a message; of an assistant's that calls tools, the calls as blocks behind what it said.

    What it thought stands before both, as the API demands where it went on to call tools. What OpenAI's objects know
    beside that and did not say, the API would refuse. A refusal is what was said.
    """
    told: dict[str, Any] = {key: value for key, value in message.items() if value is not None and key not in _UNTOLD}
    said: Any = message.get("refusal") if message["content"] is None else message["content"]
    thoughts, calls = _list_of(told, "thinking_blocks"), _list_of(told, "tool_calls")
    if thoughts is not None or calls is not None:
        blocks = [{"type": "text", "text": said}] if said and isinstance(said, str) else list(said or ())
        said = [*(thoughts or ()), *blocks, *map(_tool_use, calls or ())]
    return {**told, "content": said}


def _list_of(message: dict[str, Any], key: str) -> Sequence[Any] | None:
    """Take a list out of a message; None where it has none."""
    return message.pop(key) if isinstance(message.get(key), list | tuple) else None


def _tool_use(call: Any) -> Any:
    """Return a tool call; what is none in OpenAI's words goes out as it is."""
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return call
    name, arguments = function.get("name"), function.get("arguments") or "{}"  # empty where there is no parameter
    try:
        given = loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        given = None
    if not isinstance(given, Mapping):
        raise ValueError(f"the arguments of the call of {name!r} are no JSON object: {arguments!r}")
    return {"type": "tool_use", "id": call.get("id"), "name": name, "input": given}
