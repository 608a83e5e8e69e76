"""What of a project's code decides the scores of a suite: its test function, and the project's own scorers it names."""

import inspect
import sys
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.sources import source_digest

__all__ = ["code_digest", "names_in"]


def code_digest(function: Callable[..., Any]) -> str:
    """Return the sha256 in hex over the source of ``function`` and of the project's own scorers that it names."""
    named = names_in(function)
    # Whoever registered a scorer imported the registry; a session that only lists its cases need not.
    registry = sys.modules.get("pytest_llmeval.scorers.registry")
    own = registry.REGISTRY.own() if registry is not None else ()
    scorers = [source_digest(scorer.function) for scorer in own if scorer.name in named]
    return digest("\n".join([source_digest(function), *scorers]))


def names_in(function: Callable[..., Any]) -> set[str]:
    """Return every attribute and variable that a function names, with its inner functions and what decorates it."""
    return {name for each in (function, inspect.unwrap(function)) for name in _names(getattr(each, "__code__", None))}


def _names(code: CodeType | None) -> Iterator[str]:
    if code is not None:
        yield from code.co_names
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield from _names(constant)
