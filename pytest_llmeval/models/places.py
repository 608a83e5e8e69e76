"""Errors that name the file and the line of a mistake."""

from collections.abc import Callable

from pytest_llmeval.core.errors import ModelError

__all__ = ["LineOf", "mistake_at"]

LineOf = Callable[[tuple[str, ...]], int | None]
"""Maps the path of a key (``("models", "small", "spec")``) to its line, counted from 1; None if it is not known."""


def mistake_at(where: str, line_of: LineOf, path: tuple[str, ...], message: str) -> ModelError:
    """Return the error with its file and line, or the line of an enclosing key if the key's own is not known."""
    lines = (line_of(path[:end]) for end in range(len(path), 0, -1))
    line = next((line for line in lines if line is not None), None)
    return ModelError(f"{where}:{line}: {message}" if line is not None else f"{where}: {message}")
