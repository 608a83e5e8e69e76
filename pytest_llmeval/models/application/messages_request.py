"""Translation of requests from the Messages API's format into OpenAI's.

``models.anthropic`` restores the original request from the result.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.types import Message
from pytest_llmeval.models.application.messages_blocks import chat_messages

__all__ = ["MessageRequest", "read_request"]

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_FUNCTION = ("name", "description", "strict")
"""Keys of a tool with the same names in OpenAI's format."""
_FORM = "answer"
"""Name of the schema of structured output, as OpenAI requires one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRequest:
    """An application's request for a message, in OpenAI's format."""

    messages: list[Message]
    params: dict[str, Any]
    """Parameters of the model's call."""
    is_streamed: bool
    thinks_aloud: bool
    """Whether the application wants to see the model's reasoning."""


def read_request(body: Mapping[str, Any]) -> MessageRequest:
    """Return the request in a body; raise CaseError if opaque parts of an earlier answer in it were changed."""
    params = {key: value for key, value in body.items() if value is not None}
    params.pop("model", None)
    messages = chat_messages(params.pop("messages", ()), params.pop("system", None))
    is_streamed, thinking = bool(params.pop("stream", False)), params.get("thinking")
    for name, told in _TOLD.items():
        if name in params:
            told(params, params.pop(name))
    return MessageRequest(
        messages=messages,
        params=params,
        is_streamed=is_streamed,
        thinks_aloud=isinstance(thinking, Mapping) and thinking.get("type") != "disabled",
    )


def _tools(params: dict[str, Any], tools: Any) -> None:
    params["tools"] = [_tool(tool) for tool in tools]


def _tool(tool: Any) -> Any:
    """Return a tool of the application as a function; a tool that Anthropic defines or runs is returned unchanged."""
    if not isinstance(tool, Mapping) or "input_schema" not in tool or tool.get("type") not in (None, "custom"):
        return tool
    function = {key: tool[key] for key in _FUNCTION if tool.get(key) is not None}
    taken = {*_FUNCTION, "type", "input_schema"}
    beside = {key: value for key, value in tool.items() if key not in taken and value is not None}
    return {"type": "function", "function": {**function, "parameters": tool["input_schema"]}, **beside}


def _tool_choice(params: dict[str, Any], choice: Any) -> None:
    rest = {key: value for key, value in choice.items() if key not in ("type", "name", "disable_parallel_tool_use")}
    kind = choice.get("type")
    if rest or kind not in {"tool", *_CHOICES}:
        params["tool_choice"] = choice
        return
    named = {"type": "function", "function": {"name": choice.get("name")}}
    params["tool_choice"] = named if kind == "tool" else _CHOICES[kind]
    if choice.get("disable_parallel_tool_use") is not None:
        params["parallel_tool_calls"] = not choice["disable_parallel_tool_use"]


def _stop_sequences(params: dict[str, Any], sequences: Any) -> None:
    params["stop"] = sequences


def _metadata(params: dict[str, Any], metadata: Any) -> None:
    is_user = isinstance(metadata, Mapping) and metadata.keys() == {"user_id"} and metadata["user_id"] is not None
    params["user" if is_user else "metadata"] = metadata["user_id"] if is_user else metadata


def _output_config(params: dict[str, Any], config: Any) -> None:
    rest = {key: value for key, value in config.items() if value is not None}
    form = rest.get("format")
    if "effort" in rest:
        params["reasoning_effort"] = rest.pop("effort")
    if isinstance(form, Mapping) and form.keys() == {"type", "schema"} and form["type"] == "json_schema":
        del rest["format"]
        strict = {"strict": True} if _is_strict(form["schema"]) else {}
        named = {"name": _FORM, "schema": form["schema"], **strict}
        params["response_format"] = {"type": "json_schema", "json_schema": named}
    if rest:
        params["output_config"] = rest


def _is_strict(schema: Any) -> bool:
    """Return whether OpenAI accepts a schema as strict: each object requires all its properties and allows no others.

    https://platform.openai.com/docs/guides/structured-outputs#all-fields-must-be-required
    """
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, Mapping):
        required = schema.get("required") or ()
        is_whole = isinstance(properties, Mapping) and {*required} == properties.keys()
        if not is_whole or schema.get("additionalProperties") is not False:
            return False
    return all(map(_is_strict, schema.values()))


_TOLD: Mapping[str, Callable[[dict[str, Any], Any], None]] = {
    "tools": _tools,
    "tool_choice": _tool_choice,
    "stop_sequences": _stop_sequences,
    "metadata": _metadata,
    "output_config": _output_config,
}
"""Translations of the parameters that have another name or form in OpenAI's format."""
