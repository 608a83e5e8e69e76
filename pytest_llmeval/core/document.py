"""A file of settings as plain data, with the line of each key: what its readers check, and where a mistake stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_llmeval.core.names import show_key

__all__ = ["KeyPath", "StrictDocument", "dotted"]

KeyPath = tuple[str | int, ...]
"""Where a value stands: mapping keys and list positions (from 0), outermost first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrictDocument:
    """One YAML document as plain data: dict, list, str, int, float (finite), bool and None."""

    data: Any
    shown_as: str
    """The file's name, as messages show it."""
    lines: Mapping[KeyPath, int] = field(default_factory=lambda: {(): 1}, repr=False)
    """The line (from 1) of every mapping key and list element, and of the document under ``()``."""

    def line_of(self, path: KeyPath) -> int | None:
        """Return the line (from 1) of the key or list element at ``path``; None where there is none."""
        return self.lines.get(path)

    def line_near(self, path: KeyPath) -> int:
        """Return the line (from 1) of ``path`` or of the nearest key or list element around it."""
        return next(self.lines[part] for end in range(len(path), -1, -1) if (part := path[:end]) in self.lines)

    def place(self, path: KeyPath) -> str:
        """Return ``FILE:LINE`` of the key at ``path``, or of the nearest one around it."""
        return f"{self.shown_as}:{self.line_near(path)}"

    def problem(self, path: KeyPath, told: str) -> str:
        """Return ``FILE:LINE: KEY: told``, for what is wrong with the key at ``path`` or is missing there."""
        key = dotted(path)
        return f"{self.place(path)}: {key}: {told}" if key else f"{self.place(path)}: {told}"


def dotted(path: KeyPath) -> str:
    """Return ``a.b.0``, as messages show a path; an empty text for the top."""
    return ".".join(map(show_key, path))
