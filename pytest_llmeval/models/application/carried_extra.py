"""Carry ``Response.extra`` through an application that uses another API than the model's server.

Applications send reasoning back exactly as they got it, without knowing what its opaque part holds: thinking blocks in
the Messages API, items of type ``reasoning`` in the Responses API. ``Response.extra`` is stored there as JSON.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.strict_json import NotJsonError, canonical, parse
from pytest_llmeval.models.message_keys import REASONING_ITEMS

__all__ = ["extra_in_blocks", "extra_in_item", "is_extra_block", "reasoning_items", "thinking_block"]

_MARK = "llmeval-extra:"
"""Prefix of the opaque parts made here; the rest is JSON."""
_OPAQUE = {"thinking": "signature", "redacted_thinking": "data"}
"""Keys of the opaque parts by type of block."""


def thinking_block(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block that carries ``extra``: a thinking block if there is readable reasoning, else a redacted one."""
    opaque, thought = _MARK + canonical(extra), _thought(extra)
    if thought:
        return {"type": "thinking", "thinking": thought, "signature": opaque}
    return {"type": "redacted_thinking", "data": opaque}


def is_extra_block(block: Mapping[str, Any]) -> bool:
    """Return whether a block was made here."""
    return _is_marked(block.get(_OPAQUE.get(str(block.get("type")), "")))


def extra_in_blocks(blocks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the contents of blocks that were made here, as further keys of the chat message they belong to.

    Raises:
        CaseError: a block was changed.
    """
    extra: dict[str, Any] = {}
    for block in blocks:
        extra |= _opened(str(block[_OPAQUE[block["type"]]]), f"the signature of a {block['type']} block", "the block")
    return extra


def reasoning_items(extra: Mapping[str, Any], id_: str) -> list[dict[str, Any]]:
    """Return the items that carry ``extra``: the server's own reasoning items, and one with ``id_`` for the rest."""
    items = [dict(item) for item in _mappings(extra.get(REASONING_ITEMS))]
    rest = {key: value for key, value in extra.items() if key != REASONING_ITEMS}
    if not rest:
        return items
    thought = _thought(rest)
    content = {"content": [{"type": "reasoning_text", "text": thought}]} if thought else {}
    opaque = {"encrypted_content": _MARK + canonical(rest)}
    return [*items, {"id": id_, "type": "reasoning", "summary": [], **content, **opaque}]


def extra_in_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a reasoning item, as further keys of the chat message it belongs to.

    Raises:
        CaseError: the item was made here, and was changed.
    """
    text = item.get("encrypted_content")
    if not _is_marked(text):
        return {REASONING_ITEMS: [dict(item)]}
    return _opened(str(text), "a reasoning item has an encrypted_content that", "it")


def _thought(extra: Mapping[str, Any]) -> str:
    """Return the readable text of the model's reasoning; empty if the server gives none."""
    told = [extra.get(key) for key in ("reasoning_content", "reasoning")]  # servers of chat completions
    blocks = [block.get("thinking") for block in _mappings(extra.get("thinking_blocks"))]  # Anthropic's API
    told.append("\n\n".join(text for text in blocks if isinstance(text, str) and text))
    parts = [
        text for part in _mappings(extra.get("content")) for text in _mappings(part.get("thinking"))
    ]  # Mistral's API
    told.append("".join(str(text.get("text") or "") for text in parts))
    return next((text for text in told if isinstance(text, str) and text), "")


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list | tuple) else []


def _is_marked(opaque: Any) -> bool:
    return isinstance(opaque, str) and opaque.startswith(_MARK)


def _opened(opaque: str, what: str, whole: str) -> dict[str, Any]:
    """Return the content of an opaque part made here; if it was changed, raise CaseError with ``what``, ``whole``."""
    try:
        return dict(parse(opaque.removeprefix(_MARK)))
    except (NotJsonError, TypeError, ValueError) as error:
        message = f"{what} was changed ({error}); let the application send {whole} back as it got it"
        raise CaseError(message, kind=ErrorKind.CODE) from None
