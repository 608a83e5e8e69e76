"""Digests of the code that decides a suite's scores: its test function, and the project's own scorers it names."""

import ast
import dis
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from pytest_llmeval.bridge.collection.eval_code import tree_of
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.sources import source_digest, source_text, without_comments

__all__ = ["code_digest", "globals_in", "imports_in", "names_in"]

_TOLD = ("dataset", "prompt", "params")
_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
"""How Python reads a variable of the module: in functions, in classes within them, and in types of generics."""
_IMPORTS = "IMPORT_NAME"


def code_digest(function: Callable[..., Any]) -> str:
    """Return the sha256 in hex over the source of ``function`` and of the project's own scorers that it names.

    The marker's arguments for dataset, prompt and params are left out: they have digests of their own.
    """
    named = names_in(function)
    # Whoever registered a scorer imported the registry; a session that only lists its cases need not.
    registry = sys.modules.get("pytest_llmeval.scorers.registry")
    own = registry.REGISTRY.own() if registry is not None else ()
    scorers = [source_digest(scorer.function) for scorer in own if scorer.name in named]
    return digest("\n".join([digest(_source(function)), *scorers]))


def _source(function: Callable[..., Any]) -> str:
    """Return the source of a test, its marker ``llmeval`` without the arguments that have digests of their own."""
    tree = tree_of(function)
    if tree is None:
        return source_text(function)
    lines = textwrap.dedent(inspect.getsource(function)).split("\n")
    for each in reversed(tree.decorator_list):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == "llmeval":
            kept = [keyword for keyword in each.keywords if keyword.arg not in _TOLD]
            call = ast.unparse(ast.Call(func=each.func, args=each.args[1:], keywords=kept))
            lines[each.lineno - 1 : each.end_lineno] = [call]
    return without_comments("\n".join(lines))


def names_in(function: Callable[..., Any]) -> set[str]:
    """Return every attribute and variable that a function names, including its inner functions and its decorators."""
    return {name for code in _codes(function) for name in code.co_names}


def globals_in(function: Callable[..., Any]) -> set[str]:
    """Return every variable of its module that the same code of a function names; attributes are not included."""
    return {each.argval for code in _codes(function) for each in dis.get_instructions(code) if each.opname in _LOADS}


def imports_in(function: Callable[..., Any]) -> set[str]:
    """Return every module that is imported within a function, in the same code."""
    return {each.argval for code in _codes(function) for each in dis.get_instructions(code) if each.opname == _IMPORTS}


def _codes(function: Callable[..., Any]) -> Iterator[CodeType]:
    codes = [getattr(each, "__code__", None) for each in (function, inspect.unwrap(function))]
    for code in codes:
        if code is not None:
            yield code
            codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
