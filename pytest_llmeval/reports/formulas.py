"""Texts in the cells of a table, of which no spreadsheet computes anything, whatever sign it takes to part cells.

An apostrophe stands before what would be taken for a formula (https://owasp.org/www-community/attacks/CSV_Injection):
where the cell begins, and behind each semicolon, tab and line end, which part cells for a program that expects them.
"""

import re

__all__ = ["FORMULA", "guarded", "unguarded"]

_SIGN = "[=+\\-@\\uff1d\\uff0b\\uff0d\\uff20]"
FORMULA = re.compile(f"\\s*{_SIGN}|[\t\r\n]")
"""What begins a formula, full-width forms included, blanks before it skipped as some programs do; or moves a cell."""
_FIRST = re.compile(f"'*(?:{FORMULA.pattern})")
"""The beginning of what is taken for a formula, with any apostrophes before it."""
_BEHIND = "(?<=[;\t\r\n])"
_LATER = f"(?='*(?:[^\\S\t\r\n]|\")*{_SIGN})"
"""The same where another cell may begin; quotes are taken away there."""


def guarded(text: str) -> str:
    """Return ``text`` with an apostrophe before each formula.

    One stands before apostrophes and a formula, too, so that ``unguarded`` takes away what was put there and no other.
    """
    found = re.sub(_BEHIND + _LATER, "'", text)
    return f"'{found}" if _FIRST.match(found) else found


def unguarded(text: str) -> str:
    """Return the text that ``guarded`` was given."""
    found = text[1:] if text.startswith("'") and _FIRST.match(text[1:]) else text
    return re.sub(f"{_BEHIND}'{_LATER}", "", found)
