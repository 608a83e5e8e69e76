"""A corrected rate or mean of rows that were run and labelled more than once is no surer for it."""

import random
from collections.abc import Iterator

import pytest

from pytest_llmeval.core.stats.agreement import confusion
from pytest_llmeval.core.stats.clusters import design_effect
from pytest_llmeval.core.stats.corrected import (
    Corrected,
    by_labels_of_run,
    by_prediction,
    by_separate_labels,
    stratified_parts,
)


def draws(seed: int, n: int) -> Iterator[tuple[list[bool], list[bool]]]:
    """Yield what people and a judge say of n cases, for judges of all kinds, some of them never wrong."""
    drawn = random.Random(seed)
    for _ in range(100):
        rate, right = drawn.choice((0.5, 0.9, 1.0)), drawn.choice((0.75, 0.9, 1.0))
        truth = [drawn.random() < rate for _ in range(n)]
        yield truth, [true == (drawn.random() < right) for true in truth]


def no_narrower(wide: Corrected, narrow: Corrected) -> bool:
    """Return whether ``wide`` has the estimate of ``narrow`` and an interval that is as wide."""
    assert (wide.estimate is None) == (narrow.estimate is None)
    if wide.estimate is None or narrow.estimate is None:
        return True
    assert wide.estimate == pytest.approx(narrow.estimate)
    assert wide.interval is not None and narrow.interval is not None
    return wide.interval.high - wide.interval.low >= narrow.interval.high - narrow.interval.low - 1e-9


def test_labels_of_the_run_say_no_more_where_each_row_is_there_twice() -> None:
    for truth, judged in draws(6, 60):
        labels: list[bool | None] = [true if at < 30 else None for at, true in enumerate(truth)]

        def corrected(times: int, judged: list[bool] = judged, labels: list[bool | None] = labels) -> Corrected:
            there = [(a, b) for a, b in zip(labels, judged, strict=True) if a is not None] * times
            effect = design_effect(stratified_parts(judged * times, labels * times), [*range(60)] * times)
            seen = confusion([a for a, _ in there], [b for _, b in there])
            return by_labels_of_run(sum(judged) * times, 60 * times, seen, effect=effect)

        assert no_narrower(corrected(2), corrected(1))


def test_the_parts_of_a_run_have_the_estimate_for_their_mean() -> None:
    for truth, judged in draws(7, 40):
        labels: list[bool | None] = [true if at % 2 else None for at, true in enumerate(truth)]
        there = [(a, b) for a, b in zip(labels, judged, strict=True) if a is not None]
        found = by_labels_of_run(sum(judged), 40, confusion([a for a, _ in there], [b for _, b in there]))
        if found.estimate is not None:
            assert sum(stratified_parts(judged, labels)) / 40 == pytest.approx(found.estimate)


def test_separate_labels_say_no_more_where_each_is_there_twice() -> None:
    """Of the run and of the labels alike."""
    for truth, judged in draws(8, 60):
        once = by_separate_labels(40, 60, confusion(truth, judged))
        twice = by_separate_labels(80, 120, confusion(truth * 2, judged * 2), effect=2, labels_effect=2)
        assert no_narrower(twice, once)


def test_predictions_say_no_more_where_each_row_is_there_twice() -> None:
    """Nor is a label that is there twice counted twice where an interval asks for 100."""
    drawn = random.Random(9)
    for _ in range(50):
        near, size = drawn.choice((0.5, 0.9, 1.0)), drawn.choice((100, 150))
        truth = [drawn.choice((0.0, 0.5, 1.0)) for _ in range(size)]
        labelled = [(true, true if drawn.random() < near else 0.5) for true in truth]
        rest = [drawn.choice((0.0, 0.5, 1.0)) for _ in range(150)]
        names = [*range(size)] * 2, [*range(size, size + 150)] * 2
        assert no_narrower(by_prediction(labelled * 2, rest * 2, clusters=names), by_prediction(labelled, rest))
    few = by_prediction(labelled[:60] * 2, rest, clusters=([*range(60)] * 2, range(200, 350)))
    assert few.reason == "an interval takes 100 labels, there are 120 in 60 clusters"
