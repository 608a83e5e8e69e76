"""The two sides of a comparison: runs, or one suite of each, so that two variants of an eval compare as one suite."""

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


def find_sides(
    base: str, current: str, *, reader: SqliteReader | None, root: Path | None
) -> tuple[FoundBaseline, FoundBaseline]:
    """Return what two references of a person mean, the base first.

    Each is one that ``find_baseline`` understands, or a run, ``::`` and a suite of it, with ``@`` and a model behind it
    perhaps. Where a suite is named, each side is that one suite, under the name that it has in the current run; where
    one side alone names it, it is that of the other one, too.

    Args:
        base: what is compared with.
        current: what is compared.
        reader: of the database; None where there is none.
        root: the project's root; a file is looked for from the current folder, then from there. None where no file may
            be meant.

    Raises:
        UnknownBaselineError: there is no such run.
        StoreError: as ``find_baseline``, or a run has no such suite.
    """
    (before, old), (now, new) = (_find(ref, reader, root) for ref in (base, current))
    if old is None and new is None:
        return before, now
    old, new = old or _same(before, base, new), new or _same(now, current, old)
    return _only(before, old, called=new), _only(now, new, called=new)


def _find(ref: str, reader: SqliteReader | None, root: Path | None) -> tuple[FoundBaseline, str | None]:
    """Return the run that ``ref`` means, and the suite of it that is named."""
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
            raise StoreError(f"{one_line(repr(ref))}: the model stands behind the suite: RUN::SUITE@MODEL")
        return _with_part(found, part, ref)
    raise unknown


def _with_part(found: FoundBaseline, part: str, ref: str) -> tuple[FoundBaseline, str]:
    """Return a run with the model that ``part`` of ``ref`` names, if any, and the suite."""
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
    """Return the suite of the other side, which ``found`` has, too."""
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
    """Return ``suite`` alone of a run, under the name ``called``."""
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
    """Return what is known of a run, of its suites that of one alone."""
    if suite not in run.suites:
        return run
    known = run.suites[suite]
    return replace(run, settings={**run.settings, "suites": {called: known}, "partial": bool(known.get("left_out"))})
