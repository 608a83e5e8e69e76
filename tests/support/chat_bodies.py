"""What an OpenAI server sends: completions, streams of events, and bodies that are neither."""

import json
import re
from typing import Any

__all__ = ["BODIES", "INSTEAD", "chunks", "completion", "echo", "embedded", "encoded", "event", "forced_tool"]


def completion(text: object, model: str = "test", *, finish: object = "stop", **message: object) -> dict[str, Any]:
    """Return a chat completion; its usage counts words."""
    words = len(text.split()) if isinstance(text, str) else 0
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "system_fingerprint": "fp_test",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": words, "total_tokens": 7 + words},
    }


def chunks(whole: dict[str, Any]) -> list[bytes]:
    """Return the events of a streamed completion: role, a word each, the end, usage, ``[DONE]``."""
    message = dict(whole["choices"][0]["message"])
    words = re.findall(r"\s*\S+|\s+$", message.pop("content") or "")
    calls = [{"index": index, **call} for index, call in enumerate(message.pop("tool_calls", ()))]
    deltas: list[dict[str, Any]] = [{**message, "content": ""}, *({"content": word} for word in words)]
    deltas += [{"tool_calls": [call]} for call in calls]
    pieces: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    pieces.append({"index": 0, "delta": {}, "finish_reason": whole["choices"][0]["finish_reason"]})
    named = {key: whole.get(key) for key in ("model", "system_fingerprint")}
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", **named}
    data: list[object] = [{**common, "choices": [piece], "usage": None} for piece in pieces]
    data.append({**common, "choices": [], "usage": whole["usage"]})
    return [*map(event, map(encoded, data)), event(b"[DONE]")]


def embedded(body: dict[str, Any]) -> dict[str, Any]:
    """Return the same embedding for whatever is asked."""
    return {"object": "list", "model": body["model"], "data": [{"index": 0, "embedding": [0.5, -0.25]}]}


def echo(messages: list[dict[str, Any]]) -> str:
    """Return the text of the last user message."""
    texts = [message["content"] for message in messages if message.get("role") == "user"]
    return texts[-1] if texts and isinstance(texts[-1], str) else json.dumps(texts[-1:] or "")


def forced_tool(body: dict[str, Any]) -> str | None:
    """Return the name of the tool that a request forces, in the words of OpenAI or of Anthropic; None without one."""
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        found = choice.get("name") or choice.get("function", {}).get("name")
        return str(found) if found else None
    return str(body["tools"][0]["function"]["name"]) if choice == "required" else None


def event(data: bytes, name: str = "") -> bytes:
    """Return one server-sent event."""
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + data + b"\n\n"


def _dumps(**changes: object) -> bytes:
    """Return a completion as JSON, with top-level keys changed; ``...`` removes one."""
    data = {**completion("ok"), **changes}
    return json.dumps({key: value for key, value in data.items() if value is not ...}).encode()


def encoded(value: object) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value).encode()


_CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

INSTEAD = {
    "max_tokens": ". Use 'max_completion_tokens' instead.",
    "max_completion_tokens": ". Use 'max_tokens' instead.",
}
"""What a refusal of a parameter goes on with."""

BODIES: dict[str, bytes] = {
    "badjson": b'{"choices": [',
    "badusage": _dumps(usage={"prompt_tokens": "many", "completion_tokens": -5}),
    "badutf8": b'{"choices": [{"message": {"content": "\xff\xfe"}}]}',
    "bigint": b'{"usage": {"prompt_tokens": ' + b"9" * 6000 + b"}}",
    "bom": b"\xef\xbb\xbf" + encoded(completion("ok")),
    "contentint": encoded(completion(3)),
    "contentlist": encoded(completion([{"type": "text", "text": "ok"}])),
    "deep": b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "empty": b"",
    "emptyobj": b"{}",
    "err200": encoded({"error": {"message": "model overloaded", "code": 503}}),
    "filter": encoded(completion("half an ans", finish="content_filter")),
    "hugeusage": _dumps(usage={"prompt_tokens": 10**30, "completion_tokens": 1}),
    "html": b"<html><body>Please log in</body></html>",
    "length": encoded(completion("cut off in the mid", finish="length")),
    "lengthnull": encoded(completion(None, finish="length")),
    "list": b"[]",
    "nanusage": _dumps(usage={"prompt_tokens": float("nan"), "completion_tokens": float("inf")}),
    "nochoices": _dumps(choices=[]),
    "nofinish": encoded(completion("ok", finish=None)),
    "nousage": _dumps(usage=...),
    "nullvector": encoded({"data": [{"embedding": None}]}),
    "null": b"null",
    "nullchoices": _dumps(choices=None),
    "nullcontent": encoded(completion(None)),
    "nullmessage": _dumps(choices=[{"message": None}]),
    "refusal": encoded(completion(None, refusal="I cannot help with that.")),
    "surrogate": encoded(completion("a\ud800b")),
    "toolbad": encoded(completion(None, finish="tool_calls", tool_calls=[{**_CALL, "function": None}])),
    "toolcalls": encoded(completion(None, finish="tool_calls", tool_calls=[_CALL])),
}
"""Bodies under status 200, by name; ``html`` comes as text/html, the others as JSON."""
