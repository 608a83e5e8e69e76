"""A streamed chat completion: server-sent events, put together into the object that an unstreamed one would be.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["is_event_stream", "merged", "read_events"]

_DONE = b"[DONE]"


def is_event_stream(content_type: str) -> bool:
    """Return whether a body of this Content-Type is a stream of events."""
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"


def read_events(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and data of each whole event up to ``[DONE]``; the name is empty where it has none."""
    name, data = "", list[bytes]()
    for line in body.removeprefix(b"\xef\xbb\xbf").splitlines():
        key, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if key == b"data":
            data.append(value)
        elif key == b"event":
            name = value.decode("utf-8", "replace")
        elif not line:
            whole = b"\n".join(data)
            if whole == _DONE:
                return
            if whole:
                yield name, whole
            name, data = "", []


def merged(chunks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the completion whose pieces ``chunks`` are: its first choice, the last usage and model named.

    A text stays None where no chunk has any; a piece that is no string takes the place of the text.
    """
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {}
    finish_reason: object = None
    for chunk in chunks:
        whole.update({key: chunk[key] for key in ("model", "usage") if chunk.get(key) is not None})
        choice = _first_choice(chunk)
        finish_reason = choice.get("finish_reason") or finish_reason
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            _add(message, delta)
    return {**whole, "choices": [{"message": _joined(message), "finish_reason": finish_reason}]}


def _first_choice(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the piece of the choice with index 0; empty where the chunk has none."""
    choices = chunk.get("choices")
    pieces = choices if isinstance(choices, list) else []
    return next((piece for piece in pieces if isinstance(piece, Mapping) and piece.get("index", 0) == 0), {})


def _add(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add what ``delta`` says to the pieces in ``message``."""
    for key in ("content", "refusal"):
        if delta.get(key) is not None:
            message.setdefault(key, []).append(delta[key])
    if delta.get("tool_calls"):
        message["tool_calls"] = True


def _joined(message: dict[str, Any]) -> dict[str, Any]:
    """Return ``message`` with the pieces of each text in one."""
    for key in message.keys() & {"content", "refusal"}:
        odd = [piece for piece in message[key] if not isinstance(piece, str)]
        message[key] = odd[0] if odd else "".join(message[key])
    return message
