"""Untrusted text made harmless: what a model wrote must not steer a terminal, a CI log or a database."""

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

# C0 without tab and newline, DEL and C1, soft hyphen, zero-width and bidirectional controls, line separators, lone
# surrogates, what XML cannot hold, tags: what is not seen, or moves what is.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
# GitHub Actions reads "::name::" at the start of a line, blanks before it allowed, and "##[name]" anywhere:
# https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
# Azure Pipelines reads "##vso[name]" anywhere, TeamCity "##teamcity[name]":
# https://learn.microsoft.com/en-us/azure/devops/pipelines/scripts/logging-commands
# https://www.jetbrains.com/help/teamcity/service-messages.html
_COMMAND_START = re.compile(r"^([^\S\n]*)::", re.MULTILINE)
_AGENT_COMMAND = re.compile(r"##(?=\w*\[)")
_MOST_LINES = 20


def printable(text: str) -> str:
    """Return ``text`` with control characters as visible escapes and CI workflow commands broken.

    Newlines and tabs stay. A line that starts with ``::`` gets a backslash before it, ``##[`` and ``##vso[`` inside.
    """
    visible = _CONTROL.sub(_escape, text)
    if "::" in visible:
        visible = _COMMAND_START.sub(r"\1\\::", visible)
    return _AGENT_COMMAND.sub(r"##\\", visible) if "##" in visible else visible


def inert_json(text: str) -> str:
    """Return JSON in which a CI system finds none of its ``##[`` and ``##vso[`` commands, and that says the same."""
    return _AGENT_COMMAND.sub(r"#\\u0023", text) if "##" in text else text  # only a string can hold it


def and_more(items: Sequence[str], most: int) -> str:
    """Return the first ``most`` of ``items``, and how many more there are."""
    more = f" and {len(items) - most:,} more" if len(items) > most else ""
    return f"{', '.join(items[:most])}{more}"


def first_lines(lines: Sequence[str], *, word: str = "") -> str:
    """Return the first 20 lines, and a last one that says how many more there are, and of what."""
    more = [f"… and {len(lines) - _MOST_LINES:,} more {word}".rstrip()] if len(lines) > _MOST_LINES else []
    return "\n".join([*lines[:_MOST_LINES], *more])


def counted(number: int, word: str) -> str:
    """Return ``1 row`` or ``1,200 rows``, of a word whose plural takes an s."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def one_line(text: str, limit: int = 200) -> str:
    """Return ``text`` printable, on one line, at most ``limit`` characters long."""
    return shorten(printable(text).replace("\n", "\\n").replace("\t", " "), limit)


def shown_value(value: object) -> str:
    """Return a value as messages show it: on one line, and of a long one the beginning."""
    return one_line(repr(value), 60)


def shown_yaml(value: object) -> str:
    """Return a value of a YAML file as messages show it; of a mapping or a list they tell only that it is one."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    return shown_value(value)


def shell_words(words: Iterable[str]) -> str:
    """Return words as a shell takes them; nothing where they are too long to be copied, or not printable."""
    joined = shlex.join(words)
    return joined if one_line(joined) == joined else ""


def shorten(text: str, limit: int) -> str:
    """Return ``text`` cut to at most ``limit`` characters, with ``...`` where something is left out."""
    return text if len(text) <= limit else (text[: max(limit - 3, 0)] + "...")[: max(limit, 0)]


def storable(text: str) -> str:
    r"""Return ``text`` as SQLite can keep it: lone surrogates and NUL as ``\udc80`` and ``\x00``, all else as it is."""
    if "\x00" in text:
        text = text.replace("\x00", "\\x00")
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def is_storable(text: str) -> bool:
    """Return whether SQLite keeps ``text`` as it is."""
    return "\x00" not in text and (text.isascii() or storable(text) == text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
