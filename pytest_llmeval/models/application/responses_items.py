"""Translation of items of the Responses API into chat messages.

In that API, reasoning, messages and tool calls are separate items:
https://platform.openai.com/docs/api-reference/responses/create. All items of an assistant's turn become one message.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_llmeval.core.text import shown_value
from pytest_llmeval.core.types import Message
from pytest_llmeval.models.application.assistant_message import assistant_message
from pytest_llmeval.models.application.carried_extra import extra_in_item
from pytest_llmeval.models.application.responses_params import unsupported
from pytest_llmeval.models.message_keys import PHASE, REASONING_ITEMS

__all__ = ["chat_messages", "kind_of"]

_CALLS = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
"""Types of tool calls, each with the type of tool and the key of its arguments."""
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})
_OF_CALLS: Mapping[str, tuple[Any, ...]] = {"async": (False,), "caller": ({"type": "direct"},), "namespace": ()}
"""Further keys of tool calls and their results in that API, with the values that have no effect."""
_KNOWN = frozenset({"message", *_CALLS, *_RESULTS})
_TEXTS = frozenset({"input_text", "output_text", "text"})
_ALIKE = frozenset({"input_audio", "image_url", "file"})
"""Types of content parts with the same form in a chat."""
_ROLES = frozenset({"system", "developer", "user"})


def chat_messages(items: Iterable[Any], was_given: Callable[[Any], bool]) -> list[Message]:
    """Return ``items`` as chat messages.

    Args:
        items: the items in their order.
        was_given: returns whether an item comes from an earlier answer to the application.

    Raises:
        CaseError: an item has no counterpart in a chat.
    """
    told: list[Any] = []
    turn = _Turn()
    for item in items:
        kind = kind_of(item)
        if kind not in _KNOWN and was_given(item):
            kind = "reasoning"  # calls of the vendor's tools are sent back together with the reasoning
        if not _is_of_assistant(kind, item):
            told += [*turn.messages(), _result(item) if kind in _RESULTS else _message(kind, item)]
            turn = _Turn()
            continue
        if turn.is_over(kind):
            told += turn.messages()
            turn = _Turn()
        turn.add(kind, item)
    return [*told, *turn.messages()]


def kind_of(item: Any) -> str:
    """Return the type of an item; one without a type is a message if it has a role, else an item reference."""
    if not isinstance(item, Mapping):
        raise unsupported(f"{shown_value(item)} in input", "pass a string or a list of items")
    return str(item.get("type") or ("message" if "role" in item else "item_reference"))


def _is_of_assistant(kind: str, item: Mapping[str, Any]) -> bool:
    return kind == "reasoning" or kind in _CALLS or (kind == "message" and item.get("role") == "assistant")


def _message(kind: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message that is not the assistant's."""
    if kind != "message":
        raise unsupported(
            f"an item of type {kind!r} in input", "leave it out, or let the application put it in a message"
        )
    role = item.get("role")
    if role not in _ROLES:
        raise unsupported(f"a message of role {role!r} in input", "use the role user, assistant, system or developer")
    return {"role": role, "content": _content(_parts(item.get("content")))}


def _result(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message with a tool's result."""
    _check(item)
    return {"role": "tool", "tool_call_id": item.get("call_id"), "content": _content(_parts(item.get("output")))}


def _check(item: Mapping[str, Any]) -> None:
    """Raise CaseError if a tool call or its result has further keys that would have an effect."""
    for key, values in _OF_CALLS.items():
        if item.get(key) not in (None, *values):
            message = f"{key}={shown_value(item[key])} of an item of type {kind_of(item)!r}"
            raise unsupported(message, "let the application give the model tools without it")


def _content(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return parts as the content of a message; a single text part becomes a string, which every server accepts."""
    if not parts:
        return ""
    return str(parts[0]["text"]) if len(parts) == 1 and _is_plain(parts[0]) else parts


def _is_plain(part: Mapping[str, Any]) -> bool:
    """Return whether a part is a text without further keys."""
    return part.keys() == {"type", "text"}


def _parts(content: Any) -> list[dict[str, Any]]:
    """Return a content as parts of a chat message."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list | tuple | None):
        raise unsupported(f"the content {shown_value(content)} in input", "pass a string or a list of parts")
    return [_part(part) for part in content or ()]


def _part(part: Any) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, Mapping) else part
    if kind in _ALIKE:
        return dict(part)
    if kind in _TEXTS:
        fields = {"type": "text", "text": part.get("text")}
    elif kind == "input_image":
        fields = {"type": "image_url", "image_url": _image(part)}
    elif kind == "input_file":
        fields = {"type": "file", "file": _file(part)}
    else:
        raise unsupported(f"a part of type {kind!r} in a message", "send it as input_text, input_image or input_file")
    marked = part.get("prompt_cache_breakpoint")
    return fields if marked is None else {**fields, "prompt_cache_breakpoint": marked}


def _is_refusal(part: Any) -> bool:
    return isinstance(part, Mapping) and "refusal" in part


def _image(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("image_url") is None:
        raise unsupported("an input_image without image_url", "pass the image as a data: URL in place of its file_id")
    return {"url": part["image_url"], **_stated(part, "detail")}


def _file(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("file_url") is not None:
        raise unsupported("an input_file with file_url", "pass the file in file_data")
    if part.get("detail") not in (None, "auto"):
        raise unsupported(f"an input_file with detail={part['detail']!r}", "leave detail out")
    return _stated(part, "file_data", "file_id", "filename")


def _stated(part: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: part[key] for key in keys if part.get(key) is not None}


@dataclass(slots=True)
class _Turn:
    """Collects the items of one turn of the assistant."""

    parts: list[dict[str, Any]] | None = None
    """Content parts of its messages; None if there is no message with text."""
    refusal: str | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    """Further keys of the message."""

    def is_over(self, kind: str) -> bool:
        """Return whether an item of this type begins another turn.

        After tool calls none does, as nothing may come between calls and their results.
        """
        return self._has_spoken() and not self.calls and kind not in _CALLS

    def _has_spoken(self) -> bool:
        return self.parts is not None or self.refusal is not None

    def add(self, kind: str, item: Mapping[str, Any]) -> None:
        """Add an item to the turn."""
        if kind == "reasoning":
            further = extra_in_item(item)
            verbatim = [*self.extra.get(REASONING_ITEMS, ()), *further.get(REASONING_ITEMS, ())]
            self.extra |= {**further, **({REASONING_ITEMS: verbatim} if verbatim else {})}
        elif kind == "message":
            self._enter(item.get(PHASE))
            self._speak(item.get("content"))
        else:
            _check(item)
            called, key = _CALLS[kind]
            tool = {"name": item.get("name"), key: item.get(key)}
            self.calls.append({"id": item.get("call_id"), "type": called, called: tool})

    def _enter(self, phase: Any) -> None:
        """Set the phase of the turn from a message; raise CaseError if an earlier message has another phase."""
        if self._has_spoken() and phase != self.extra.get(PHASE):
            message = f"a message of phase={shown_value(phase)} in a turn that has one of another"
            raise unsupported(message, "let the application say them in one phase, or before the calls")
        if phase is not None:
            self.extra[PHASE] = phase

    def _speak(self, content: Any) -> None:
        parts = [{"type": "output_text", "text": content}] if isinstance(content, str) else list(content or ())
        refusals = [part["refusal"] for part in parts if _is_refusal(part)]
        said = [_part(part) for part in parts if not _is_refusal(part)]
        if said and all(map(_is_plain, said)):
            said = [{"type": "text", "text": "".join(str(part["text"]) for part in said)}]
        if said or not refusals:
            self.parts = [*(self.parts or ()), *said]
        if refusals:
            self.refusal = "".join(map(str, refusals))

    def messages(self) -> list[dict[str, Any]]:
        """Return the turn as a list of one message; empty if the turn has no items."""
        if self.parts is None and self.refusal is None and not self.calls and not self.extra:
            return []
        content = _content(self.parts or [])
        return [assistant_message(content, refusal=self.refusal, calls=self.calls, extra=self.extra)]
