"""Sentences broken into lines."""

import re
from collections.abc import Iterator

from pytest_llmeval.core.text import printable
from pytest_llmeval.reports.text_width import beginning, text_width

__all__ = ["wrapped"]

_NARROWEST = 20
_PARTS = re.compile("[^ ]+| +")
_COMMAND = re.compile("[a-z ]+: (cd .+ && )?(llmeval|pytest) ")


def wrapped(text: str, width: int, *, indent: str = "", whole_words: bool = False) -> Iterator[str]:
    """Yield ``text``, made harmless, in lines of at most ``width`` columns, those after the first further in.

    Below 20 columns a line has that many all the same. With ``whole_words`` a path or a command stays one that can be
    copied: a word that fits in no line has one to itself, and a line that is there for its command is not broken.
    """
    if whole_words and _COMMAND.match(text):
        yield printable(text)
        return
    room = max(width - 1, _NARROWEST)  # a line may begin with a command of the CI now: there is room for one more
    yield from map(printable, _lines(printable(text), room, indent, whole_words))


def _lines(text: str, room: int, indent: str, whole_words: bool) -> Iterator[str]:
    """Yield ``text`` broken at blanks, and within words that fit in no line, as ``textwrap`` does by characters."""
    begin, line = indent, ""
    for part in _PARTS.findall(text.expandtabs().replace("\n", " ")):
        if part[0] == " ":
            line += part if line or begin == indent else ""
            continue
        word = part
        while text_width(begin + line) + text_width(word) > room:
            is_cut = not whole_words and text_width(begin + word) > room
            head = beginning(word, room - text_width(begin + line)) if is_cut else ""
            if line.strip() or head:
                yield (begin + line + head).rstrip(" ")
            elif whole_words:
                break
            begin, line, word = f"{indent}  ", "", word[len(head) :]
        line += word
    if line.strip():
        yield (begin + line).rstrip(" ")
