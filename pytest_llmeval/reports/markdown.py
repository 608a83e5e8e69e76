"""GitHub-flavoured Markdown in which untrusted text cannot act as markup.

Text from a model appears only in code; names in running text and tables are escaped. The result fits where it is
posted: GitHub accepts 65,536 characters in a comment (https://docs.github.com/en/rest/issues/comments) and 1 MiB in a
step summary.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from pytest_llmeval.core.text import one_line, printable

__all__ = ["LONGEST", "MARKS", "escaped", "fitted", "folded", "table", "titled_texts"]

LONGEST = 65_536
"""Largest size of a text, in bytes of UTF-8."""
MARKS = {"fail": "❌", "pass": "✅", "inconclusive": "❔", "unmeasurable": "⚠️", "none": "➖"}
"""Emoji by verdict."""
_ROOM = 400
"""Number of bytes reserved for the note on blocks that were left out."""
_LONGEST_TEXT = 2_000
"""Largest number of characters of a prompt or an answer."""
_SHORT = 60
"""Largest number of characters of a text shown within a line instead of in a block."""
_SPECIAL = re.compile(r"([\\`*_\[\]#|~<>&$]|^[-+=]|(?<=\d)[.)](?=\s))")
"""Characters that are markup anywhere, or at the start of a line."""
_FENCE = re.compile(r"`{3,}")
_JOINER = "\u2060"
"""A word joiner: invisible, and it keeps the text around it from being a mention, a reference or a URL."""
_LINKING = re.compile(r"(?<=\w)(?=://)|(?<=[@#])(?=\w)|(?<=www)(?=\.)|(?<=[Gg][Hh])(?=-\d)")
_LEFT = ("metric", "measure", "verdict", "rule", "model")
"""Titles of columns that contain words and are aligned to the left."""


def escaped(text: str, limit: int = 1_000) -> str:
    """Return a text for running text or a table cell: on one line, with nothing that acts as markup, mention or link.

    Args:
        text: any text.
        limit: the largest number of characters kept.
    """
    return _LINKING.sub(_JOINER, _SPECIAL.sub(r"\\\1", one_line(text, limit)))


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells may be any text."""
    sides = ("---" if title in _LEFT else "---:" for title in titles)
    lines = [titles, [*sides], *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def titled_texts(title: str, texts: Mapping[str, str]) -> str:
    """Return untrusted texts, by name, under a title: short ones side by side on a line, long ones in code blocks."""
    blocks = [title]
    line: list[str] = []
    for name, text in texts.items():
        short = _inline(printable(text))
        if short is not None:
            line.append(f"{name}: {short}")
            continue
        blocks += [" · ".join(line)] if line else []
        blocks += [f"{name}:", _fenced(text)]
        line = []
    return "\n\n".join([*blocks, *([" · ".join(line)] if line else [])])


def folded(title: str, blocks: Sequence[str], longest: int, *, hidden: int, more: str) -> str:
    """Return a foldable section with as many of the blocks as fit.

    Args:
        title: plain, trusted text.
        blocks: Markdown.
        longest: the largest size of the section, in bytes.
        hidden: the number of further blocks, beside ``blocks``.
        more: the note on those that are not shown, with ``{}`` for their number.
    """
    before, after = f"<details><summary>{title}</summary>\n", "\n</details>"
    body, left = fitted(blocks, longest - len((before + after).encode()))
    rest = f"\n\n*{more.format(left + hidden)}*\n" if left + hidden else "\n"
    return f"{before}\n{body}{rest}{after}"


def _inline(shown: str) -> str | None:
    """Return a short printable text as inline code; None if it needs a block."""
    if len(shown) > _SHORT or shown != shown.strip() or not shown or {"\n", "`"} & {*shown}:
        return None
    return f"`{shown}`"


def _fenced(text: str) -> str:
    """Return untrusted text in a code block that nothing in the text can close."""
    shown = printable(text)
    if len(shown) > _LONGEST_TEXT:
        shown = f"{shown[:_LONGEST_TEXT]}\n... {len(shown) - _LONGEST_TEXT} characters more"
    longest = max((len(run) for run in _FENCE.findall(shown)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}text\n{shown}\n{fence}"


def fitted(blocks: Sequence[str], longest: int) -> tuple[str, int]:
    """Return the first blocks that fit into ``longest`` bytes with room for a note, and the number left out."""
    kept: list[str] = []
    size = 0
    for block in blocks:
        size += len(block.encode()) + 2
        if size > longest - _ROOM:
            break
        kept.append(block)
    return "\n\n".join(kept), len(blocks) - len(kept)
