"""Reads a test function's source: its syntax tree, its calls of judges, and its rubrics."""

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.fixtures import is_ours
from pytest_llmeval.core.errors import RubricError
from pytest_llmeval.core.syntax import parsed

__all__ = ["COMPARING", "JUDGING", "judge_calls", "on_score", "rubric_problems", "tree_of", "variables_of"]

_SCORE_NAMES = frozenset({"score", "llmeval_score"})
"""Names of the scorers' fixture in a test."""
JUDGING = frozenset({"judge", "judge_sync"})
"""Scorers that ask a judge about one answer."""
COMPARING = frozenset({"prefer", "prefer_sync"})
"""Scorers that ask a judge to compare two answers."""


@functools.lru_cache(maxsize=64)
def tree_of(function: Callable[..., Any]) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return the syntax tree of ``function``, or of the function that a decorator wrapped; None without source."""
    try:
        module = parsed(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    tree = module.body[0] if module is not None and module.body else None
    return tree if isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef) else None


def variables_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the variables of the module of ``function``, without those that its local names shadow."""
    plain = inspect.unwrap(function)
    shadowed = {*plain.__code__.co_varnames, *plain.__code__.co_cellvars, *plain.__code__.co_freevars}
    return {name: value for name, value in plain.__globals__.items() if name not in shadowed}


def on_score(node: ast.AST, called: Collection[str] = _SCORE_NAMES) -> str:
    """Return the name of the method that ``node`` calls on a variable in ``called``; empty if it is no such call."""
    function = node.func if isinstance(node, ast.Call) else None
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return ""
    return function.attr if function.value.id in called else ""


def judge_calls(
    function: Callable[..., Any], called: Collection[str] = _SCORE_NAMES
) -> Iterator[tuple[str, Mapping[str | None, ast.expr], Any]]:
    """Yield each call in ``function`` that asks a judge, on a variable in ``called``.

    Yields:
        The method, its keyword arguments, and its rubric: None unless it is a literal or a variable of the module.
    """
    tree = tree_of(function)
    names = variables_of(function) if tree is not None else {}
    for node in ast.walk(tree) if tree is not None else ():
        method = on_score(node, called)
        if isinstance(node, ast.Call) and method in JUDGING | COMPARING:
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            yield method, given, _value_of(given.get("rubric"), names)


def rubric_problems(test: pytest.Function) -> Iterator[str]:
    """Yield the problems of each rubric that a test names by a literal or by a variable of its module."""
    from pytest_llmeval.loaders.rubrics import load_rubric

    called = [name for name in _SCORE_NAMES if is_ours(test, name)]
    for method, given, rubric in judge_calls(test.function, called):
        if rubric is None:
            continue
        try:
            found = load_rubric(rubric, rootdir=test.config.rootpath, test_file=test.path)
            if method in JUDGING and "name" not in given:
                found.check_names(rubric)
        except RubricError as error:
            is_file = str(rubric).endswith((".yaml", ".yml"))
            yield str(error) if is_file else f"{test.nodeid}: {error}"


def _value_of(node: ast.expr | None, names: Mapping[str, Any]) -> Any:
    """Return a literal, or the value of a variable in ``names``; None for any other expression."""
    if isinstance(node, ast.Constant):
        return node.value
    return names.get(node.id) if isinstance(node, ast.Name) else None
