"""Paths, and the modules below a folder whose text suggests that they have evals: none is imported."""

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
    """Return a path argument as pytest takes it: symbolic links in it are kept."""
    return Path(os.path.abspath(start / argument))


def module_path(name: str, config: pytest.Config) -> str:
    """Return the path of a module or package as pytest looks for it; an empty string if it finds none.

    A namespace package, which any folder could be, counts only if pytest's ini key says so.
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
