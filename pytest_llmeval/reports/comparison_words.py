"""Words and numbers of a comparison that the terminal and the Markdown report share."""

from pytest_llmeval.core.comparing import MeasureChange
from pytest_llmeval.core.gate.judging import SessionVerdict, Verdict
from pytest_llmeval.core.rules import MEASURED_METRICS, kind_of
from pytest_llmeval.core.text import counted, one_line
from pytest_llmeval.reports.comparison import Comparison
from pytest_llmeval.reports.exported import parsed_target, shown_target
from pytest_llmeval.reports.numbers import number, short, signed
from pytest_llmeval.reports.own_gate import gate_headline, worse_mark
from pytest_llmeval.reports.row_flips import Flip, RowText
from pytest_llmeval.reports.rule_words import MDE_MEANS, metric_name, reason_words

__all__ = [
    "LEGEND",
    "by_suite",
    "expected_text",
    "flip_texts",
    "has_legend",
    "is_worth_a_word",
    "measure_cells",
    "measure_name",
    "opening",
    "reason_of",
    "reason_titles",
    "row_name",
    "score_words",
    "verdict_cells",
]


LEGEND = f"p: how likely a loss this large is by chance if nothing changed, after Holm; {MDE_MEANS}"
"""Explanation of two columns of the table."""


def has_legend(comparison: Comparison) -> bool:
    """Return whether there is anything for the legend to explain."""
    return any(each.p_value is not None or each.mde is not None for each in comparison.changes)


def opening(comparison: Comparison) -> tuple[SessionVerdict, list[str]]:
    """Return the worse of the run's own verdict and the comparison's, and one or two lines, the worse known first.

    The change is part of what a run is held to: readers who see its red check must not be told that all is well. The
    lines are plain text; names in them are not escaped yet.
    """
    own, found = comparison.gate, _headline(comparison)
    first = gate_headline(own, comparison.verdict)
    if own is None or first is None:
        return comparison.verdict, [found]
    return worse_mark(own.mark, comparison.verdict), [first, f"compared with {one_line(comparison.base, 60)}: {found}"]


def _headline(comparison: Comparison) -> str:
    """Return the verdict and its grounds in one line of plain text; names in it are not escaped yet."""
    word = comparison.verdict.upper() if comparison.verdict != "none" else "NOT JUDGED"
    judged = [each for each in comparison.changes if each.verdict != "not_judged"]
    kinds = {
        "fail": [each for each in judged if each.verdict == "fail"],
        "unmeasurable": [each for each in judged if each.verdict == "unmeasurable" or each.is_open],
        "inconclusive": [each for each in judged if each.verdict == "inconclusive"],
    }
    found = kinds.get(comparison.verdict, [])
    if comparison.verdict == "unmeasurable" and comparison.why_no_base is not None:
        return f"{word}: too much of the base is missing: {comparison.why_no_base}"
    if found:
        first, more = found[0], f", and {len(found) - 1} more" if len(found) > 1 else ""
        return f"{word}: {_sentence(comparison, first)}{more}"
    if comparison.verdict == "pass":
        message = "nothing got worse beyond what chance explains or the rules allow"
        return f"{word}: {message}, in {counted(len(judged), 'comparison')}"
    if comparison.why_unpaired is None and comparison.changes:  # no rule applies to what is paired
        first = comparison.changes[0]
        return f"{word}: {first.suite} {metric_name(first)}: {first.reason}"
    return f"{word}: {comparison.why_unpaired}"


def _sentence(comparison: Comparison, verdict: Verdict) -> str:
    numbers = _numbers(verdict, comparison.chance(verdict))
    name = f"{verdict.suite} {metric_name(verdict)}"
    if verdict.verdict == "unmeasurable" or verdict.is_open:
        return f"{name}: {verdict.reason}"
    if verdict.verdict == "inconclusive":
        return f"{name} looks worse ({numbers}), but is not proven"
    if kind_of(verdict.rule) == "noninferior":
        return f"{name}: a loss beyond its margin is not ruled out ({numbers})"
    return f"{name} got worse ({numbers})"


def _numbers(verdict: Verdict, chance: str | None) -> str:
    p_value = f", p {chance}" if chance is not None else ""
    return f"{_known(verdict.baseline_value)} to {_known(verdict.value)}{p_value}"


def reason_of(verdict: Verdict) -> str | None:
    """Return why a rule does not simply pass, to show beneath its row; None if there is nothing to say."""
    return reason_words(verdict) if verdict.reason and is_worth_a_word(verdict) else None


def is_worth_a_word(verdict: Verdict) -> bool:
    """Return whether a verdict's reason is shown: for a pass only if a suite lost more than its rule could detect."""
    rises = kind_of(verdict.rule) == "max_rise" or verdict.metric in (*MEASURED_METRICS, "error_rate")
    loss = (verdict.delta or 0.0) * (1 if rises else -1)
    return verdict.verdict != "pass" or (verdict.slice is None and verdict.mde is None and loss > 0)


def verdict_cells(comparison: Comparison, verdict: Verdict) -> list[str]:
    """Return the table cells of a change: rows paired, base, current, change, p after Holm, MDE, verdict."""
    return [
        str(verdict.n),
        _known(verdict.baseline_value),
        _known(verdict.value),
        _change_cell(verdict.delta, verdict.low, verdict.high),
        comparison.chance(verdict) or "",
        "" if verdict.mde is None else f"{verdict.mde:.2g}",
        verdict.verdict.replace("_", " "),
    ]


def measure_name(change: MeasureChange) -> str:
    """Return the name of a measure of the calls for a table; for the cost it says that it is the total."""
    return "cost_usd total" if change.measure == "cost_usd" else change.measure


def measure_cells(change: MeasureChange) -> list[str]:
    """Return the table cells of a measure of the calls: rows, base, current, change."""
    delta = change.after - change.before
    return [
        str(change.n),
        number(change.before),
        number(change.after),
        _change_cell(delta, change.low, change.high),
    ]


def _change_cell(delta: float | None, low: float | None, high: float | None) -> str:
    """Return a change with its 90 % interval, as far as they are known."""
    if delta is None:
        return ""
    if low is None or high is None:
        return signed(delta)
    size = max(abs(delta), abs(low), abs(high))
    return f"{signed(delta, size)} ({signed(low, size)}..{signed(high, size)})"


def _known(value: float | None) -> str:
    return "" if value is None else number(value)


def row_name(flip: Flip) -> str:
    """Return the name of the row that flipped, with its slices."""
    slices = f" [{', '.join(one_line(part, 30) for part in flip.slices)}]" if flip.slices else ""
    return f"{one_line(flip.suite, 60)} {one_line(flip.sample_id, 60)}{slices}"


def score_words(flip: Flip) -> str:
    """Return how the scores of a row changed, or its outcome if it has no scores."""
    scores = [score for score in flip.scores if score.name != "pass_rate"] or list(flip.scores)
    return ", ".join(f"{one_line(score.name, 60)} {_plain(score.before)} to {_plain(score.after)}" for score in scores)


def flip_texts(flip: Flip) -> dict[str, str]:
    """Return the prompt of a row and both answers, as far as they are known; untrusted text, unchanged.

    If both answers are the same but their scores differ, the reason is included.
    """
    fields = {
        "asked": flip.after.prompt or flip.before.prompt,
        "expected": expected_text(flip.after.expected or flip.before.expected),
        f"before{_epoch(flip.before)}": _said(flip.before),
        f"now{_epoch(flip.after)}": _said(flip.after),
    }
    if flip.before.answer is not None and flip.before.answer == flip.after.answer:
        fields["why"] = flip.after.said or flip.before.said
    return {title: text for title, text in fields.items() if text is not None}


def reason_titles(flip: Flip) -> frozenset[str]:
    """Return the titles of ``flip_texts`` whose text is a reason, with separate lines, rather than something said."""
    sides = {f"before{_epoch(flip.before)}": flip.before, f"now{_epoch(flip.after)}": flip.after}
    return frozenset({"why", *(title for title, text in sides.items() if text.answer is None)})


def expected_text(target: str | None) -> str | None:
    """Return a target for display; a text appears without its quotation marks."""
    if target is None:
        return None
    value = parsed_target(target)
    return value if isinstance(value, str) else shown_target(target)


def _said(text: RowText) -> str | None:
    if text.answer is not None or not text.outcome:
        return text.answer
    return f"({text.outcome}) {text.said or ''}".rstrip()


def _epoch(text: RowText) -> str:
    return f" (epoch {text.epoch})" if text.epoch > 1 else ""


def _plain(value: float | None) -> str:
    return "none" if value is None else short(value)


def by_suite(comparison: Comparison) -> dict[tuple[str, str], tuple[list[Verdict], list[MeasureChange]]]:
    """Return the change rules that have numbers, and the measures of the calls, by suite and model."""
    found: dict[tuple[str, str], tuple[list[Verdict], list[MeasureChange]]] = {}
    for change in comparison.changes:
        if change.verdict != "not_judged" or change.is_reported:
            found.setdefault((change.suite, change.model or ""), ([], []))[0].append(change)
    for measure in comparison.measures:
        found.setdefault((measure.suite, measure.model), ([], []))[1].append(measure)
    return found
