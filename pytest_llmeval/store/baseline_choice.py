"""Choosing the baseline that a run is judged against: the one asked for or the one in the thresholds, if it applies."""

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
"""Reserved words that cannot be the name of a baseline."""
_NONE = "none"
_CUT = "rows were left out: a run of the same rows can be named with --baseline RUN"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineChoice:
    """The chosen baseline, or the reason why there is none."""

    found: FoundBaseline | None = None
    is_given: bool = False
    """Whether a person named it for this judgement; otherwise the thresholds name it."""
    why_none: str = ""
    """Reason why there is no baseline; empty if there is one."""
    is_missing: bool = False
    """Whether the thresholds name a baseline that does not exist."""

    def for_run(self, run: Run, stored: Callable[[], Iterable[Run]]) -> "BaselineChoice":
        """Return the choice as it applies to ``run``.

        A run is never compared with itself or with a rescoring of the same answers. A partial run is only compared with
        a run of the same selection that was named for it.

        Args:
            run: any run.
            stored: returns the runs of its database, which tell whose answers it has; called where it, or the baseline,
                scored those of another one again.

        Raises:
            StoreError: the runs cannot be read.
        """
        if self.found is None:
            return self
        message = one_line(self.found.name, 60)
        if self.found.run.id == run.id and self.found.model is None:
            return replace(self, found=None, why_none=f"baseline {message} is this run itself")
        if self.found.run.id != run.id and _has_answers_of(self.found.run, run, stored):
            return replace(self, found=None, why_none=f"the answers are those of baseline {message}")
        if run.settings.get("partial") and not (self.is_given and self.found.kind == "run"):
            return replace(self, found=None, why_none=_CUT)
        if run.settings.get("partial") and not _is_same_selection(self.found.run, run):
            return replace(self, found=None, why_none=f"run {message} is not of the same selection")
        return self

    def to_judge(self, run: Run) -> Baseline | None:
        """Return the baseline that the gate compares ``run`` with; None if there is none."""
        if self.found is None:
            return None
        return self.found.baseline(deselected_rows(self.found.run, run))

    def recorded(self) -> dict[str, Any] | None:
        """Return the record of the choice in a run's settings; None if there is no baseline."""
        if self.found is None:
            return None
        return {"name": self.found.name, "kind": self.found.kind, "run": self.found.run.id, "model": self.found.model}

    def noted_in(self, run: Run) -> Run:
        """Return ``run`` with settings that hold the choice and its case counts of suites that no eval makes now."""
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
        given: the baseline that a person named for this judgement, which must exist; ``none`` turns the comparison off.
        thresholds: the rules, whose baseline is used if nothing was given and it exists.
        reader: reads the database; None if there is none yet.
        root: the folder below which files are looked for.
        whole: whether a given run must be complete: with a stopped run, only the rows that it reached would be
            compared, and all others would pass.

    Raises:
        StoreError: the given baseline does not exist or is incomplete, or a file cannot be read.
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
    return not_set if found.kind == "run" else BaselineChoice(found=found)  # thresholds cannot name a run


def why_not_whole(found: FoundBaseline) -> str | None:
    """Return why many rows of a run have no result, and what to do; None if the run is complete.

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
    """Return the message that no baseline or file has this name, with a similar one of ``known`` and what makes one."""
    message = one_line(name, 60)
    if "/" in name or "\\" in name or name.endswith((".jsonl", ".gz")):
        return f"file {message} is not there yet: llmeval baseline export RUN {shell_words([name]) or 'FILE'}"
    if name in TAKEN_NAMES:
        return f"{message} is not the name of a baseline: llmeval baseline set NAME gives the last run one"
    own, at, model = name.partition("@")
    of_model = f" (@{one_line(model, 60)} names a model of its run)" if at else ""
    near = closest(own, known)
    meant = f" (did you mean {one_line(repr(near), 60)}?)" if near is not None else ""
    return f"baseline {message} is not set yet{meant}: llmeval baseline set {shell_words([own]) or 'NAME'}{of_model}"


def choose_again(
    run: Run, given: str | None, thresholds: Thresholds, *, reader: SqliteReader, root: Path
) -> BaselineChoice:
    """Return the baseline to judge a recorded run against once more.

    Without ``given`` it is the baseline of the run's own session; a name or ``last`` still means the run that it meant
    then. So the verdict stays the same even if the name has moved since, or ``last`` is this run by now.

    Raises:
        StoreError: the given baseline does not exist, or a file cannot be read.
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
    whole = given is not None  # the session's own baseline may be this run by now
    return choose_baseline(given or told, thresholds, reader=reader, root=root, whole=whole).for_run(run, reader.runs)


def _has_moved(found: FoundBaseline, reader: SqliteReader, root: Path) -> bool:
    try:
        return find_baseline(found.name, reader=reader, root=root).run.id != found.run.id
    except StoreError:
        return True


def _has_answers_of(base: Run, run: Run, stored: Callable[[], Iterable[Run]]) -> bool:
    """Whether one run rescores the answers of the other, or both rescore those of a third run."""
    if not any(each.settings.get("rescored") for each in (base, run)):
        return False
    answered = origins([*stored(), base, run])
    return answered[base.id] == answered[run.id]


def _is_same_selection(base: Run, run: Run) -> bool:
    """Whether two runs selected their rows by the same options, and the same rows of every unchanged dataset.

    In a changed dataset, the same options may select other rows; runs of older versions do not record which they
    selected.
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
    """Return the options and suite facts that determine which rows a run selected."""
    options: dict[str, Any] = run.settings.get("options", {})
    return {
        "limit": options.get("limit"),
        "slice": sorted(options.get("slice") or ()),
        "left_out": sorted(name for name, suite in run.suites.items() if suite.get("left_out")),
        "unselected": run.settings.get("unselected", []),
        "keyword": run.settings.get("keyword", ""),
        "markexpr": run.settings.get("markexpr", ""),
    }
