"""Plain text of a calibration: how far a judge agrees with people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.judge.calibration import ALL, Calibration
from pytest_llmeval.core.judge.label_sample import MIXED, RANDOM
from pytest_llmeval.core.judge.voting import Voting
from pytest_llmeval.core.stats.agreement import Rate
from pytest_llmeval.core.stats.intervals import Interval
from pytest_llmeval.core.stats.kappa import Kappa
from pytest_llmeval.core.text import counted, one_line
from pytest_llmeval.reports.table import Column, table_lines
from pytest_llmeval.reports.text_width import wrapped

__all__ = ["CalibrationSides", "calibration_lines"]

_INDENT = "  "
_COLUMNS: tuple[Column, ...] = (("measure", "fixed"), ("n", "right"), ("value", "right"), ("95% interval", "right"))
_DRAWN = {
    ALL: "every judged answer is labelled",
    RANDOM: "labelled answers were drawn with the same chance each, so that they stand for all of their run",
    MIXED: "labelled answers were drawn by the verdicts of several scores, which cannot be pooled; --drawn random or"
    " --drawn SCORE takes all of them as drawn in one way",
}
_UNKNOWN = "labelled answers are taken as drawn with the same chance each, "
_OR_SAID = "; --drawn SCORE says that they were drawn by a verdict"
_Row = tuple[str, int, float | None, Interval | None, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSides:
    """The two sides of a calibration: which judges and raters, on which run."""

    run: str
    """Run whose answers people labelled."""
    of: str | None
    """Another run whose rates are corrected with the labels; None to correct those of ``run``."""
    judges: tuple[str, ...]
    """Names of the judge models."""
    raters: int
    """Number of raters that labels name."""
    unjudged: int
    """Number of answers without a valid verdict in the run whose rates are shown."""
    split: int
    """Number of unjudged answers on which a panel was evenly split, so that its votes are known."""
    settled: int
    """Number of its answers that a check in code settled, so that no judge saw them."""


def calibration_lines(results: Sequence[Calibration], sides: CalibrationSides, *, width: int, tables: int) -> list[str]:
    """Return the lines that show how far a judge agrees with people.

    Args:
        results: one for each score, for its models and for its slices.
        sides: the two sides of the calibration.
        width: the largest number of characters in a line.
        tables: the largest number of characters in a table's line.
    """
    lines = [line for told in _head(results, sides) for line in wrapped(told, width)]
    if not results:
        lines += ["", *wrapped("no judged answer is labelled: the labels are of answers without a verdict", width)]
    for found in results:
        lines += ["", *_score_lines(found, width, tables)]
    return lines


def _head(results: Sequence[Calibration], sides: CalibrationSides) -> Iterator[str]:
    """Yield the lines that apply to all scores."""
    people = {0: "labels that name no rater", 1: "1 rater"}.get(sides.raters, f"{sides.raters} raters")
    named = f"judge {', '.join(map(one_line, sides.judges))}" if sides.judges else "the judge"
    yield f"{named} against {people}, on answers of run {sides.run}"
    labelled = [found for found in results if found.n]
    for draw in dict.fromkeys((found.drawn, found.is_draw_known) for found in labelled):
        most = max((each for each in labelled if (each.drawn, each.is_draw_known) == draw), key=lambda each: each.n)
        yield _draw(most)
    if sides.of is not None:
        yield f"judge passes, people would pass: of run {sides.of}, by how often the judge is right on labelled ones"
    elif any(found.drawn not in (ALL, MIXED) for found in labelled):
        yield "people would pass: each verdict's labels, weighed by its share of the run"
    if sides.unjudged:
        votes = f"; on {sides.split:,} the panel was split evenly, whose votes count in what is told of each judge"
        yield (
            f"without a valid verdict of the judge: {counted(sides.unjudged, 'answer')}, left out, and in no rate"
            f"{votes if sides.split and sides.of is None else ''}"
        )
    if sides.settled:
        yield f"settled by a check in code: {counted(sides.settled, 'answer')}, left out, since no judge saw them"


def _draw(found: Calibration) -> str:
    if found.drawn == RANDOM and not found.is_draw_known:
        is_none = found.undrawn == found.n
        why = (
            "since no draw was recorded" if is_none else f"though of {found.undrawn:,} of {found.n:,} none was recorded"
        )
        return f"{_UNKNOWN}{why}{_OR_SAID}"
    message = f"labelled answers were drawn by the {found.drawn}, so that they do not tell how often the judge is right"
    return _DRAWN.get(found.drawn, one_line(message))


def _score_lines(found: Calibration, width: int, tables: int) -> Iterator[str]:
    parts = [part for part in (found.model, found.slice) if part is not None]
    name = one_line(found.name) + "".join(f" [{one_line(part)}]" for part in parts)
    clustered = f" in {found.rows:,} clusters" if found.rows < found.n else ""
    judged = f"{found.n:,} of {found.judged:,} judged answers labelled{clustered}"
    if found.estimator == "separate labels":
        judged = f"{found.judged:,} judged answers, {found.n:,} others labelled{clustered}"
    mark = (
        "passes where the dimensions do that gate; labels follow from theirs"
        if found.is_whole
        else f"passes from {found.pass_mark:g} up"
    )
    yield from wrapped(f"{one_line(found.suite)} {name}: {judged}; {mark}", width)
    if found.n:
        yield from _confusion_lines(found, tables)
    rows = list(_rows(found))
    cells = [
        [measure, f"{n:,}", f"{value:.3f}", _interval(interval)]
        for measure, n, value, interval, _ in rows
        if value is not None
    ]
    yield from table_lines(_COLUMNS, cells, width=tables, indent=_INDENT)
    for note in _notes(found, rows):
        yield from wrapped(note, width, indent=_INDENT)


def _notes(found: Calibration, rows: Sequence[_Row]) -> Iterator[str]:
    missing: dict[str, list[str]] = {}
    for measure, _, _, _, reason in rows:
        if reason is not None:
            missing.setdefault(reason, []).append(measure)
    yield from (f"{', '.join(measures)}: {reason}" for reason, measures in missing.items())
    if "jurors" in found.reasons:
        yield f"accuracy and kappa of each judge: {found.reasons['jurors']}"
    if found.voting.effective_votes is not None:
        count = len(found.voting.jurors)
        yield f"the {count} judges count as {found.voting.effective_votes:.1f} that err independently"
    if not found.is_like_run:
        yield (
            "the judge passes the labelled answers more or less often than all of them, beyond chance: if they were"
            " drawn by the verdict, --drawn SCORE says so"
        )


def _confusion_lines(found: Calibration, width: int) -> list[str]:
    levels = [one_line(level, 20) for level in found.levels]
    columns: list[Column] = [("people \\ judge", "left"), *((level, "right") for level in levels)]
    rows = [[level, *map(str, row)] for level, row in zip(levels, found.confusion.counts, strict=True)]
    return [*table_lines(columns, rows, width=width, indent=_INDENT), ""]


def _rows(found: Calibration) -> Iterator[_Row]:
    """Yield each measure: its name, n, value, interval, and why value or interval is missing."""
    for name in ("accuracy", "sensitivity", "specificity", "prevalence"):
        yield _measured(name, getattr(found.rates, name), found.reasons.get(name))
    weights = f" ({found.kappa_weights})" if found.kappa_weights else ""
    yield _measured(f"kappa{weights}", found.kappa, found.reasons.get("kappa"))
    yield _measured("judge passes", found.raw_rate)
    corrected = found.corrected_rate
    yield "people would pass", found.n, corrected.estimate, corrected.interval, corrected.reason
    if len(found.levels) > 2 or found.is_whole:
        mean = found.corrected_mean
        yield "judge's mean", found.judged, found.raw_mean, None, None
        yield "people's mean", found.n, mean.estimate, mean.interval, mean.reason
    if found.raters is not None:
        yield _measured("raters agree", found.raters)
        yield _measured(f"raters kappa{weights}", found.raters_kappa, found.reasons.get("raters_kappa"))
    yield from _voted(found.voting)


def _voted(voting: Voting) -> Iterator[_Row]:
    """Yield the measures that need several verdicts on one answer."""
    if voting.flips is not None:
        yield _measured("flips", voting.flips)
    if voting.disagreement is not None:
        yield _measured("judges differ", voting.disagreement)
    for juror in voting.jurors:
        name = one_line(juror.judge, 24)
        for measure, rate in (("accuracy", juror.accuracy), ("kappa", juror.kappa), ("flips", juror.flips)):
            if rate is not None:
                yield _measured(f"{name} {measure}", rate)


def _measured(name: str, found: Rate | Kappa | None, reason: str | None = None) -> _Row:
    if found is None:
        return name, 0, None, None, reason
    return name, found.n, found.value, found.interval, reason


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.low:.3f}..{interval.high:.3f}"
