"""Sentences broken into lines."""

import textwrap
from collections.abc import Iterator

from pytest_llmeval.core.text import printable

__all__ = ["wrapped"]

_NARROWEST = 20


def wrapped(text: str, width: int, *, indent: str = "") -> Iterator[str]:
    """Yield ``text``, made harmless, in lines of at most ``width`` characters, those after the first further in.

    Below 20 characters a line has that many all the same.
    """
    yield from map(  # a line may begin with a command of the CI now: there is room for one character more
        printable,
        textwrap.wrap(
            printable(text),
            max(width - 1, _NARROWEST),
            initial_indent=indent,
            subsequent_indent=f"{indent}  ",
            break_on_hyphens=False,
        ),
    )
