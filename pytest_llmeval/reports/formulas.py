"""Guarding text in table cells, so that no spreadsheet computes it, whatever separator it expects.

An apostrophe goes before anything that would be read as a formula
(https://owasp.org/www-community/attacks/CSV_Injection): at the start of a cell, and after each semicolon, tab and line
end, which start a new cell in programs that expect them.
"""

import re

__all__ = ["FORMULA", "guarded", "unguarded"]

_SIGN = "[=+\\-@\\uff1d\\uff0b\\uff0d\\uff20]"
FORMULA = re.compile(f"\\s*{_SIGN}|[\t\r\n]")
"""The start of a formula (full-width forms included, leading blanks skipped as some programs do), or a character that
moves to another cell."""
_FIRST = re.compile(f"'*(?:{FORMULA.pattern})")
"""The start of a formula, after any number of apostrophes."""
_BEHIND = "(?<=[;\t\r\n])"
_LATER = f"(?='*(?:[^\\S\t\r\n]|\")*{_SIGN})"
"""The same at the start of a later cell, where quotation marks are ignored."""


def guarded(text: str) -> str:
    """Return ``text`` with an apostrophe before each formula.

    A formula that already has apostrophes before it gets one more, so that ``unguarded`` removes exactly what was
    added.
    """
    found = re.sub(_BEHIND + _LATER, "'", text)
    return f"'{found}" if _FIRST.match(found) else found


def unguarded(text: str) -> str:
    """Return the text that ``guarded`` was given."""
    found = text[1:] if text.startswith("'") and _FIRST.match(text[1:]) else text
    return re.sub(f"{_BEHIND}'{_LATER}", "", found)
