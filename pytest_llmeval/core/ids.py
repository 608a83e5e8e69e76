"""Stable ids: ids of rows and cases, parts of node ids, digests."""

import functools
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.text import one_line

if TYPE_CHECKING:
    from pytest_llmeval.core.types import CaseKey

__all__ = [
    "Identity",
    "case_id",
    "content_id",
    "digest",
    "digest_number",
    "file_digest",
    "identity_of",
    "input_digest",
    "memory_address",
    "node_part",
    "shown_name",
]

Identity = tuple[str, str, str, int]
"""Suite, model, sample id and epoch of a case."""

_ADDRESS = re.compile(r" at (0x[0-9a-fA-F]+)>")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_NODE_PART_LENGTH = 80
_SHOWN_LENGTH = 120
_CONTENT_ID_LENGTH = 12


def digest(text: str) -> str:
    """Return the sha256 of ``text`` in hex; lone surrogates are allowed."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def digest_number(text: str) -> int:
    """Return ``digest`` of ``text`` as an integer."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())


def file_digest(path: Path) -> str:
    """Return the sha256 of a file in hex; raise OSError if it cannot be read."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identity_of(key: "CaseKey") -> Identity:
    """Return the part of a case's key that identifies it within its run, even if its node id has changed."""
    return (key.suite, key.model, key.sample_id, key.epoch)


@functools.lru_cache(maxsize=512)  # the engine needs the ids of all cases in flight several times for each call
def case_id(run_id: str, suite: str, model: str, sample_id: str, epoch: int) -> str:
    """Return the id of a case in a run; it stays the same if the case runs and is recorded again."""
    return digest(canonical([run_id, suite, model, sample_id, epoch]))[:24]


def input_digest(input_: Any, target: Any) -> str:
    """Return the sha256 in hex of a row's input and target; the order of keys does not matter."""
    return digest(canonical([input_, target]))


def content_id(input_: Any, target: Any) -> str:
    """Return the id of a row without one: the first 12 hex digits of its input digest.

    It depends on the row alone, so inserting a row changes no other id.
    """
    return input_digest(input_, target)[:_CONTENT_ID_LENGTH]


def memory_address(text: str) -> str | None:
    """Return the first memory address of an object in ``text``, if any; addresses differ from process to process."""
    found = _ADDRESS.search(text)
    return found.group(1) if found else None


def node_part(name: str) -> str:
    """Return ``name`` as a part of a node id.

    Characters outside ``[A-Za-z0-9._-]`` become ``_`` and the result is cut at 80 characters. If that changed anything,
    ``-`` and six hex digits of the original's sha256 are appended, so that different names stay different.
    """
    safe = _UNSAFE.sub("_", name)[:_NODE_PART_LENGTH]
    return safe if safe == name else f"{safe}-{digest(name)[:6]}"


def shown_name(name: str) -> str:
    """Return ``name`` printable, on one line and at most 120 characters long, never empty.

    If that changed anything, ``-`` and six hex digits of the original's sha256 are appended, so that different names
    stay different.
    """
    shown = one_line(name, _SHOWN_LENGTH)
    return shown if shown == name and name else f"{shown}-{digest(name)[:6]}"
