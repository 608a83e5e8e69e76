"""Judgements that a test requests whatever the answer is, read off its code before it runs."""

import ast
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_llmeval.bridge.casework.fixtures import FIXTURE_NAMES
from pytest_llmeval.bridge.collection.eval_code import JUDGING, on_score, tree_of, variables_of

__all__ = ["KnownJudgement", "known_judgements"]

_RESPONSES = frozenset({"response", "llmeval_response"})
_READ = _RESPONSES | {"sample", "llmeval_sample"}
_OURS = frozenset({*FIXTURE_NAMES, *(f"llmeval_{name}" for name in FIXTURE_NAMES)})
_HARMLESS = frozenset({"len", "str"})
"""Functions that change nothing and raise nothing."""
_PLAIN = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Import, ast.ImportFrom, ast.Pass)
"""Statements after which the next one runs, unless they raise."""
_LAST = (ast.Assert, ast.Return)
"""Statements that certainly run, while the next one may not."""
_UNSURE = (ast.IfExp, ast.BoolOp, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr)
"""Expressions with a part that may not be evaluated, or more than once."""


class KnownJudgement(NamedTuple):
    """A call of ``score.judge`` or ``score.judge_sync`` that every case makes, unless an exception ends it earlier."""

    call: ast.Call
    function: Callable[..., Any]
    """The test function."""

    def arguments(self, fixtures: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of the call in a case, by the present values of the module's variables.

        Args:
            fixtures: the values of ``sample`` and ``response``, under the names that the test uses.

        Raises:
            LookupError: an argument cannot be known before the test runs.
        """
        known = {**variables_of(self.function), **fixtures}
        positional = [_read(node, known) for node in self.call.args]
        return positional, {_keyword(each): _read(each.value, known) for each in self.call.keywords}


@functools.lru_cache(maxsize=64)
def known_judgements(function: Callable[..., Any]) -> Sequence[KnownJudgement]:
    """Return the judgements that ``function`` makes in every case, in their order; empty if that is not certain.

    They stand at the top of the body, after nothing that branches, sets more than local variables, or calls anything
    but ``score`` and methods of a response's parts. Their arguments can be read off the code: literals, variables of
    the module, ``sample``, ``response``, and parts of these two.
    """
    tree = tree_of(function)
    if tree is None or hasattr(function, "__wrapped__"):  # a decorator decides what is run
        return ()
    return [KnownJudgement(call, function) for call in _calls(tree.body)]


def _calls(body: Sequence[ast.stmt]) -> Iterator[ast.Call]:
    for statement in body:
        if not isinstance(statement, (*_PLAIN, *_LAST)):
            return
        parts = list(ast.walk(statement.test if isinstance(statement, ast.Assert) else statement))
        calls = [node for node in parts if isinstance(node, ast.Call)]
        found = [call for call in calls if on_score(call) in JUDGING]
        if not all(map(_is_harmless, calls)) or (found and any(isinstance(node, _UNSURE) for node in parts)):
            return
        yield from found
        if isinstance(statement, _LAST) or any(map(_changes, parts)):
            return


def _is_harmless(call: ast.Call) -> bool:
    """Whether a call neither ends the test, as ``pytest.skip()`` would, nor changes its fixtures."""
    if isinstance(call.func, ast.Name):
        return call.func.id in _HARMLESS
    return bool(on_score(call)) or _root(call.func) in _RESPONSES


def _changes(node: ast.AST) -> bool:
    """Whether a part of a statement rebinds one of our fixtures, or sets an attribute or item of anything."""
    if isinstance(node, ast.alias):
        return (node.asname or node.name) in _OURS
    is_set = isinstance(getattr(node, "ctx", None), ast.Store)
    return is_set and (isinstance(node, ast.Attribute | ast.Subscript) or getattr(node, "id", "") in _OURS)


def _read(node: ast.expr, known: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return known[name]
        case ast.Attribute(value=inner, attr=attribute) if _root(inner) in _READ:
            return getattr(_read(inner, known), attribute)
        case ast.Subscript(value=inner, slice=ast.Constant(value=key)) if _root(inner) in _READ:
            return _read(inner, known)[key]
    raise LookupError(ast.unparse(node))


def _root(node: ast.expr) -> str:
    """Return the variable that ``node`` is, or is an attribute or an item of; an empty string for other expressions.

    The result of a method counts as a part of the method's object.
    """
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _keyword(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise LookupError("**")
    return keyword.arg
