"""How wide a line is on a terminal, by its signs."""

import unicodedata

__all__ = ["columns"]


def columns(line: str) -> int:
    """Return how many columns a line takes: a mark none, a sign of Chinese, Japanese or Korean two, others one."""
    marks = sum(unicodedata.category(char) in ("Mn", "Me") for char in line)
    wide = sum(
        unicodedata.east_asian_width(char) in "WF" and unicodedata.category(char) not in ("Mn", "Me") for char in line
    )
    return len(line) - marks + wide
