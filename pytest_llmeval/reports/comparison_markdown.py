"""A comparison as Markdown for a pull request: the verdict, tables, then the flipped rows in a foldable section."""

from collections.abc import Iterator, Sequence

from pytest_llmeval.core.left_out import partial_words
from pytest_llmeval.reports.comparison import Comparison
from pytest_llmeval.reports.comparison_words import (
    LEGEND,
    by_suite,
    flip_texts,
    has_legend,
    measure_cells,
    measure_name,
    opening,
    reason_of,
    row_name,
    score_words,
    verdict_cells,
)
from pytest_llmeval.reports.markdown import LONGEST, MARKS, escaped, fitted, folded, table, titled_texts
from pytest_llmeval.reports.own_gate import gate_lines
from pytest_llmeval.reports.row_flips import Flip, FlippedRows
from pytest_llmeval.reports.rule_words import ruled_name

__all__ = ["comparison_markdown", "flips_folded", "flips_title"]


def comparison_markdown(comparison: Comparison, *, longest: int = LONGEST) -> str:
    """Return the comparison as GitHub-flavoured Markdown of at most ``longest`` bytes.

    If there is not enough room, flipped rows are left out from the last one on, and the end says how many.
    """
    head = [*_opening(comparison), *_about(comparison)]
    tables = [block for block in _tables(comparison) if block]
    tail = [f"- {escaped(note)}" for note in comparison.notes]
    legend = [f"*{LEGEND}*"] if has_legend(comparison) else []
    blocks = [*head, *tables, *legend, *(["\n".join(tail)] if tail else [])]
    text, left = fitted(blocks, longest)
    if left:
        return f"{text}\n\n*{left} tables found no room here; `llmeval compare` in a terminal shows them.*\n"
    return _with_flips(text, comparison, longest)


def _with_flips(text: str, comparison: Comparison, longest: int) -> str:
    title = flips_title(comparison)
    if not comparison.flips:
        return f"{text}\n\n{title}.\n"
    return f"{text}\n\n{flips_folded(comparison, longest - len(text.encode()) - 3)}\n"


def flips_title(rows: Comparison | FlippedRows) -> str:
    """Return a title with the number of rows that flipped."""
    return f"Rows that flipped: {rows.worse} for the worse, {rows.better} for the better"


def flips_folded(rows: Comparison | FlippedRows, longest: int) -> str:
    """Return the flipped rows as a foldable section of at most ``longest`` bytes."""
    hidden = rows.worse + rows.better - sum(flip.by_outcome for flip in rows.flips)
    blocks = [_flip(flip) for flip in rows.flips]
    more = "{} more rows changed; `llmeval compare --json` has them."
    return folded(flips_title(rows), blocks, longest, hidden=hidden, more=more)


def _opening(comparison: Comparison) -> Iterator[str]:
    """Yield the headline, green only if both the run's own gate and the comparison are, and what else the two say."""
    mark, (first, *others) = opening(comparison)
    yield f"### {MARKS[mark]} llmeval: {escaped(first)}"
    if others:
        rules = gate_lines(comparison.gate)
        yield from ["\n".join(f"- {escaped(line)}" for line in rules)] if rules else []
        yield from (escaped(line) for line in others)


def _about(comparison: Comparison) -> Iterator[str]:
    base = _run(comparison.base, comparison.base_id, comparison.base_partial)
    now = _run(comparison.current, comparison.current_id, comparison.current_partial)
    yield f"base: {base} · now: {now}"
    if comparison.set_up:
        yield f"Differs in: {'; '.join(map(escaped, comparison.set_up))}"


def _run(name: str, run_id: str, partial: Sequence[str]) -> str:
    named = f"run {escaped(run_id)}" if name == run_id else f"{escaped(name)} (run {escaped(run_id)})"
    return f"{named}{escaped(partial_words(partial))}"


def _tables(comparison: Comparison) -> Iterator[str]:
    for (suite, model), (changes, measures) in by_suite(comparison).items():
        yield f"**{escaped(suite)}** on {escaped(model)}"
        if changes:
            titles = ("metric", "n", "base", "now", "change (90 %)", "p", "MDE", "verdict")
            yield table(titles, ([ruled_name(each), *verdict_cells(comparison, each)] for each in changes))
        reasons = [reason for each in changes if (reason := reason_of(each)) is not None]
        yield "\n".join(f"- {escaped(reason)}" for reason in reasons)
        if measures:
            yield table(
                ("measure", "n", "base", "now", "change (90 %)"),
                ([measure_name(each), *measure_cells(each)] for each in measures),
            )


def _flip(flip: Flip) -> str:
    return titled_texts(
        f"**{flip.direction}** {escaped(row_name(flip))}: {escaped(score_words(flip))}", flip_texts(flip)
    )
