"""Differences between the judges of two runs other than their models: the rubric, and how they are asked by it."""

from collections.abc import Iterable, Iterator, Mapping
from json import loads
from typing import Any

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.judge.recorded import stored_rubric
from pytest_llmeval.core.judge.rubric import Dimension, Rubric
from pytest_llmeval.core.text import and_more, one_line
from pytest_llmeval.core.types import JudgeRecord

__all__ = ["judge_changes"]

_MOST = 4
"""Largest number of changed parts of a rubric that are named."""


def judge_changes(
    before: Iterable[JudgedCase],
    current: Iterable[JudgedCase],
    judges_before: Iterable[JudgeRecord],
    judges: Iterable[JudgeRecord],
) -> list[str]:
    """Return the differences in the rubrics of the scores that both runs have, one line for each.

    A score made by several judges within one run is left out; its rules report that problem.

    Args:
        before: the cases of the base.
        current: the cases of the current run.
        judges_before: the records behind the judge ids of ``before``.
        judges: the records behind the judge ids of ``current``.
    """
    old, new = ({each.judge_id: each for each in records} for records in (judges_before, judges))
    made_before, made = _judges_of(before), _judges_of(current)
    pairs = {
        (was, now)
        for score in made.keys() & made_before.keys()
        for was in made_before[score]
        for now in made[score]
        if len(made_before[score]) == len(made[score]) == 1 and was != now
    }
    lines = {line for was, now in pairs if was in old and now in new for line in _changes(old[was], new[now])}
    return sorted(lines)


def _judges_of(cases: Iterable[JudgedCase]) -> dict[tuple[str, str], set[str]]:
    """Return the judges of each suite and score that has any."""
    made = ((case.suite, name, judge) for case in cases for name, judge in case.judge_ids.items() if judge is not None)
    return {
        score: {judge for _, _, judge in found}
        for score, found in grouped(made, lambda each: (each[0], each[1])).items()
    }


def _changes(before: JudgeRecord, now: JudgeRecord) -> Iterator[str]:
    """Yield the changes of one judge in words; its model and parameters are reported for the run as a whole."""
    old, new = loads(before.detail), loads(now.detail)
    rubric, name = list(_rubric_changes(stored_rubric(before), stored_rubric(now))), one_line(now.rubric, 60)
    if before.rubric != now.rubric:
        yield f"rubric {one_line(before.rubric, 60)}, now {name}"
    elif rubric:
        yield f"rubric {name}: {and_more(rubric, _MOST)}"
    asked = sorted(key for key in {*old["how"], *new["how"]} if old["how"].get(key) != new["how"].get(key))
    if asked:
        yield f"how judges are asked by rubric {name}: {', '.join(map(one_line, asked))}"
    if old == new:
        yield f"rubric {name}: what pytest-llmeval itself tells a judge (another version of it made the base)"


def _rubric_changes(before: Rubric, now: Rubric) -> Iterator[str]:
    if before.version != now.version:
        yield f"version ({before.version}, now {now.version})"
    yield from (what for what in ("task", "needs_reference") if getattr(before, what) != getattr(now, what))
    old, new = ({each.name: each for each in rubric.dimensions} for rubric in (before, now))
    for name in {**old, **new}:
        shown = one_line(name, 40)
        if name not in new:
            yield f"{shown} (only in the base)"
        elif name not in old:
            yield f"{shown} (only in the current run)"
        elif parts := _dimension_changes(old[name], new[name]):
            yield f"{', '.join(parts)} of {shown}"


def _dimension_changes(before: Dimension, now: Dimension) -> list[str]:
    old: Mapping[str, Any] = {name: getattr(before, name) for name in ("question", "levels", "weight", "gates")}
    parts = [name for name, was in old.items() if was != getattr(now, name)]
    return [*parts, *(["pass_mark"] if before.pass_mark != now.pass_mark else [])]
