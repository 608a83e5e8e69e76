"""Which baseline a run is judged against: what was asked for, what the thresholds name, and when neither counts."""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import MONEY_KINDS
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.text import one_line, shell_words
from pytest_llmeval.store.baselines import FoundBaseline, UnknownBaselineError, deselected_rows, find_baseline, refusal
from pytest_llmeval.store.records import UNFINISHED, Run
from pytest_llmeval.store.sqlite_reader import SqliteReader
from pytest_llmeval.store.twins import origins

__all__ = ["TAKEN_NAMES", "BaselineChoice", "choose_again", "choose_baseline", "why_not_whole"]

TAKEN_NAMES = ("none", "last")
"""Words that mean something else where a baseline is named."""
_NONE = "none"
_CUT = "rows were left out: a run of the same rows can be named with --baseline RUN"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineChoice:
    """A baseline, or why there is none."""

    found: FoundBaseline | None = None
    is_given: bool = False
    """Whether a person named it for this judgement; else the thresholds do."""
    why_none: str = ""
    """Empty where there is one."""
    is_missing: bool = False
    """Whether the thresholds name one that is not there."""

    def for_run(self, run: Run, stored: Callable[[], Iterable[Run]]) -> "BaselineChoice":
        """Return the choice that holds for ``run``.

        A run is not compared with itself or with the same answers scored otherwise, and one that left out rows only
        with a run of the same selection that was named for it.

        Args:
            run: any run.
            stored: returns the runs of its database, which tell whose answers it has; called where there is a baseline.

        Raises:
            StoreError: the runs cannot be read.
        """
        if self.found is None:
            return self
        told = one_line(self.found.name, 60)
        if self.found.run.id == run.id and self.found.model is None:
            return replace(self, found=None, why_none=f"baseline {told} is this run itself")
        if self.found.run.id != run.id and _has_answers_of(self.found.run, run, stored()):
            return replace(self, found=None, why_none=f"the answers are those of baseline {told}")
        if run.settings.get("partial") and not (self.is_given and self.found.kind == "run"):
            return replace(self, found=None, why_none=_CUT)
        if run.settings.get("partial") and not _is_same_selection(self.found.run, run):
            return replace(self, found=None, why_none=f"run {told} is not of the same selection")
        return self

    def to_judge(self, run: Run) -> Baseline | None:
        """Return what the gate compares ``run`` with; None where there is nothing."""
        if self.found is None:
            return None
        return self.found.baseline(deselected_rows(self.found.run, run))

    def recorded(self) -> dict[str, Any] | None:
        """Return what a run stores of it."""
        if self.found is None:
            return None
        return {"name": self.found.name, "kind": self.found.kind, "run": self.found.run.id, "model": self.found.model}

    def noted_in(self, run: Run) -> Run:
        """Return ``run`` with a note of the choice, and how many cases that has of the suites that no eval makes."""
        base = self.found.run.expected if self.found is not None else {}
        unmade = {
            name: sum(count for (suite, _), count in base.items() if suite == name)
            for name in run.settings.get("unmade", ())
        }
        return replace(run, settings={**run.settings, "baseline": self.recorded(), "unmade": unmade})


def choose_baseline(
    given: str | None, thresholds: Thresholds, *, reader: SqliteReader | None, root: Path, whole: bool = True
) -> BaselineChoice:
    """Return the baseline to judge against.

    Args:
        given: what a person named for this judgement; ``none`` for none at all. It must be there.
        thresholds: the rules; where nothing was given, the baseline that they name, if it is there.
        reader: of the database; None where there is none yet.
        root: the folder below which files are looked for.
        whole: whether what was given must have come to its end: of a run that was stopped only the rows that it came to
            would be compared, and all others pass.

    Raises:
        StoreError: what was given is not there or not whole, or a file cannot be read.
    """
    if given == _NONE:
        return BaselineChoice(why_none="no baseline is wanted")
    if given is not None:
        try:
            found = find_baseline(given, reader=reader, root=root)
        except StoreError as error:
            raise StoreError(f"--baseline {one_line(given, 60)}: {error}") from None
        why = why_not_whole(found) if whole else None
        if why is not None:
            raise StoreError(f"--baseline {one_line(given, 60)}: not a valid baseline: {why}")
        return BaselineChoice(found=found, is_given=True)
    name = thresholds.baseline
    if name is None:
        return BaselineChoice(why_none="no baseline")
    known = [each.name for each in reader.baselines()] if reader is not None else []
    not_set = BaselineChoice(why_none=_why_not_set(name, known), is_missing=True)
    try:
        found = find_baseline(name, reader=reader, root=root)
    except UnknownBaselineError:
        return not_set
    except StoreError as error:
        raise StoreError(f"{thresholds.shown_as}: baseline: {error}") from None
    return not_set if found.kind == "run" else BaselineChoice(found=found)  # a run's name is nobody's baseline


def why_not_whole(found: FoundBaseline) -> str | None:
    """Return why a run says nothing of many of its rows, and what to do; None where it does.

    Raises:
        StoreError: its cases cannot be read.
    """
    run = found.run
    if run.shown_status in UNFINISHED:
        return refusal(run, db_option=found.db_option)
    if run.shown_status == "unmeasurable" and any(case.error_kind in MONEY_KINDS for case in found.judged()):
        kinds = ", ".join(sorted(MONEY_KINDS))
        again = run.resume_command(db_option=found.db_option)
        return f"the calls of run {run.id} were stopped ({kinds}); continue with: {again}"
    return None


def _why_not_set(name: str, known: Iterable[str]) -> str:
    """Return that there is no baseline or file of this name yet, which of ``known`` is like it, and what makes one."""
    told = one_line(name, 60)
    if "/" in name or "\\" in name or name.endswith((".jsonl", ".gz")):
        return f"file {told} is not there yet: llmeval baseline export RUN {shell_words([name]) or 'FILE'}"
    if name in TAKEN_NAMES:
        return f"{told} is no baseline's name: llmeval baseline set NAME gives the last run one"
    own, at, model = name.partition("@")
    of_model = f" (@{one_line(model, 60)} names a model of its run)" if at else ""
    near = closest(own, known)
    meant = f" (did you mean {one_line(repr(near), 60)}?)" if near is not None else ""
    return f"baseline {told} is not set yet{meant}: llmeval baseline set {shell_words([own]) or 'NAME'}{of_model}"


def choose_again(
    run: Run, given: str | None, thresholds: Thresholds, *, reader: SqliteReader, root: Path
) -> BaselineChoice:
    """Return the baseline to judge a recorded run against once more.

    Without ``given`` it is what its own session was told, and a name or ``last`` means the run that it meant then: the
    same verdict comes out again though the name has moved on since, and though ``last`` is this run by now.

    Raises:
        StoreError: what was given is not there, or a file cannot be read.
    """
    told: str | None = run.settings.get("options", {}).get("baseline")
    before: dict[str, Any] = run.settings.get("baseline") or {}
    is_same = given is None and (told is not None or before.get("name") == thresholds.baseline)
    if is_same and before.get("kind") in ("name", "run"):
        with contextlib.suppress(UnknownBaselineError):
            found = find_baseline(before["run"], reader=reader, root=root)
            found = replace(found, name=before["name"], kind=before["kind"], model=before.get("model"))
            found = replace(found, has_moved=_has_moved(found, reader, root))
            return BaselineChoice(found=found, is_given=told is not None).for_run(run, reader.runs)
    whole = given is not None  # what the session was told may mean the run itself by now
    return choose_baseline(given or told, thresholds, reader=reader, root=root, whole=whole).for_run(run, reader.runs)


def _has_moved(found: FoundBaseline, reader: SqliteReader, root: Path) -> bool:
    try:
        return find_baseline(found.name, reader=reader, root=root).run.id != found.run.id
    except StoreError:
        return True


def _has_answers_of(base: Run, run: Run, stored: Iterable[Run]) -> bool:
    answered = origins([*stored, base, run])
    return answered[base.id] == answered[run.id]


def _is_same_selection(base: Run, run: Run) -> bool:
    """Whether two runs took their rows by the same options, and of a dataset that did not change the same ones.

    By an option, other rows may be taken of a dataset that did; runs of older versions do not say which they took.
    """
    if _selection(base) != _selection(run):
        return False
    before, now = base.suites, run.suites
    taken = [
        (before[name].get("selected_digest"), suite.get("selected_digest"))
        for name, suite in now.items()
        if name in before and suite.get("left_out") and before[name].get("rows_digest") == suite.get("rows_digest")
    ]
    return all(None in pair or pair[0] == pair[1] for pair in taken)


def _selection(run: Run) -> dict[str, Any]:
    """Return what of a run's options and suites says which rows it took."""
    options: dict[str, Any] = run.settings.get("options", {})
    return {
        "limit": options.get("limit"),
        "slice": sorted(options.get("slice") or ()),
        "left_out": sorted(name for name, suite in run.suites.items() if suite.get("left_out")),
        "unselected": run.settings.get("unselected", []),
        "keyword": run.settings.get("keyword", ""),
        "markexpr": run.settings.get("markexpr", ""),
    }
