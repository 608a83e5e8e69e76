"""What ``-m`` and ``-k`` name that no eval has, where they left nothing."""

import re
from collections.abc import Iterable, Iterator

import pytest

from pytest_llmeval.bridge.casework.items import param_of
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.text import shown_value

__all__ = ["misnamed"]

_WORD = re.compile(r"(\bnot\s+)?([^\s()]+)")
_GRAMMAR = frozenset({"and", "or", "not"})
_MOST_LOOKED_AT = 2000
"""Cases whose names may be meant: comparing a word with very many takes long."""


def misnamed(config: pytest.Config, cases: Iterable[pytest.Item]) -> Iterator[str]:
    """Yield a note for each word of ``-m`` and ``-k`` that fits none of ``cases``, which these deselected."""
    found = list(cases)
    marks = {mark.name for item in found for mark in item.iter_markers()}
    keywords = {name.lower() for item in found for name in (*item.listnames(), *item.listextrakeywords())}
    keywords |= {name.lower() for name in marks}
    for word in _words(config.getoption("markexpr", "")):
        if word.isidentifier() and word not in marks:
            yield f"-m: no eval or row here has the mark {_told(word, marks)}"
    for word in _words(config.getoption("keyword", "")):
        if not any(word.lower() in name for name in keywords):
            yield f"-k: no eval or row here has the name {_told(word, _names(found[:_MOST_LOOKED_AT]))}"


def _words(expression: str) -> list[str]:
    """Return the words that an expression asks for, those behind ``not`` left out."""
    found = dict.fromkeys(word for denied, word in _WORD.findall(expression) if not denied)
    return [word for word in found if word not in _GRAMMAR]


def _names(cases: Iterable[pytest.Item]) -> set[str]:
    """Return what people call an eval by: its function, its file and its row, with and without ``test_``."""
    found = set[str]()
    for item in cases:
        param = param_of(item)
        whole = [getattr(item, "originalname", item.name), item.path.stem, *([param.sample_id] if param else [])]
        found |= {name for each in whole for name in (each, each.removeprefix("test_"))}
    return found


def _told(word: str, known: Iterable[str]) -> str:
    near = closest(word, known)
    return shown_value(word) + (f"; did you mean {shown_value(near)}?" if near else "")
