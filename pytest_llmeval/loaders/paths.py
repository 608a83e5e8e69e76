"""Resolving paths in markers: relative to the rootdir or to the test file, never outside the rootdir."""

import contextlib
import os
from pathlib import Path

from pytest_llmeval.core.errors import DatasetError, UserError
from pytest_llmeval.core.text import one_line

__all__ = ["inside"]


def inside(name: str | os.PathLike[str], *, rootdir: Path, test_file: Path, error: type[UserError]) -> Path:
    """Return the resolved path for ``name``; the file need not exist.

    A relative name is looked up under ``rootdir`` first, then beside ``test_file``.

    Raises:
        error: the path, after following symbolic links, is outside ``rootdir``, or is not a valid path.
    """
    text = os.fspath(name)
    if not isinstance(text, str) or not text:
        raise error(f"{text!r} is not a path")
    candidates = [rootdir / text, test_file.parent / text]
    try:
        path = next((candidate for candidate in candidates if candidate.exists()), candidates[0])
        resolved, root = path.resolve(), rootdir.resolve()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            resolved.stat()  # resolve() accepts circular links since Python 3.13, and too long names since 3.14
    except (OSError, RuntimeError, ValueError) as problem:  # too long, links in a circle, a NUL
        reason = getattr(problem, "strerror", None) or str(problem).partition(" from ")[0]
        raise error(f"{one_line(repr(text), 80)} is not a path: {reason}") from None
    if not resolved.is_relative_to(root):
        other = ", or pass rows by a callable" if issubclass(error, DatasetError) else ""
        raise error(f"{text}: leads out of the rootdir; keep the file inside the project{other}")
    return resolved
