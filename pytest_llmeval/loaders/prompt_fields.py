"""Whether a template takes up what the rows of its suite hold: a misspelt placeholder is sent as it stands."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from pytest_llmeval.core.names import closest
from pytest_llmeval.core.text import counted, one_line
from pytest_llmeval.loaders.prompts import Prompt, fields_of
from pytest_llmeval.loaders.rows import ROW_KEYS

__all__ = ["PromptFields"]

_WORD = re.compile(r" *\w+ *")
"""What a placeholder holds; anything else in braces is JSON, code or the like."""
_PLACEHOLDER = re.compile(
    r" *(?P<owner>(?:sample\.)?(?:input\.)?)(?P<word>\w+)(?P<part>(?:\.\w+)*) *"
    r"(?P<form>(?:![rsa])?(?::(?:[^{}]?[<>=^])?[-+ ]?#?0?\d*[,_]?(?:\.\d+)?[bcdeEfFgGnosxX%]?)?)"
)
"""A name as Python's ``str.format`` has it, with what it may be of and how it is to be written."""
_OTHER_KEYS = frozenset(ROW_KEYS) - {"input"}
_TELLING_KEYS = frozenset({"target", "metadata"})
"""Those that are no everyday words of code and addresses, as ``id`` is."""
_NO_KEY = "templates have fields of the input alone: a prompt function gets the whole sample"
_NEAR = 0.75
"""Likeness from which on a word may be a misspelt field: that of ``ctiy`` and ``city``."""
_MOST_SHOWN = 6


class PromptFields:
    """What the rows of one function offer its prompt."""

    def __init__(self, prompt: Prompt, arguments: Iterable[str] = ()) -> None:
        """Begin; ``arguments`` are names of the function's own parameters, which no template has."""
        self._source = prompt.source
        self._arguments = frozenset(arguments)
        self._in_braces = prompt.names
        self._names: set[str] = set()
        self._having: Counter[str] = Counter()
        """How many rows have each field that stands in braces."""
        self._lacking: dict[str, str] = {}
        """The first row that has not, by what stands in braces."""
        self._rows = 0
        self._first: Any = None
        self._differ = False

    def add(self, input_: Any, id_: str) -> None:
        """Take the input of the row with an id."""
        if self._in_braces is None:
            return
        fields = fields_of(input_)
        self._names.update(fields)
        self._having.update(self._in_braces & fields.keys())
        for name in self._in_braces - fields.keys():
            self._lacking.setdefault(name, id_)
        if not self._rows:
            self._first = input_
        self._differ = self._differ or input_ != self._first
        self._rows += 1

    def notes(self, rows: str, *, is_sent: bool) -> Iterator[str]:
        """Yield what is to be said of a template before it is paid for.

        That a word in braces is like a field which is not filled, a field written as ``str.format`` has it, another key
        of the row or an argument of the test, or a field that only some rows have; where none is filled though rows
        differ, that they are asked the same, if every case sends the prompt itself (``is_sent``), and else what is sent
        in place of a field. What may stand for itself is told only where nothing else in braces does. They begin with
        ``rows``, the name of all that was taken.
        """
        in_braces = self._in_braces or frozenset()
        filled = in_braces & self._names
        words = sorted(name for name in in_braces - filled if _WORD.fullmatch(name))
        where = f"{rows}: prompt {self._source}"
        known = self._slips(sorted(in_braces - filled), filled)
        for name, told in known.items():
            yield f"{where}: {{{one_line(name, 60)}}} is not a row field and is sent as it stands; {told}"
        for name in sorted(filled & self._lacking.keys()):
            lacking = f"is missing in {self._rows - self._having[name]} of {counted(self._rows, 'row')}"
            first = f"first: row {one_line(self._lacking[name], 60)}"
            yield f"{where}: {{{one_line(name, 60)}}} {lacking} and is sent there as it stands ({first})"
        if not self._differ or filled or known:
            return
        fields = _braced(self._names)
        if is_sent:
            yield f"{where} is the same for all {counted(self._rows, 'row')}: it has none of their fields ({fields})"
        elif words:
            yield f"{where} has no field of its rows ({fields}) and is sent with {_braced(words)} as it stands"

    def _slips(self, unfilled: Sequence[str], filled: Collection[str]) -> dict[str, str]:
        """Return what is to be said of names in braces that are no field, of each that does not stand for itself."""
        sure = {name: told for name in unfilled if (told := self._slip(name, filled)) is not None}
        left = [name for name in unfilled if name not in sure]
        likely = {name: told for name in left if (told := self._likely(name, filled)) is not None}
        return {**sure, **likely} if len(likely) == len(left) else sure

    def _slip(self, name: str, filled: Collection[str]) -> str | None:
        """Return what was surely meant by ``name`` in braces, which is no field; None where it may stand for itself."""
        found = _PLACEHOLDER.fullmatch(name)
        if found is None:
            return None
        word, is_bare = found["word"], not (found["owner"] or found["part"] or found["form"])
        near = closest(word, self._names.difference(filled), cutoff=_NEAR) if is_bare else None
        meant = near or (word if not is_bare and not found["part"] and word in self._names else None)
        if meant is not None:
            return f"did you mean {{{one_line(meant, 60)}}}?"
        if is_bare and word in self._arguments:
            return "it is an argument of the test, which templates do not have: pass the text to model.generate"
        return _NO_KEY if found["owner"] == "sample." and word in _OTHER_KEYS else None

    def _likely(self, name: str, filled: Collection[str]) -> str | None:
        """Return what was likely meant by ``name`` in braces, where nothing else in braces stands for itself."""
        found = _PLACEHOLDER.fullmatch(name)
        if found is None or found["owner"]:
            return None
        if found["word"] == "input" and filled:
            return f"the input is an object, of which a template has the fields ({_braced(self._names)})"
        return _NO_KEY if found["word"] in _TELLING_KEYS else None


def _braced(names: Collection[str]) -> str:
    return one_line(", ".join(f"{{{name}}}" for name in sorted(names)[:_MOST_SHOWN]))
