"""Sanitising and shortening of untrusted text: a model's output must not control a terminal, a CI log or a database."""

import re
import shlex
from collections.abc import Iterable, Sequence

__all__ = [
    "and_more",
    "counted",
    "first_lines",
    "inert_json",
    "is_storable",
    "one_line",
    "printable",
    "shell_words",
    "shorten",
    "shown_value",
    "shown_yaml",
    "storable",
]

# Characters that are invisible or move visible ones: C0 without tab and newline, DEL and C1, soft hyphen, zero-width
# and bidirectional controls, line separators, lone surrogates, characters that XML cannot hold, tags.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
# GitHub Actions reads "::name::" at the start of a line, after optional blanks, and "##[name]" anywhere:
# https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
# Azure Pipelines reads "##vso[name]" anywhere, TeamCity "##teamcity[name]":
# https://learn.microsoft.com/en-us/azure/devops/pipelines/scripts/logging-commands
# https://www.jetbrains.com/help/teamcity/service-messages.html
_COMMAND_START = re.compile(r"^([^\S\n]*)::", re.MULTILINE)
_AGENT_COMMAND = re.compile(r"##(?=\w*\[)")
_MOST_LINES = 20


def printable(text: str) -> str:
    """Return ``text`` with control characters as visible escapes and CI workflow commands defused.

    Newlines and tabs stay. A backslash is put before ``::`` at the start of a line, and inside ``##[`` and ``##vso[``.
    """
    visible = _CONTROL.sub(_escape, text)
    if "::" in visible:
        visible = _COMMAND_START.sub(r"\1\\::", visible)
    return _AGENT_COMMAND.sub(r"##\\", visible) if "##" in visible else visible


def inert_json(text: str) -> str:
    """Return equivalent JSON in which a CI system finds no ``##[`` or ``##vso[`` command."""
    return _AGENT_COMMAND.sub(r"#\\u0023", text) if "##" in text else text  # in JSON it can occur only inside a string


def and_more(items: Sequence[str], most: int) -> str:
    """Return the first ``most`` items, joined by commas, and the number of further ones."""
    more = f" and {len(items) - most:,} more" if len(items) > most else ""
    return f"{', '.join(items[:most])}{more}"


def first_lines(lines: Sequence[str], *, word: str = "") -> str:
    """Return the first 20 lines, and a last line with the number of further ones, followed by ``word``."""
    more = [f"… and {len(lines) - _MOST_LINES:,} more {word}".rstrip()] if len(lines) > _MOST_LINES else []
    return "\n".join([*lines[:_MOST_LINES], *more])


def counted(number: int, word: str) -> str:
    """Return a count with its noun, such as ``1 row`` or ``1,200 rows``; the plural of ``word`` must take an s."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def one_line(text: str, limit: int = 200) -> str:
    """Return ``text`` printable, on one line, at most ``limit`` characters long."""
    return shorten(printable(text).replace("\n", "\\n").replace("\t", " "), limit)


def shown_value(value: object) -> str:
    """Return the ``repr`` of a value for a message: on one line, cut to 60 characters."""
    return one_line(repr(value), 60)


def shown_yaml(value: object) -> str:
    """Return a value of a YAML file for a message; a mapping or list is only named as such."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    return shown_value(value)


def shell_words(words: Iterable[str]) -> str:
    """Return words quoted for a shell; empty if the line is longer than 200 characters or not printable."""
    joined = shlex.join(words)
    return joined if one_line(joined) == joined else ""


def shorten(text: str, limit: int) -> str:
    """Return ``text`` cut to at most ``limit`` characters, ending in ``...`` if anything was cut off."""
    return text if len(text) <= limit else (text[: max(limit - 3, 0)] + "...")[: max(limit, 0)]


def storable(text: str) -> str:
    r"""Return ``text`` as SQLite can store it: lone surrogates and NUL escaped as ``\udc80`` and ``\x00``."""
    if "\x00" in text:
        text = text.replace("\x00", "\\x00")
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def is_storable(text: str) -> bool:
    """Return whether SQLite can store ``text`` unchanged."""
    return "\x00" not in text and (text.isascii() or storable(text) == text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
