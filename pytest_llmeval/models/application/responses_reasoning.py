"""What a message held beyond its words and calls, as items of the Responses API, and back.

There an application sends back items of type ``reasoning`` as it got them, without knowing what they hold.
"""

from collections.abc import Mapping
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.strict_json import NotJsonError, canonical, parse
from pytest_llmeval.models.application.assistant_message import EXTRA_MARK, reasoning_text
from pytest_llmeval.models.message_keys import REASONING_ITEMS

__all__ = ["reasoning_items", "unpacked"]


def reasoning_items(extra: Mapping[str, Any], id_: str) -> list[dict[str, Any]]:
    """Return the items for what ``core.types.Response.extra`` holds, one of them under the id ``id_``."""
    items = [dict(item) for item in extra.get(REASONING_ITEMS) or () if isinstance(item, Mapping)]
    rest = {key: value for key, value in extra.items() if key != REASONING_ITEMS}
    if not rest:
        return items
    item: dict[str, Any] = {"id": id_, "type": "reasoning", "summary": []}
    thought = _thought(rest)
    if thought:
        item["content"] = [{"type": "reasoning_text", "text": thought}]
    return [*items, {**item, "encrypted_content": EXTRA_MARK + canonical(rest)}]


def _thought(extra: Mapping[str, Any]) -> str:
    """Return what the model thought, in words; empty where the server does not tell."""
    if text := reasoning_text(extra):
        return text
    blocks = extra.get("thinking_blocks")  # of Anthropic's API
    found = blocks if isinstance(blocks, list | tuple) else ()
    texts = [block.get("thinking") for block in found if isinstance(block, Mapping)]
    return "\n\n".join(text for text in texts if isinstance(text, str) and text)


def unpacked(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an item holds, as further keys of the chat message that it belongs to.

    Raises:
        CaseError: it was made here, and is whole no more.
    """
    text = item.get("encrypted_content")
    if not isinstance(text, str) or not text.startswith(EXTRA_MARK):
        return {REASONING_ITEMS: [dict(item)]}
    try:
        extra = parse(text.removeprefix(EXTRA_MARK))
    except NotJsonError as error:
        told = f"a reasoning item has an encrypted_content that was changed ({error}); let the application send it back"
        raise CaseError(f"{told} as it got it", kind=ErrorKind.CODE) from None
    return dict(extra)
