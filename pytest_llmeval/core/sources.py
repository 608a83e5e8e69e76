"""Stable texts and digests of code and settings, by which two runs can tell whether a callable has changed."""

import ast
import inspect
import io
import json
import linecache
import re
import tokenize
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache, partial
from types import CodeType
from typing import Any

from pytest_llmeval.core.ids import digest, memory_address
from pytest_llmeval.core.syntax import parsed

__all__ = ["code_text", "settings_text", "source_digest", "source_text", "stable_text", "without_comments"]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_DEEPEST = 20


def source_digest(function: Callable[..., Any]) -> str:
    """Return the sha256 in hex of a callable's ``source_text``."""
    return digest(source_text(function))


def source_text(function: Callable[..., object]) -> str:
    """Return the source of a callable with its decorators, but without what it calls; the same in every process.

    Comments and blank lines are left out, since they have no effect. Special cases:

    - a lambda: the expression alone, without its statement, which may be a whole function below a decorator
    - a function whose source cannot be found: its compiled code
    - a partial: the function and its arguments
    - an object with ``__call__``: the source of its class, and its attributes
    """
    if isinstance(function, partial):
        return f"{source_text(function.func)}\n{_text([function.args, function.keywords])}"
    function = inspect.unwrap(function)
    if getattr(function, "__name__", None) == "<lambda>" and hasattr(function, "__code__"):
        return _source_of_lambda(function.__code__)
    try:
        return without_comments(inspect.getsource(function))
    except (OSError, TypeError):  # typed at a prompt, built by exec, or an object with __call__
        code = getattr(function, "__code__", None)
        return code_text(code) if code else _source_of_object(function)


def without_comments(text: str) -> str:
    """Return Python source without comments and blank lines, except in strings; unchanged if it does not tokenize."""
    lines: list[str | None] = [*text.split("\n")]
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            row, column = token.start
            if token.type == tokenize.ERRORTOKEN:  # Python 3.11 yields one where later versions raise
                return text
            if token.type == tokenize.COMMENT:
                lines[row - 1] = token.line[:column].rstrip()
            elif token.type == tokenize.NL and not (lines[row - 1] or "").strip():
                lines[row - 1] = None
    except (tokenize.TokenError, SyntaxError):
        return text
    return "\n".join(line for line in lines if line is not None)


@lru_cache(maxsize=64)  # it reads the whole module: here once, as its evals are collected
def _source_of_lambda(code: CodeType) -> str:
    tree = parsed("".join(linecache.getlines(code.co_filename)))
    nodes = ast.walk(tree) if tree is not None else ()
    found = [node for node in nodes if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno]
    return ast.unparse(found[0]) if len(found) == 1 else code_text(code)


def _source_of_object(function: object) -> str:
    try:
        source = without_comments(inspect.getsource(type(function)))
    except (OSError, TypeError):
        return _nameless(function)
    slots = [name for kind in type(function).__mro__ for name in _slots_of(kind)]
    held = {name: getattr(function, name, None) for name in slots} | getattr(function, "__dict__", {})
    told = type(function).__qualname__ if is_dataclass(function) else _nameless(function)
    return f"{source}\n{told}\n{settings_text(held)}"


def _slots_of(kind: type) -> Iterable[str]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else slots


def code_text(value: Any) -> str:
    """Return a text for compiled code or one of its constants, the same in every process."""
    if isinstance(value, CodeType):
        return f"{value.co_code.hex()} {value.co_names} {[code_text(const) for const in value.co_consts]}"
    if isinstance(value, tuple):
        return f"({', '.join(map(code_text, value))}{',' * (len(value) == 1)})"
    return repr(sorted(map(code_text, value)) if isinstance(value, frozenset) else value)


def settings_text(settings: Mapping[str, Any]) -> str:
    """Return settings as JSON with sorted keys, the same in every process.

    A value that JSON cannot represent becomes its type's name and its content: the fields of a dataclass, else the
    ``repr`` without memory addresses.
    """
    return _text(dict(settings))


def stable_text(value: object) -> str | None:
    """Return a value as ``settings_text`` would, or None if the text may differ in another process.

    It may differ if a ``repr`` contains a memory address, or braces: they may be a set's, whose order changes from
    process to process.
    """
    try:
        shown = repr(value)
        return _dumped(_plain(value, is_strict=True)) if memory_address(shown) is None else None
    except Exception:  # noqa: BLE001 - it is a stranger's ``repr``
        return None


def _text(value: Any) -> str:
    try:
        return _dumped(value)  # enough for nearly all settings and by far the fastest, which counts: once per score
    except (TypeError, ValueError, RecursionError):
        return _dumped(_plain(value))


def _dumped(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _plain(value: Any, within: tuple[int, ...] = (), *, is_strict: bool = False) -> Any:
    """Return a value as one that JSON can represent; a value nested in itself becomes its type's name.

    Raises:
        ValueError: with ``is_strict``, if a ``repr`` may differ in another process.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if id(value) in within or len(within) > _DEEPEST:
        return type(value).__qualname__

    def inner(each: Any) -> Any:
        return _plain(each, (*within, id(value)), is_strict=is_strict)

    if isinstance(value, list | tuple):
        return [inner(each) for each in value]
    if isinstance(value, Mapping):
        if {type(key) for key in value} in (set(), {str}, {int}):
            return {key: inner(each) for key, each in value.items()}
        return {"map": sorted(_dumped([inner(key), inner(each)]) for key, each in value.items())}
    if isinstance(value, set | frozenset):
        return {"set": sorted(_dumped(inner(each)) for each in value)}
    return {type(value).__qualname__: _held(value, inner, is_strict=is_strict)}


def _held(value: Any, inner: Callable[[Any], Any], *, is_strict: bool) -> Any:
    """Return the content of an object that determines what it does, as far as it can be found."""
    if isinstance(value, partial):
        return inner([value.func, value.args, value.keywords])
    if is_dataclass(value) and not isinstance(value, type):
        return inner({each.name: getattr(value, each.name, None) for each in fields(value) if each.repr})
    if is_strict and not isinstance(value, bytes | Enum | re.Pattern):
        names = _names_of_fields(value)
        if names:
            return inner({name: getattr(value, name, None) for name in names})
        bare = _QUOTED.sub("", repr(value))
        if "{" in bare or str(id(value)) in bare:
            raise ValueError("its repr may be another in another process")
    return _nameless(value)


def _names_of_fields(value: object) -> list[str]:
    """Return the names of the fields in the ``repr`` of a pydantic or attrs object; empty for other objects."""
    attrs, model = getattr(type(value), "__attrs_attrs__", ()), getattr(type(value), "model_fields", None)
    names = [each.name for each in attrs if each.repr]
    if isinstance(model, Mapping):
        names = [name for name, each in model.items() if each.repr]
        names += ["model_extra"] if getattr(value, "model_extra", None) else []
    return names


def _nameless(value: object) -> str:
    """Return the ``repr`` of a value without memory addresses, or its type's name if ``repr`` fails."""
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001 - it is a stranger's ``repr``
        return type(value).__qualname__
    return _ADDRESS.sub("", shown).replace(f"{id(value):x}", "")
