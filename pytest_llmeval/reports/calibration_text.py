"""How a judge agrees with people, as plain text."""

from collections.abc import Iterator, Sequence

from pytest_llmeval.core.judge.calibration import Calibration, Drawn
from pytest_llmeval.core.stats.agreement import Rate
from pytest_llmeval.core.stats.intervals import Interval
from pytest_llmeval.core.stats.kappa import Kappa
from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.table import Column, table_lines
from pytest_llmeval.reports.wrapping import wrapped

__all__ = ["calibration_lines"]

_INDENT = "  "
_COLUMNS: tuple[Column, ...] = (("measure", "fixed"), ("n", "right"), ("value", "right"), ("95% interval", "right"))
_DRAWN = {
    "random": "taken as labelled with the same chance each, as `llmeval labels export` draws them; "
    "--drawn verdict says otherwise",
    "verdict": "taken as drawn by the verdict of each score",
}
_Row = tuple[str, int, float | None, Interval | None, str | None]


def calibration_lines(results: Sequence[Calibration], *, run: str, raters: int, drawn: Drawn, width: int) -> list[str]:
    """Return the lines that show how a judge agrees with people.

    Args:
        results: of each score, and of each slice of it.
        run: whose judge it is.
        raters: how many people there are.
        drawn: how the labelled answers were chosen, as it was said.
        width: the most characters of a line.
    """
    people = "1 rater" if raters == 1 else f"{raters} raters"
    lines = list(wrapped(f"the judge of run {run} against {people}; answers {_DRAWN[drawn]}", width))
    if not results:
        lines += ["", *wrapped("no judged answer is labelled: the labels are of answers without a verdict", width)]
    for found in results:
        lines += ["", *_score_lines(found, width)]
    return lines


def _score_lines(found: Calibration, width: int) -> Iterator[str]:
    name = one_line(found.name) + (f" [{one_line(found.slice)}]" if found.slice is not None else "")
    told = f"{one_line(found.suite)} {name}: {found.n:,} of {found.judged:,} judged answers labelled"
    yield from wrapped(f"{told}; {found.pass_mark:g} or more passes", width)
    if found.confusion is not None and found.n:
        yield from _confusion_lines(found, width)
    rows = list(_rows(found))
    cells = [
        [measure, f"{n:,}", f"{value:.3f}", _interval(interval)]
        for measure, n, value, interval, _ in rows
        if value is not None
    ]
    yield from table_lines(_COLUMNS, cells, width=width, indent=_INDENT)
    missing: dict[str, list[str]] = {}
    for measure, _, _, _, reason in rows:
        if reason is not None:
            missing.setdefault(reason, []).append(measure)
    notes = [f"{', '.join(measures)}: {reason}" for reason, measures in missing.items()]
    if not found.is_like_run:
        notes.append(
            "the judge passes the labelled answers more or less often than all of them, beyond chance: if they were"
            " drawn by the verdict, --drawn verdict says so"
        )
    for note in notes:
        yield from wrapped(note, width, indent=_INDENT)


def _confusion_lines(found: Calibration, width: int) -> list[str]:
    table = found.confusion
    counts = table.counts if table is not None else ()
    levels = [one_line(level, 20) for level in found.levels]
    columns: list[Column] = [("people \\ judge", "left"), *((level, "right") for level in levels)]
    rows = [[level, *map(str, row)] for level, row in zip(levels, counts, strict=True)]
    return [*table_lines(columns, rows, width=width, indent=_INDENT), ""]


def _rows(found: Calibration) -> Iterator[_Row]:
    """Yield each measure: its name, of how many answers, its value and interval, and why one of them is missing."""
    for name in ("accuracy", "sensitivity", "specificity", "prevalence"):
        yield _measured(name, getattr(found.rates, name), found.reasons.get(name))
    weights = f" ({found.kappa_weights})" if found.kappa_weights else ""
    yield _measured(f"kappa{weights}", found.kappa, found.reasons.get("kappa"))
    yield _measured("judge passes", found.raw_rate)
    corrected = found.corrected_rate
    yield "people would pass", found.n, corrected.estimate, corrected.interval, corrected.reason
    if len(found.levels) > 2:
        mean = found.corrected_mean
        yield "judge's mean", found.judged, found.raw_mean, None, None
        yield "people's mean", found.n, mean.estimate, mean.interval, mean.reason
    for name, rate in (("flips", found.flips), ("raters agree", found.raters)):
        if rate is not None:
            yield _measured(name, rate)


def _measured(name: str, found: Rate | Kappa | None, reason: str | None = None) -> _Row:
    if found is None:
        return name, 0, None, None, reason
    return name, found.n, found.value, found.interval, reason


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.low:.3f}..{interval.high:.3f}"
