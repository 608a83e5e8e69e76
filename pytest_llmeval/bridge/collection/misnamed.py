"""Words of ``-m`` and ``-k`` that match no eval and no training, if these options left nothing to run."""

import re
from collections.abc import Iterable, Iterator, Sequence

import pytest

from pytest_llmeval.bridge.casework.items import function_name, param_of
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.text import and_more, shown_value

__all__ = ["misnamed"]

_WORD = re.compile(r"(\bnot\s+)?([^\s()]+)")
_GRAMMAR = frozenset({"and", "or", "not"})
_MOST_LOOKED_AT = 2000
"""Largest number of items whose names are suggested: comparing a word with more takes long."""


def misnamed(
    config: pytest.Config, found: Sequence[pytest.Item], *, marked: Sequence[pytest.Item], cut: str
) -> Iterator[str]:
    """Yield a note for each word of ``-m`` and ``-k`` that matches nothing here.

    Args:
        config: of the session.
        found: the cases and trainings that these options deselected.
        marked: those among them to which ``-k`` applies.
        cut: the options that left rows out before; the word may match one of those.
    """
    left = f" (of the rows that {cut} left)" if cut else ""
    marks = {mark.name for item in found for mark in item.iter_markers()}
    keywords = {name.lower() for item in found for name in (*item.listnames(), *item.listextrakeywords())}
    keywords |= {name.lower() for name in marks}
    for word in _words(config.getoption("markexpr", "")):
        if word.isidentifier() and word not in marks:
            yield f"-m: no {_kinds(found)} here has the mark {shown_value(word)}{left}{_meant(word, marks)}"
    for word in _words(config.getoption("keyword", "")):
        if not any(word.lower() in name for name in keywords):
            meant = _meant(word, _names(marked[:_MOST_LOOKED_AT])) or _there_are(marked)
            yield f"-k: no {_kinds(marked)} here has the name {shown_value(word)}{left}{meant}"


def _words(expression: str) -> list[str]:
    """Return the words that an expression asks for, without those after ``not``."""
    found = dict.fromkeys(word for denied, word in _WORD.findall(expression) if not denied)
    return [word for word in found if word not in _GRAMMAR]


def _kinds(items: Iterable[pytest.Item]) -> str:
    """Return the kinds of ``items``, in words."""
    are_cases = {param_of(item) is not None for item in items}
    if are_cases == {True, False}:
        return "eval, row or training"
    return "eval or row" if True in are_cases else "training"


def _names(items: Iterable[pytest.Item]) -> set[str]:
    """Return the names that people use for items: function, file, row or configuration, also without ``test_``."""
    found = set[str]()
    for item in items:
        param = param_of(item)
        whole = [function_name(item), item.path.stem]
        whole += [param.sample_id] if param else _configurations([item])
        found |= {name for each in whole for name in (each, each.removeprefix("test_"))}
    return found


def _configurations(items: Iterable[pytest.Item]) -> list[str]:
    """Return the configurations of trainings."""
    return [item.callspec.id for item in items if hasattr(item, "callspec")]


def _there_are(items: Iterable[pytest.Item]) -> str:
    """Return, in words, the configurations there are, if ``items`` are all of trainings."""
    found = list(items)
    names = [] if any(param_of(item) is not None for item in found) else _configurations(found)
    return f"; there {'is' if len(names) == 1 else 'are'} {and_more([*map(shown_value, names)], 10)}" if names else ""


def _meant(word: str, known: Iterable[str]) -> str:
    near = closest(word, known)
    return f"; did you mean {shown_value(near)}?" if near else ""
