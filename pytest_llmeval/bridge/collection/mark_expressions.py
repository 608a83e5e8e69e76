"""Which items an ``-m`` expression selects, by the marks of this plugin."""

import functools
from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark.expression import Expression

__all__ = ["CASE_MARKS", "OWN_MARKS", "TRAINING_MARKS", "asks_for", "asks_for_marks", "holds_for", "is_expression"]

TRAINING_MARKS = (frozenset({"train"}),)
"""Sets of this plugin's marks that trainings have."""
CASE_MARKS = (
    frozenset({"llmeval"}),
    frozenset({"llmeval", "regression"}),
    frozenset({"llmeval", "judge_attack"}),
)
"""Sets of this plugin's marks that cases may have."""
OWN_MARKS = (*TRAINING_MARKS, *CASE_MARKS)
"""Sets of this plugin's marks that its items may have."""
_OWN = frozenset[str]().union(*OWN_MARKS)


def holds_for(expression: str, item: pytest.Item) -> bool:
    """Whether an ``-m`` expression holds for ``item``, as pytest sees it; an empty or invalid one holds for all."""
    asked = _compiled(expression)
    if asked is None:
        return True
    marks = list(item.iter_markers())

    def has(name: str, /, **kwargs: Any) -> bool:
        return any(mark.name == name and kwargs.items() <= mark.kwargs.items() for mark in marks)

    return asked.evaluate(has)


def is_expression(text: str) -> bool:
    """Whether ``text`` is a valid expression for ``-m`` and ``-k``."""
    try:
        Expression.compile(text)
    except SyntaxError:
        return False
    return True


def asks_for_marks(expression: str) -> bool:
    """Whether a ``-m`` expression would not hold for an item without any mark."""
    asked = _compiled(expression)
    return asked is not None and not _holds(asked, frozenset(), others=False)


def asks_for(expression: str, own: Iterable[frozenset[str]]) -> bool:
    """Whether an ``-m`` expression asks for one of these sets of our marks: it holds with the set, but not without.

    An item may have none or all of the marks that are not ours; either is enough.
    """
    asked = _compiled(expression)
    return asked is not None and any(
        _holds(asked, marks, others=others) and not _holds(asked, frozenset(), others=others)
        for marks in own
        for others in (False, True)
    )


def _holds(asked: Expression, marks: frozenset[str], *, others: bool) -> bool:
    """Whether an ``-m`` expression holds for an item with these marks of ours and all or none of the others."""
    return asked.evaluate(lambda name, /, **kwargs: name in marks if name in _OWN else others)


@functools.lru_cache(maxsize=8)
def _compiled(expression: str) -> Expression | None:
    """Return an ``-m`` expression as pytest reads it; None if empty, or invalid, which pytest reports."""
    return Expression.compile(expression) if expression and is_expression(expression) else None
