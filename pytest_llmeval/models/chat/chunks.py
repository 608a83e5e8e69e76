"""Merge the chunks of a streamed chat completion into the object of an unstreamed one."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

__all__ = ["merged"]

_TEXTS = ("text", "summary", "data")
"""Keys of the parts of a model's reasoning whose texts are streamed in pieces."""
_IN_PIECES = frozenset({"content", "refusal"})
_OTHERWISE = frozenset({"role", "tool_calls", "function_call", "audio"})
"""Keys of a message that are merged by rules of their own."""
_IN_CALL = frozenset({"id", "index", "type", "function", "custom"})
_OF_ALL = ("model", "system_fingerprint", "usage")


def merged(chunks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the completion that ``chunks`` make up: its first choice, and the last usage, model and fingerprint.

    A text that no chunk holds stays None; a piece that is not a string replaces the whole text. Other keys of a
    message, such as ``reasoning_content``, are joined if they hold strings or lists.
    """
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {}
    finish_reason: object = None
    error: object = None
    for chunk in chunks:
        whole.update({key: chunk[key] for key in _OF_ALL if chunk.get(key) is not None})
        choice = _first_choice(chunk)
        finish_reason = choice.get("finish_reason") or finish_reason
        error = choice.get("error") or chunk.get("error") or error
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            _add(message, delta)
    return {**whole, "choices": [{"message": _joined(message), "finish_reason": finish_reason, "error": error}]}


def _first_choice(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the chunk's piece of the choice with index 0; an empty mapping if it has none."""
    choices = chunk.get("choices")
    pieces = choices if isinstance(choices, list) else []
    return next((piece for piece in pieces if isinstance(piece, Mapping) and piece.get("index", 0) == 0), {})


def _add(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add the contents of ``delta`` to the lists of pieces in ``message``."""
    for key in delta.keys() - _OTHERWISE:
        if delta[key] is not None:
            message.setdefault(key, []).append(delta[key])
    pieces = delta.get("tool_calls")
    for piece in pieces if isinstance(pieces, list) else []:
        _add_call(message.setdefault("tool_calls", []), piece if isinstance(piece, Mapping) else {})
    if isinstance(delta.get("function_call"), Mapping):  # the older form; some servers send both
        _add_call(message.setdefault("function_call", []), {"index": 0, "function": delta["function_call"]})
    audio = delta.get("audio")
    if isinstance(audio, Mapping) and audio.get("transcript") is not None:
        message.setdefault("audio", []).append(audio["transcript"])


def _add_call(calls: list[dict[str, Any]], piece: Mapping[str, Any]) -> None:
    """Add a piece of a tool call to the calls so far; the name comes first, then the arguments in pieces.

    A piece belongs to the last call with its index or, without an index, to the last call. It begins a new call if
    there is none, if it names a function without an index, or if it names one under another id: some servers give all
    parallel calls the index 0. An id without a name does not begin a call, as some servers send a new id with each
    piece.
    """
    custom, index, call_id = piece.get("custom"), piece.get("index"), piece.get("id")
    is_custom = isinstance(custom, Mapping)
    found = custom if is_custom else piece.get("function")
    said = found if isinstance(found, Mapping) else {}
    name, bit = said.get("name"), said.get("input" if is_custom else "arguments")
    if isinstance(index, int):
        whole = next((call for call in reversed(calls) if call["index"] == index), None)
        is_other = bool(whole and name and call_id and whole["id"] and call_id != whole["id"])
    else:
        whole, index, is_other = (calls[-1] if calls else None), len(calls), bool(name)
    if whole is None or is_other:
        whole = {"index": index, "id": call_id, "custom": is_custom, "name": None, "bits": [], "extra": {}}
        calls.append(whole)
    whole["name"] = whole["name"] or name
    whole["extra"].update({key: value for key, value in piece.items() if key not in _IN_CALL})
    if bit is not None:
        whole["bits"].append(bit)


def _joined(message: dict[str, Any]) -> dict[str, Any]:
    """Return ``message`` with the pieces of each key joined."""
    for key in message.keys() - _OTHERWISE:
        message[key] = _text(message[key]) if key in _IN_PIECES else _whole(message[key])
    if "audio" in message:
        message["audio"] = {"transcript": _text(message["audio"])}
    if "tool_calls" in message:
        message["tool_calls"] = [_whole_call(call) for call in message["tool_calls"]]
    if "function_call" in message:
        message["function_call"] = _whole_call(message["function_call"][0])["function"]
    return message


def _whole_call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call in the form of an unstreamed message."""
    text = _text(call["bits"])
    whole = {**call["extra"], "id": call["id"]}
    if call["custom"]:
        return {**whole, "type": "custom", "custom": {"name": call["name"], "input": text}}
    return {**whole, "function": {"name": call["name"], "arguments": text}}


def _whole(pieces: list[Any]) -> Any:
    """Return ``pieces`` joined if all are strings or all are lists, else the last of them."""
    if all(isinstance(piece, list) for piece in pieces):
        return _united(list(chain.from_iterable(pieces)))
    return _text(pieces) if all(isinstance(piece, str) for piece in pieces) else pieces[-1]


def _united(parts: list[Any]) -> list[Any]:
    """Return ``parts`` with successive pieces of one part, which share index and type, merged and their texts joined.

    https://openrouter.ai/docs/use-cases/reasoning-tokens
    """
    whole: list[Any] = []
    for part in parts:
        last = whole[-1] if whole else None
        if not isinstance(part, dict) or not isinstance(last, dict) or not _is_same(last, part):
            whole.append(dict(part) if isinstance(part, dict) else part)
            continue
        said = {key: value for key, value in part.items() if value is not None}
        texts = {key: last[key] + said[key] for key in _TEXTS if _are_texts(last.get(key), said.get(key))}
        last.update({**said, **texts})
    return whole


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.get("index") is not None and all(one.get(key) == other.get(key) for key in ("index", "type"))


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _text(pieces: list[Any]) -> Any:
    """Return ``pieces`` joined, surrogate pairs included; the first piece that is not a string replaces them all."""
    odd = [piece for piece in pieces if not isinstance(piece, str)]
    return odd[0] if odd else "".join(pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
