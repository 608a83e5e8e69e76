"""Two runs of the same rows, prepared for swapping their answers row by row."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from pytest_llmeval.core.gate.case import JudgedCase, in_order
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.rules import Thresholds

__all__ = ["Twins", "split_epochs", "twins"]

_Sides = tuple[list[JudgedCase], list[JudgedCase]]
"""Cases of the older and of the newer run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """Two runs of the same rows, ready to be swapped."""

    units: Sequence[_Sides] = field(repr=False)
    """Rows, or clusters of rows, that are swapped as a whole."""
    rows: int
    """Number of rows that both runs have."""
    cases: int
    """Number of cases of both runs together."""
    uneven: int
    """Number of rows, by model, with more epochs in one run than in the other, so that swapping is not quite fair."""

    def mixed(self, draw: random.Random) -> tuple[list[JudgedCase], list[JudgedCase]]:
        """Return the cases of a baseline and a current run, with each unit swapped with probability 1/2."""
        before: list[JudgedCase] = []
        current: list[JudgedCase] = []
        for was, now in self.units:
            if draw.random() < 0.5:
                was, now = now, was
            before += was
            current += now
        return before, current

    def straight(self) -> tuple[list[JudgedCase], list[JudgedCase]]:
        """Return the cases of the two runs, not swapped."""
        return [case for was, _ in self.units for case in was], [case for _, now in self.units for case in now]


def twins(thresholds: Thresholds, before: Iterable[JudgedCase], current: Iterable[JudgedCase]) -> Twins:
    """Return the rows that two runs have in common, in the suites that have rules.

    As in the gate, rows are the same if suite, model, id and digest agree; if both runs have a single model in a suite,
    these two count as the same. All models of a row are swapped together, and so are the rows of a cluster.
    """
    old, new = (_by_row(in_order(cases), thresholds) for cases in (before, current))
    names = _names(old, new)
    units: dict[tuple[str, str], _Sides] = {}
    rows: set[tuple[str, str]] = set()
    uneven = 0
    for (suite, model, sample_id), cases in new.items():
        were = old.get((suite, names.get((suite, model), model), sample_id))
        if were is None or were[0].input_digest != cases[0].input_digest:
            continue
        cluster = cases[0].cluster
        key = (suite, f"#{sample_id}" if cluster is None else f"={cluster}")
        was, now = units.setdefault(key, ([], []))
        was += _like(were, cases[0])
        now += cases
        rows.add((suite, sample_id))
        uneven += len(were) != len(cases)
    sides = list(units.values())
    both = sum(len(was) + len(now) for was, now in sides)
    return Twins(units=sides, rows=len(rows), cases=both, uneven=uneven)


def split_epochs(cases: Iterable[JudgedCase]) -> tuple[list[JudgedCase], list[JudgedCase]]:
    """Return the first and the second half of each row's epochs as two runs; an odd last epoch is dropped."""
    rows = grouped(cases, lambda case: (case.suite, case.model, case.sample_id))
    halves: tuple[list[JudgedCase], list[JudgedCase]] = [], []
    for found in rows.values():
        found.sort(key=lambda case: case.epoch)
        half = len(found) // 2
        for side, part in zip(halves, (found[:half], found[half : 2 * half]), strict=True):
            side += [replace(case, epoch=number) for number, case in enumerate(part, 1)]
    return halves


_Rows = dict[tuple[str, str, str], list[JudgedCase]]


def _by_row(cases: Iterable[JudgedCase], thresholds: Thresholds) -> _Rows:
    held = (case for case in cases if case.suite in thresholds.suites)
    return grouped(held, lambda case: (case.suite, case.model, case.sample_id))


def _names(old: _Rows, new: _Rows) -> dict[tuple[str, str], str]:
    """Return the older run's model for each suite and model of the newer run, in suites with one model in each."""
    models: dict[str, tuple[set[str], set[str]]] = {}
    for place, rows in enumerate((old, new)):
        for suite, model, _ in rows:
            models.setdefault(suite, (set(), set()))[place].add(model)
    return {
        (suite, *news): next(iter(olds))  # type: ignore[misc]  # there is one of each
        for suite, (olds, news) in models.items()
        if len(olds) == len(news) == 1
    }


def _like(cases: Iterable[JudgedCase], other: JudgedCase) -> list[JudgedCase]:
    """Return ``cases`` with the model, slices and cluster of the same row in the other run."""
    return [replace(case, model=other.model, slices=other.slices, cluster=other.cluster) for case in cases]
