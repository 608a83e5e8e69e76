"""Paths into JSON, as tests declare them and as reasons show them."""

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.scorers.display import shown, visible_line

__all__ = ["ROOT", "child", "declared", "declared_all", "element", "joined", "path_text", "position"]

ROOT = ""
PATH_LIMIT = 160
_SIMPLE = re.compile(r"[\w-]+")
_SEGMENT = re.compile(r'(?P<element>\[\])|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]|(?P<plain>[^.\[\]"]+)')


def child(path: str, key: str) -> str:
    """Return the path of a key, quoted if it has characters other than letters, digits, _ and -."""
    if not _SIMPLE.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def element(path: str) -> str:
    """Return the path that stands for every element of a list."""
    return path + "[]"


def position(path: str, index: int) -> str:
    """Return the path of one element of a list."""
    return f"{path}[{index}]"


def joined(path: str, rest: str) -> str:
    """Return a path joined with a path relative to it."""
    return f"{path}.{rest}" if path and rest and not rest.startswith("[") else path + rest


def path_text(path: str) -> str:
    """Return a path for display; the whole value is ``$``."""
    return visible_line(path, PATH_LIMIT) if path else "$"


def declared_all(paths: Iterable[str], setting: str) -> frozenset[str]:
    """Return declared paths in their canonical spelling; a single text is one path.

    Raises:
        ScorerError: if one of them is not a path.
    """
    listed = [paths] if isinstance(paths, str) else list(paths)
    return frozenset(declared(path, setting) for path in listed)


@lru_cache(maxsize=1024)
def declared(path: Any, setting: str) -> str:
    """Return a declared path in its canonical spelling: without ``$`` and ``$.``, unusual keys quoted.

    Raises:
        ScorerError: if it is not a path.
    """
    if not isinstance(path, str) or not path:
        raise ScorerError(f"{setting} holds {path!r}; a path is a string such as items[].price")
    rest = path[1:].removeprefix(".") if path == "$" or path.startswith(("$.", "$[")) else path
    result, at = ROOT, 0
    while at < len(rest):
        at += bool(result) and rest[at] == "."
        found = _SEGMENT.match(rest, at)
        if found is None:
            raise ScorerError(
                f"{setting} holds {shown(path)}, which is not a path: keys are joined by dots, "
                '[] is every element of a list (not [0]), ["odd.key"] quotes a key'
            )
        result, at = _extended(result, found), found.end()
    return result


def _extended(path: str, segment: re.Match[str]) -> str:
    if segment["element"]:
        return element(path)
    return child(path, json.loads(segment["quoted"]) if segment["quoted"] else segment["plain"])
