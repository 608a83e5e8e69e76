"""Metric values computed from finished cases.

The epochs of a sample are first reduced to their mean. So ``n`` counts samples, and repeating a sample does not give it
more weight.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.column import Column, read_column, sample_means
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.stats.intervals import score_interval
from pytest_llmeval.core.stats.means import mean

__all__ = ["Metric", "score_names", "summarise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric over many scores, with its interval and the counts behind it."""

    name: str
    suite: str
    model: str
    slice: str | None
    """None for the whole suite."""
    n: int
    """Number of samples with a value; for ``error_rate`` number of cases."""
    value: float | None
    """Mean over the samples; None if no sample has a value."""
    low: float | None
    """Lower end of the 95 % interval; None if it cannot be estimated."""
    high: float | None
    collected: int
    """Number of cases, including skipped ones and errors."""
    errors: int
    skipped: int


def score_names(cases: Iterable[JudgedCase]) -> list[str]:
    """Return the sorted names of all scores in ``cases``, with or without a value."""
    return sorted({name for case in cases for name in case.scores})


def summarise(cases: Iterable[JudgedCase]) -> tuple[Metric, ...]:
    """Return ``pass_rate`` and every score of each suite and model, for the whole suite and per slice.

    They are sorted by suite and model, with the whole suite before its slices and ``pass_rate`` before the scores.
    """
    groups = grouped(cases, lambda case: (case.suite, case.model))
    return tuple(metric for key in sorted(groups) for metric in _summarise_group(groups[key]))


def _summarise_group(cases: Sequence[JudgedCase]) -> Iterable[Metric]:
    columns = [read_column(name, cases) for name in ("pass_rate", *score_names(cases))]
    yield from (_metric(column, None, cases[0]) for column in columns)
    by_slice = [column.parts() for column in columns]
    for part in sorted(by_slice[0]):
        yield from (_metric(parts[part], part, cases[0]) for parts in by_slice)


def _metric(column: Column, part: str | None, any_case: JudgedCase) -> Metric:
    by_unit = column.grouped()
    samples = sample_means(by_unit)
    interval = score_interval(samples, clusters=column.clusters(by_unit))
    return Metric(
        name=column.metric,
        suite=any_case.suite,
        model=any_case.model,
        slice=part,
        n=len(samples),
        value=mean(samples),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        collected=len(column.readings),
        errors=column.errors,
        skipped=column.count("skipped"),
    )
