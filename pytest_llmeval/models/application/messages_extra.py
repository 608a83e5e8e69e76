"""What a message of another vendor held beyond its words and calls, as a block of the Messages API, and back.

There an application sends back blocks of thinking as it got them, without knowing what their signatures hold.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.strict_json import NotJsonError, canonical, parse
from pytest_llmeval.models.application.assistant_message import EXTRA_MARK, reasoning_text

__all__ = ["is_packed", "packed", "unpacked"]

_OPAQUE = {"thinking": "signature", "redacted_thinking": "data"}
"""Keys of the opaque parts, by the types of the blocks."""


def packed(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the block for what ``core.types.Response.extra`` holds: a thinking one where it tells a thought."""
    opaque = EXTRA_MARK + canonical(extra)
    thought = _thought(extra)
    if thought:
        return {"type": "thinking", "thinking": thought, "signature": opaque}
    return {"type": "redacted_thinking", "data": opaque}


def _thought(extra: Mapping[str, Any]) -> str:
    """Return what the model thought, in words; empty where the server does not tell."""
    if text := reasoning_text(extra):
        return text
    parts = extra.get("content")  # of Mistral's models
    thoughts = [part.get("thinking") for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    inner = [text for thought in thoughts if isinstance(thought, list) for text in thought if isinstance(text, Mapping)]
    return "".join(str(text.get("text") or "") for text in inner)


def is_packed(block: Mapping[str, Any]) -> bool:
    """Return whether a block was made here."""
    opaque = block.get(_OPAQUE.get(str(block.get("type")), ""))
    return isinstance(opaque, str) and opaque.startswith(EXTRA_MARK)


def unpacked(blocks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what blocks that were made here hold, as further keys of the chat message that they belong to.

    Raises:
        CaseError: one of them is whole no more.
    """
    extra: dict[str, Any] = {}
    for block in blocks:
        try:
            extra |= dict(parse(str(block[_OPAQUE[block["type"]]]).removeprefix(EXTRA_MARK)))
        except (NotJsonError, TypeError, ValueError) as error:
            told = f"the signature of a {block['type']} block was changed ({error}); let the application send the block"
            raise CaseError(f"{told} back as it got it", kind=ErrorKind.CODE) from None
    return extra
