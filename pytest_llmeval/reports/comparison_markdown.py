"""A comparison as Markdown for a pull request: the verdict first, tables, then the rows that flipped, folded.

What a model wrote stands only in code blocks, names in tables are escaped, and the whole fits where it is posted:
GitHub takes 65,536 characters of a comment (https://docs.github.com/en/rest/issues/comments) and 1 MiB of a step
summary.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from pytest_llmeval.core.text import one_line, printable
from pytest_llmeval.reports.comparison import Comparison, Flip
from pytest_llmeval.reports.comparison_words import (
    LEGEND,
    by_suite,
    has_legend,
    headline,
    measure_cells,
    metric_name,
    row_name,
    row_texts,
    score_words,
    verdict_cells,
)

__all__ = ["LONGEST", "comparison_markdown"]

LONGEST = 65_536
"""Bytes of UTF-8 that the text has at most."""
_ROOM = 400
"""Bytes kept for what is said of blocks that found no room."""
_LONGEST_TEXT = 2_000
"""Characters of a prompt or an answer."""
_SHORT = 60
"""Characters up to which it finds room in a line."""
_MARKS = {"fail": "❌", "pass": "✅", "inconclusive": "❔", "unmeasurable": "⚠️", "none": "➖"}
_SPECIAL = re.compile(r"([\\`*_\[\]#|~<>&$]|^[-+=]|(?<=\d)[.)](?=\s))")
"""What is markup anywhere, or at the start of a line."""
_FENCE = re.compile(r"`{3,}")
_JOINER = "\u2060"
"""A word joiner: not seen, and what it divides is no mention, no reference and no address."""
_LINKING = re.compile(r"(?<=\w)(?=://)|(?<=[@#])(?=\w)|(?<=www)(?=\.)|(?<=GH)(?=\\-\d)")


def comparison_markdown(comparison: Comparison, *, longest: int = LONGEST) -> str:
    """Return the comparison as GitHub-flavoured Markdown of at most ``longest`` bytes.

    Rows that flipped are left out from the last one on where they find no room, and the end says how many.
    """
    head = [f"### {_MARKS[comparison.verdict]} llmeval: {_escaped(headline(comparison))}", *_about(comparison)]
    tables = [block for block in _tables(comparison) if block]
    tail = [f"- {_escaped(note)}" for note in comparison.notes]
    legend = [f"*{LEGEND}*"] if has_legend(comparison) else []
    blocks = [*head, *tables, *legend, *(["\n".join(tail)] if tail else [])]
    text, left = _fitted(blocks, longest)
    if left:
        return f"{text}\n\n*{left} tables found no room here; `llmeval compare` in a terminal shows them.*\n"
    return _with_flips(text, comparison, longest)


def _fitted(blocks: Sequence[str], longest: int) -> tuple[str, int]:
    """Return the first blocks that fit, and how many do not."""
    kept: list[str] = []
    size = 0
    for block in blocks:
        size += len(block.encode()) + 2
        if size > longest - _ROOM:
            break
        kept.append(block)
    return "\n\n".join(kept), len(blocks) - len(kept)


def _with_flips(text: str, comparison: Comparison, longest: int) -> str:
    flipped = comparison.worse + comparison.better
    title = f"Rows that flipped: {comparison.worse} for the worse, {comparison.better} for the better"
    if not comparison.flips:
        return f"{text}\n\n{title}.\n"
    before, after = f"{text}\n\n<details><summary>{title}</summary>\n", "\n</details>\n"
    room = longest - len((before + after).encode())
    body, left = _fitted([_flip(flip) for flip in comparison.flips], room)
    left = max(flipped - len(comparison.flips), 0) + left
    more = f"\n\n*{left} more rows changed; `llmeval compare --json` has them.*\n" if left else "\n"
    return f"{before}\n{body}{more}{after}"


def _about(comparison: Comparison) -> Iterator[str]:
    sides = (("base", comparison.base, comparison.base_id), ("now", comparison.current, comparison.current_id))
    told = [
        f"{word}: run {_escaped(run_id)}" if name == run_id else f"{word}: {_escaped(name)} (run {_escaped(run_id)})"
        for word, name, run_id in sides
    ]
    yield " · ".join(told)
    if comparison.set_up:
        yield f"Differs in: {'; '.join(map(_escaped, comparison.set_up))}"


def _tables(comparison: Comparison) -> Iterator[str]:
    for (suite, model), changes in by_suite(comparison.changes).items():
        measures = [each for each in comparison.measures if (each.suite, each.model) == (suite, model)]
        yield f"**{_escaped(suite)}** on {_escaped(model)}"
        titles = ("metric", "n", "base", "now", "change (90 %)", "p", "MDE", "verdict")
        yield _table(titles, ([metric_name(each), *verdict_cells(each)] for each in changes))
        reasons = [
            f"- {_escaped(f'{each.verdict}: {metric_name(each)} {each.rule}: {each.reason}')}"
            for each in changes
            if each.verdict != "pass" and each.reason
        ]
        yield "\n".join(reasons)
        yield _table(
            ("measure", "n", "base", "now", "change (90 %)"),
            ([each.measure, *measure_cells(each)] for each in measures),
        )


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    sides = ("---" if title in ("metric", "measure", "verdict") else "---:" for title in titles)
    lines = [titles, [*sides], *([_escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _flip(flip: Flip) -> str:
    """Return a row that flipped: short texts side by side on a line, long ones in blocks, in their order."""
    blocks = [f"**{flip.direction}** {_escaped(row_name(flip))}: {_escaped(score_words(flip))}"]
    line: list[str] = []
    for name, text in row_texts(flip).items():
        short = _inline(printable(text))
        if short is not None:
            line.append(f"{name}: {short}")
            continue
        blocks += [" · ".join(line)] if line else []
        blocks += [f"{name}:", _fenced(text)]
        line = []
    return "\n\n".join([*blocks, *([" · ".join(line)] if line else [])])


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


def _escaped(text: str) -> str:
    """Return a text for the running text or a cell: one line, and nothing in it is markup, a mention or a link."""
    return _LINKING.sub(_JOINER, _SPECIAL.sub(r"\\\1", one_line(text, 1_000)))
