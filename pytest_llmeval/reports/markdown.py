"""GitHub-flavoured Markdown in which untrusted text stays text.

What a model wrote stands only in code blocks, names in running text and tables are escaped, and the whole fits where it
is posted: GitHub takes 65,536 characters of a comment (https://docs.github.com/en/rest/issues/comments) and 1 MiB of a
step summary.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from pytest_llmeval.core.text import one_line, printable

__all__ = ["LONGEST", "MARKS", "escaped", "fitted", "folded", "table", "titled_texts"]

LONGEST = 65_536
"""Bytes of UTF-8 that a text has at most."""
MARKS = {"fail": "❌", "pass": "✅", "inconclusive": "❔", "unmeasurable": "⚠️", "none": "➖"}
"""By verdict."""
_ROOM = 400
"""Bytes kept for what is said of blocks that found no room."""
_LONGEST_TEXT = 2_000
"""Characters of a prompt or an answer."""
_SHORT = 60
"""Characters up to which it finds room in a line."""
_SPECIAL = re.compile(r"([\\`*_\[\]#|~<>&$]|^[-+=]|(?<=\d)[.)](?=\s))")
"""What is markup anywhere, or at the start of a line."""
_FENCE = re.compile(r"`{3,}")
_JOINER = "\u2060"
"""A word joiner: not seen, and what it divides is no mention, no reference and no address."""
_LINKING = re.compile(r"(?<=\w)(?=://)|(?<=[@#])(?=\w)|(?<=www)(?=\.)|(?<=[Gg][Hh])(?=-\d)")
_LEFT = ("metric", "measure", "verdict", "rule", "model")
"""Titles of columns that hold words."""


def escaped(text: str, limit: int = 1_000) -> str:
    """Return a text for the running text or a cell: one line, and nothing in it is markup, a mention or a link.

    Args:
        text: any text.
        limit: characters that are kept of it.
    """
    return _LINKING.sub(_JOINER, _SPECIAL.sub(r"\\\1", one_line(text, limit)))


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose cells are any texts."""
    sides = ("---" if title in _LEFT else "---:" for title in titles)
    lines = [titles, [*sides], *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def titled_texts(title: str, texts: Mapping[str, str]) -> str:
    """Return untrusted texts by name under a title: short ones side by side on a line, long ones in blocks."""
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
    """Return blocks that unfold under a title, as many as find room.

    Args:
        title: plain text of ours.
        blocks: Markdown.
        longest: bytes that the whole has at most.
        hidden: how many there are beside ``blocks``.
        more: what is said of those that are not shown, ``{}`` for their number.
    """
    before, after = f"<details><summary>{title}</summary>\n", "\n</details>"
    body, left = fitted(blocks, longest - len((before + after).encode()))
    rest = f"\n\n*{more.format(left + hidden)}*\n" if left + hidden else "\n"
    return f"{before}\n{body}{rest}{after}"


def _inline(shown: str) -> str | None:
    """Return a short printable text as code within a line; None for one that needs a block."""
    if len(shown) > _SHORT or shown != shown.strip() or not shown or {"\n", "`"} & {*shown}:
        return None
    return f"`{shown}`"


def _fenced(text: str) -> str:
    """Return untrusted text in a code block that nothing in it can end."""
    shown = printable(text)
    if len(shown) > _LONGEST_TEXT:
        shown = f"{shown[:_LONGEST_TEXT]}\n... {len(shown) - _LONGEST_TEXT} characters more"
    longest = max((len(run) for run in _FENCE.findall(shown)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}text\n{shown}\n{fence}"


def fitted(blocks: Sequence[str], longest: int) -> tuple[str, int]:
    """Return the first blocks that fit into ``longest`` bytes with a line to spare, and how many do not."""
    kept: list[str] = []
    size = 0
    for block in blocks:
        size += len(block.encode()) + 2
        if size > longest - _ROOM:
            break
        kept.append(block)
    return "\n\n".join(kept), len(blocks) - len(kept)
