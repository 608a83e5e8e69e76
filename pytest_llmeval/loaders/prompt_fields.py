"""Whether a template takes up what the rows of its suite hold: a misspelt placeholder is sent as it stands."""

import re
from collections.abc import Collection, Iterator
from typing import Any

from pytest_llmeval.core.gate.names import closest
from pytest_llmeval.core.text import counted, one_line
from pytest_llmeval.loaders.prompts import Prompt, fields_of

__all__ = ["PromptFields"]

_WORD = re.compile(r" *\w+ *")
"""What a placeholder holds; anything else in braces is JSON, code or the like."""
_NEAR = 0.75
"""Likeness from which on a word may be a misspelt field: that of ``ctiy`` and ``city``."""
_MOST_SHOWN = 6


class PromptFields:
    """What the rows of one function offer its prompt."""

    def __init__(self, prompt: Prompt) -> None:
        self._source = prompt.source
        self._in_braces = prompt.names
        self._names: set[str] = set()
        self._rows = 0
        self._first: Any = None
        self._differ = False

    def add(self, input_: Any) -> None:
        """Take the input of a row."""
        if self._in_braces is None:
            return
        self._names.update(fields_of(input_))
        if not self._rows:
            self._first = input_
        self._differ = self._differ or input_ != self._first
        self._rows += 1

    def notes(self, rows: str, *, is_sent: bool) -> Iterator[str]:
        """Yield what is to be said of a template before it is paid for.

        That a word in braces is like a field which is not filled; where none is though rows differ, that they are asked
        the same, if every case sends the prompt itself (``is_sent``), and else what is sent in place of a field. They
        begin with ``rows``, the name of all that was taken.
        """
        in_braces = self._in_braces or frozenset()
        filled = in_braces & self._names
        words = sorted(name for name in in_braces - filled if _WORD.fullmatch(name))
        where = f"{rows}: prompt {self._source}"
        slips = {word: closest(word.strip(), self._names - filled, cutoff=_NEAR) for word in words}
        known = {word: meant for word, meant in slips.items() if meant is not None}
        for word, meant in known.items():
            told = f"{{{one_line(word, 60)}}} is not a row field and is sent as it stands"
            yield f"{where}: {told}; did you mean {{{one_line(meant, 60)}}}?"
        if not self._differ or filled or known:
            return
        fields = _braced(self._names)
        if is_sent:
            yield f"{where} is the same for all {counted(self._rows, 'row')}: it has none of their fields ({fields})"
        elif words:
            yield f"{where} has no field of its rows ({fields}) and is sent with {_braced(words)} as it stands"


def _braced(names: Collection[str]) -> str:
    return one_line(", ".join(f"{{{name}}}" for name in sorted(names)[:_MOST_SHOWN]))
