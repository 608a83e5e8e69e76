"""A comparison as Markdown for a pull request: the verdict first, tables, then the rows that flipped, folded."""

from collections.abc import Iterator

from pytest_llmeval.core.text import printable
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
from pytest_llmeval.reports.markdown import LONGEST, MARKS, escaped, fenced, fitted, inline, table

__all__ = ["comparison_markdown", "flip_markdown"]


def comparison_markdown(comparison: Comparison, *, longest: int = LONGEST) -> str:
    """Return the comparison as GitHub-flavoured Markdown of at most ``longest`` bytes.

    Rows that flipped are left out from the last one on where they find no room, and the end says how many.
    """
    head = [f"### {MARKS[comparison.verdict]} llmeval: {escaped(headline(comparison))}", *_about(comparison)]
    tables = [block for block in _tables(comparison) if block]
    tail = [f"- {escaped(note)}" for note in comparison.notes]
    legend = [f"*{LEGEND}*"] if has_legend(comparison) else []
    blocks = [*head, *tables, *legend, *(["\n".join(tail)] if tail else [])]
    text, left = fitted(blocks, longest)
    if left:
        return f"{text}\n\n*{left} tables found no room here; `llmeval compare` in a terminal shows them.*\n"
    return _with_flips(text, comparison, longest)


def _with_flips(text: str, comparison: Comparison, longest: int) -> str:
    flipped = comparison.worse + comparison.better
    title = f"Rows that flipped: {comparison.worse} for the worse, {comparison.better} for the better"
    if not comparison.flips:
        return f"{text}\n\n{title}.\n"
    before, after = f"{text}\n\n<details><summary>{title}</summary>\n", "\n</details>\n"
    room = longest - len((before + after).encode())
    body, left = fitted([flip_markdown(flip) for flip in comparison.flips], room)
    left = max(flipped - len(comparison.flips), 0) + left
    more = f"\n\n*{left} more rows changed; `llmeval compare --json` has them.*\n" if left else "\n"
    return f"{before}\n{body}{more}{after}"


def _about(comparison: Comparison) -> Iterator[str]:
    sides = (("base", comparison.base, comparison.base_id), ("now", comparison.current, comparison.current_id))
    told = [
        f"{word}: run {escaped(run_id)}" if name == run_id else f"{word}: {escaped(name)} (run {escaped(run_id)})"
        for word, name, run_id in sides
    ]
    yield " · ".join(told)
    if comparison.set_up:
        yield f"Differs in: {'; '.join(map(escaped, comparison.set_up))}"


def _tables(comparison: Comparison) -> Iterator[str]:
    for (suite, model), changes in by_suite(comparison.changes).items():
        measures = [each for each in comparison.measures if (each.suite, each.model) == (suite, model)]
        yield f"**{escaped(suite)}** on {escaped(model)}"
        titles = ("metric", "n", "base", "now", "change (90 %)", "p", "MDE", "verdict")
        yield table(titles, ([metric_name(each), *verdict_cells(each)] for each in changes))
        reasons = [
            f"- {escaped(f'{each.verdict}: {metric_name(each)} {each.rule}: {each.reason}')}"
            for each in changes
            if each.verdict != "pass" and each.reason
        ]
        yield "\n".join(reasons)
        yield table(
            ("measure", "n", "base", "now", "change (90 %)"),
            ([each.measure, *measure_cells(each)] for each in measures),
        )


def flip_markdown(flip: Flip) -> str:
    """Return a row that flipped: short texts side by side on a line, long ones in blocks, in their order."""
    blocks = [f"**{flip.direction}** {escaped(row_name(flip))}: {escaped(score_words(flip))}"]
    line: list[str] = []
    for name, text in row_texts(flip).items():
        short = inline(printable(text))
        if short is not None:
            line.append(f"{name}: {short}")
            continue
        blocks += [" · ".join(line)] if line else []
        blocks += [f"{name}:", fenced(text)]
        line = []
    return "\n\n".join([*blocks, *([" · ".join(line)] if line else [])])
