"""A parsed YAML document: plain data, and the line of each key for messages about mistakes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_llmeval.core.names import show_key

__all__ = ["KeyPath", "StrictDocument", "dotted"]

KeyPath = tuple[str | int, ...]
"""Path of a value: mapping keys and list positions (from 0), outermost first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrictDocument:
    """One YAML document as plain data: dict, list, str, int, float (finite), bool and None."""

    data: Any
    shown_as: str
    """Name of the file in messages."""
    lines: Mapping[KeyPath, int] = field(default_factory=lambda: {(): 1}, repr=False)
    """Line (from 1) of every mapping key and list element; that of the document under ``()``."""

    def line_of(self, path: KeyPath) -> int | None:
        """Return the line (from 1) of the key or list element at ``path``; None if there is none."""
        return self.lines.get(path)

    def line_near(self, path: KeyPath) -> int:
        """Return the line (from 1) of ``path``, or of the innermost key or list element that contains it."""
        return next(self.lines[part] for end in range(len(path), -1, -1) if (part := path[:end]) in self.lines)

    def place(self, path: KeyPath) -> str:
        """Return ``FILE:LINE`` of the key at ``path``, or of the innermost one that contains it."""
        return f"{self.shown_as}:{self.line_near(path)}"

    def problem(self, path: KeyPath, told: str) -> str:
        """Return ``FILE:LINE: KEY: told``, about the key at ``path`` or one that is missing there."""
        key = dotted(path)
        return f"{self.place(path)}: {key}: {told}" if key else f"{self.place(path)}: {told}"


def dotted(path: KeyPath) -> str:
    """Return ``a.b.0``, or an empty text for the top level."""
    return ".".join(map(show_key, path))
