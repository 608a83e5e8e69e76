"""Warnings about prompt templates whose placeholders do not match the rows, and so are sent to the model as text."""

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
"""Content of a plain placeholder; anything else in braces is JSON, code or the like."""
_PLACEHOLDER = re.compile(
    r" *(?P<owner>(?:sample\.)?(?:input\.)?)(?P<word>\w+)(?P<part>(?:\.\w+)*) *"
    r"(?P<form>(?:![rsa])?(?::(?:[^{}]?[<>=^])?[-+ ]?#?0?\d*[,_]?(?:\.\d+)?[bcdeEfFgGnosxX%]?)?)"
)
"""Content of a placeholder in the notation of Python's ``str.format``: owner, name, attributes, conversion and
format."""
_OTHER_KEYS = frozenset(ROW_KEYS) - {"input"}
_TELLING_KEYS = frozenset({"target", "metadata"})
"""Row keys that are not everyday words of code and URLs, as ``id`` is."""
_NO_KEY = "templates have fields of the input alone: a prompt function gets the whole sample"
_NEAR = 0.75
"""Similarity from which a word counts as a misspelt field; that of ``ctiy`` and ``city``."""
_MOST_SHOWN = 6


class PromptFields:
    """Collects the input fields of one function's rows, to compare them with the placeholders of its prompt."""

    def __init__(self, prompt: Prompt, arguments: Iterable[str] = ()) -> None:
        """Begin without rows. ``arguments`` names the test function's own parameters, which no template can use."""
        self._source = prompt.source
        self._arguments = frozenset(arguments)
        self._in_braces = prompt.names
        self._doubled = prompt.doubled
        self._names: set[str] = set()
        self._having: Counter[str] = Counter()
        """Number of rows that have each field named in braces."""
        self._lacking: dict[str, str] = {}
        """Id of the first row that lacks a field named in braces, by field."""
        self._rows = 0
        self._first: Any = None
        self._differ = False

    def add(self, input_: Any, id_: str) -> None:
        """Add the input of the row with this id."""
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
        """Yield warnings about a template, so that they appear before the calls are paid for.

        There is a warning for a word in braces that resembles an unused field, is a field in the notation of
        ``str.format``, another key of the row, or an argument of the test; for a field that only some rows have; and
        for one in two pairs of braces, the notation of other tools. If no field is filled although the rows differ, a
        warning says that all rows get the same prompt if every case sends the prompt itself (``is_sent``); otherwise it
        names the words sent in place of a field. A word that may be meant literally is reported only if nothing else in
        braces is, or if the prompt leaves out a field that it may stand for. Each warning begins with ``rows``, the
        name of the dataset.
        """
        in_braces = self._in_braces or frozenset()
        filled = in_braces & self._names
        words = sorted(name for name in in_braces - filled if _WORD.fullmatch(name))
        where = f"{rows}: prompt {self._source}"
        known = self._slips(sorted(in_braces - filled), filled)
        for name, told in known.items():
            yield f"{where}: {{{one_line(name, 60)}}} is not a row field and is sent unchanged; {told}"
        unknown, unused = [word for word in words if word not in known], self._names - filled
        if filled and unknown and unused:
            yield f"{where}: no row has {_braced(unknown)}, sent unchanged; the prompt does not use {_braced(unused)}"
        for name in sorted(filled & self._lacking.keys()):
            lacking = f"is missing in {self._rows - self._having[name]} of {counted(self._rows, 'row')}"
            first = f"first: row {one_line(self._lacking[name], 60)}"
            yield f"{where}: {{{one_line(name, 60)}}} {lacking} and is sent there unchanged ({first})"
        for name in sorted(filled & self._doubled):
            told = f"{{{{{one_line(name, 60)}}}}} is sent with braces around the row's text"
            yield f"{where}: {told}; a field has one pair: {{{one_line(name, 60)}}}"
        if not self._differ or filled or known:
            return
        fields = _braced(self._names)
        if is_sent:
            yield f"{where} is the same for all {counted(self._rows, 'row')}: it has none of their fields ({fields})"
        elif words:
            yield f"{where} has no field of its rows ({fields}) and is sent with {_braced(words)} as it stands"

    def _slips(self, unfilled: Sequence[str], filled: Collection[str]) -> dict[str, str]:
        """Return a message for each name in braces that is not a field, except those that may be meant literally."""
        sure = {name: told for name in unfilled if (told := self._slip(name, filled)) is not None}
        left = [name for name in unfilled if name not in sure]
        likely = {name: told for name in left if (told := self._likely(name, filled)) is not None}
        return {**sure, **likely} if len(likely) == len(left) else sure

    def _slip(self, name: str, filled: Collection[str]) -> str | None:
        """Return a message if ``name``, not a field, is certainly a slip; None if it may be meant literally."""
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
        """Return a message if ``name`` is probably a slip; used if nothing else in braces is meant literally."""
        found = _PLACEHOLDER.fullmatch(name)
        if found is None or found["owner"]:
            return None
        if found["word"] == "input" and filled:
            return f"the input is an object, of which a template has the fields ({_braced(self._names)})"
        return _NO_KEY if found["word"] in _TELLING_KEYS else None


def _braced(names: Collection[str]) -> str:
    return one_line(", ".join(f"{{{name}}}" for name in sorted(names)[:_MOST_SHOWN]))
