"""Counts the eval functions in a module without importing it; attacks on the judge do not count."""

import ast
import fnmatch
from collections.abc import Sequence
from pathlib import Path

from pytest_llmeval.core.syntax import parsed

__all__ = ["written_evals"]

_MARKER = "llmeval"
_ATTACK = "judge_attack"
_MODULE_MARKS = "pytestmark"


def written_evals(path: Path, classes: Sequence[str]) -> int | None:
    """Return the number of test functions that carry the marker, also by class or module; None without a marker.

    It is 0 if the marker is there for functions that are written elsewhere.

    Args:
        path: of the module.
        classes: prefixes or patterns of the names of classes that pytest collects; other classes do not count.
    """
    try:
        source = path.read_bytes()
        tree = parsed(source) if _MARKER.encode() in source else None
    except OSError:
        return None
    if tree is None or not any(isinstance(node, ast.Attribute) and node.attr == _MARKER for node in ast.walk(tree)):
        return None
    return _count(tree, _assigned(tree), classes, is_marked=False)


def _count(node: ast.AST, names: set[str], classes: Sequence[str], *, is_marked: bool) -> int:
    if _MODULE_MARKS in names:
        is_marked, names = True, names - {_MODULE_MARKS}
    total = 0
    for child in ast.iter_child_nodes(node):
        decorators = getattr(child, "decorator_list", ())
        if any(isinstance(each, ast.Attribute) and each.attr == _ATTACK for each in decorators):
            continue
        has_marker = is_marked or any(_is_marker(each, names) for each in decorators)
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            total += child.name.startswith("test") and has_marker
        elif isinstance(child, ast.ClassDef):
            if any(child.name.startswith(each) or fnmatch.fnmatch(child.name, each) for each in classes):
                total += _count(child, names | _assigned(child), classes, is_marked=has_marker)
        elif isinstance(child, ast.stmt):  # below if, try or with
            total += _count(child, names, classes, is_marked=is_marked)
    return total


def _assigned(node: ast.Module | ast.ClassDef) -> set[str]:
    """Return the names that a module or class assigns to markers, or to lists with one."""
    given = [each for each in node.body if isinstance(each, ast.Assign) and _is_marker(each.value, set())]
    return {target.id for each in given for target in each.targets if isinstance(target, ast.Name)}


def _is_marker(value: ast.expr, names: set[str]) -> bool:
    """Whether an expression is the marker, called or not, one of its names, or a list that contains it."""
    if isinstance(value, ast.List | ast.Tuple):
        return any(_is_marker(each, names) for each in value.elts)
    target = value.func if isinstance(value, ast.Call) else value
    if isinstance(target, ast.Name):
        return target.id in names
    return isinstance(target, ast.Attribute) and target.attr == _MARKER
