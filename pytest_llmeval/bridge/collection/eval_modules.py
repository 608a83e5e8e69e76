"""Where paths lie, and which modules below a folder may have evals, by their text: none is imported."""

import functools
import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

__all__ = ["absolute", "lies_in", "mentions_us", "module_path", "modules", "real"]


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder, as it is written or with symbolic links resolved."""
    return path.is_relative_to(folder) or real(path).is_relative_to(real(folder))


def absolute(start: Path, argument: str) -> Path:
    """Return an argument as pytest takes it: links in it are kept."""
    return Path(os.path.abspath(start / argument))


def module_path(name: str, config: pytest.Config) -> str:
    """Return where a module or package lies, as pytest looks for it; an empty text where it sees none.

    A namespace package, which any folder is, is one only where pytest's ini key says so.
    """
    try:
        spec = importlib.util.find_spec(name)
    except (AttributeError, ImportError, ValueError):
        return ""
    if spec is None:
        return ""
    if not spec.submodule_search_locations:
        return spec.origin or ""
    is_taken = spec.origin is not None or config.getini("consider_namespace_packages")
    return next(iter(spec.submodule_search_locations)) if is_taken else ""


@functools.lru_cache(maxsize=1024)
def real(path: Path) -> Path:
    """Return a path with symbolic links resolved."""
    return path.resolve()


def modules(folder: Path) -> Iterable[Path]:
    """Return all modules below a folder, in the order of their paths."""
    return sorted(folder.rglob("*.py"))


def mentions_us(path: Path) -> bool:
    """Whether there may be evals or training items in a module, by its text."""
    try:
        text = path.read_bytes()
    except OSError:
        return False
    return b"llmeval" in text or b"mark.train" in text
