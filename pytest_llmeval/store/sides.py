"""The two sides of a comparison: whole runs, or one suite of each, so that two variants of an eval can be compared."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.text import and_more, one_line
from pytest_llmeval.store.baselines import FoundBaseline, UnknownBaselineError, find_baseline, no_such_model, splits
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["find_sides"]

_MOST = 10
"""Largest number of parameter sets that a message names."""


def find_sides(
    base: str, current: str, *, reader: SqliteReader | None, root: Path | None
) -> tuple[FoundBaseline, FoundBaseline]:
    """Return the two sides that a person refers to, the base first.

    Each reference is one that ``find_baseline`` understands, or RUN::SUITE or RUN::SUITE@MODEL. If a suite is named,
    each side is reduced to one suite, under its name in the current run; if only one side names it, it applies to both.

    Args:
        base: reference to the run that is compared with.
        current: reference to the run that is compared.
        reader: reads the database; None if there is none.
        root: the project's root; files are looked for in the current folder, then there. None if files are not allowed.

    Raises:
        UnknownBaselineError: there is no such run.
        StoreError: see ``find_baseline``; or a run has no such suite.
    """
    (before, old), (now, new) = (_find(ref, reader, root) for ref in (base, current))
    if old is None and new is None:
        return before, now
    old, new = old or _same(before, base, new), new or _same(now, current, old)
    return _only(before, old, called=new), _only(now, new, called=new)


def _find(ref: str, reader: SqliteReader | None, root: Path | None) -> tuple[FoundBaseline, str | None]:
    """Return the run that ``ref`` refers to, and its suite if one is named."""
    try:
        return find_baseline(ref, reader=reader, root=root), None
    except StoreError as error:
        unknown = error
    for run, part in splits(ref, "::"):
        try:
            found = find_baseline(run, reader=reader, root=root)
        except UnknownBaselineError:
            continue
        if found.model is not None:
            raise StoreError(f"{one_line(repr(ref))}: the model goes after the suite: RUN::SUITE@MODEL")
        return _with_part(found, part, ref)
    raise unknown


def _with_part(found: FoundBaseline, part: str, ref: str) -> tuple[FoundBaseline, str]:
    """Return a run, restricted to the model that ``part`` of ``ref`` names if any, and the suite."""
    suites, models = _suites(found), found.run.models
    if part in suites:
        return found, part
    named = list(splits(part, "@"))
    for suite, model in named:
        if suite in suites and model in models:
            return replace(found, model=model), suite
    if any(suite in suites for suite, _ in named):
        raise no_such_model(ref, found)
    raise _no_such_suite(ref, found, next((suite for suite, model in named if model in models), part))


def _same(found: FoundBaseline, ref: str, suite: str | None) -> str:
    """Return the suite that the other side names; raise StoreError if ``found`` does not have it."""
    assert suite is not None
    if suite not in _suites(found):
        raise _no_such_suite(ref, found, suite)
    return suite


def _suites(found: FoundBaseline) -> set[str]:
    return {suite for suite, _ in found.run.expected} or {case.suite for case in found.judged()}


def _no_such_suite(ref: str, found: FoundBaseline, suite: str) -> StoreError:
    names = _suites(found)
    sets = sorted(name for name in names if name.startswith(f"{suite}["))
    advice = f"there are {and_more([*map(repr, sets)], _MOST)}" if sets else did_you_mean(suite, names)
    return StoreError(f"{one_line(repr(ref))}: {one_line(found.name)} has no suite {one_line(repr(suite))}; {advice}")


def _only(found: FoundBaseline, suite: str, *, called: str) -> FoundBaseline:
    """Return a run reduced to ``suite``, under the name ``called``."""
    model = "" if found.model is None else f"@{found.model}"

    def judged() -> Iterator[JudgedCase]:
        return (replace(case, suite=called) for case in found.judged() if case.suite == suite)

    def cases() -> Iterator[StoredCase]:
        return (replace(case, key=replace(case.key, suite=called)) for case in found.cases() if case.key.suite == suite)

    return replace(
        found,
        name=f"{found.name.removesuffix(model)}::{suite}{model}",
        run=_run(found.run, suite, called),
        suite=suite,
        judged=judged,
        cases=cases,
    )


def _run(run: Run, suite: str, called: str) -> Run:
    """Return a run whose settings describe one suite only."""
    if suite not in run.suites:
        return run
    known = run.suites[suite]
    return replace(run, settings={**run.settings, "suites": {called: known}, "partial": bool(known.get("left_out"))})
