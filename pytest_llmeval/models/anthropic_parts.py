"""Parts of a content in the words of the OpenAI protocol, told to the Messages API as its blocks."""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["PDF", "UNNAMED", "blocks_of"]

PDF = "application/pdf"
UNNAMED = "document.pdf"
"""The name of a file that has none: a server of OpenAI's protocol demands one."""
_DATA_URL = re.compile(r"data:([^;,]+);base64,(.*)", re.DOTALL)


def blocks_of(content: Any) -> Any:
    """Return a content with its pictures and PDFs as blocks; a text, and what is a block already, as it is."""
    return [_block(part) for part in content] if isinstance(content, list | tuple) else content


def _block(part: Any) -> Any:
    if not isinstance(part, Mapping):
        return part
    kind = part.get("type")
    found = {"image_url": _image, "file": _document}.get(kind, _none)(part) if isinstance(kind, str) else None
    if found is None:
        return part
    return {**{key: value for key, value in part.items() if key not in ("type", kind)}, **found}


def _none(part: Mapping[str, Any]) -> None:
    """Say that there is no block for it."""


def _image(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the block of a picture; how closely it is to be looked at (``detail``) the API does not ask."""
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, Mapping) else image
    if not isinstance(url, str):
        return None
    data = _DATA_URL.fullmatch(url)
    source = {"type": "url", "url": url} if data is None else _base64(data[1], data[2])
    return {"type": "image", "source": source}


def _document(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the block of a PDF, which its file holds; None of any other file."""
    file = part.get("file")
    data = _DATA_URL.fullmatch(str(file.get("file_data"))) if isinstance(file, Mapping) else None
    if data is None or data[1] != PDF or not isinstance(file, Mapping):
        return None
    name = file.get("filename")
    title = {} if name in (None, UNNAMED) else {"title": name}
    return {"type": "document", "source": _base64(PDF, data[2]), **title}


def _base64(media_type: str, data: str) -> dict[str, Any]:
    return {"type": "base64", "media_type": media_type, "data": data}
