"""Which rules a stored run is held against."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_llmeval.cli.project import Project
from pytest_llmeval.core.errors import ThresholdsError
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.names import check_names
from pytest_llmeval.core.rules import SuiteSeen, Thresholds
from pytest_llmeval.loaders.thresholds import load_thresholds
from pytest_llmeval.store.records import Run

__all__ = ["check_rules", "rules_for"]


def rules_for(
    project: Project, run: Run, given: Path | None, *, to_judge: bool = False, may_be_empty: bool = False
) -> Thresholds:
    """Return the rules of the file that is named here, in the environment or by the run, else of thresholds.yaml.

    Where the latter is missing there are none, as in the run's own session.

    Args:
        project: where the command runs.
        run: the run.
        given: the file that was named here.
        to_judge: whether the run is judged by them: one that was judged had a file, so that it is missed.
        may_be_empty: whether an empty file has no rules: a shell makes one before the rules for it are printed.

    Raises:
        ThresholdsError: a file that was named is not there, or one cannot be used.
    """
    named = given or project.environ.get("LLMEVAL_THRESHOLDS")
    recorded = run.settings.get("options", {}).get("thresholds")
    path = project.root / recorded if recorded else project.thresholds
    if named:
        path = project.located(str(named))
    if may_be_empty and os.path.isfile(path) and not os.path.getsize(path):
        return Thresholds()
    if os.path.lexists(path):
        return replace(load_thresholds(path, shown_as=project.shown(path)), models=frozenset(run.models))
    was_judged = run.end is not None and run.end.verdict != "none"
    if not named and path == project.root / "thresholds.yaml" and not (to_judge and was_judged):
        return Thresholds()
    advice = "" if given else "; name one with --thresholds"
    raise ThresholdsError(f"{project.shown(path)}: no such file{advice}")


def check_rules(rules: Thresholds, run: Run, cases: Iterable[JudgedCase]) -> None:
    """Look for slices in ``rules`` that a run shows to be misspelt, as its own session does.

    Those of a suite are known where all of its cases are there. A slice whose name is like none of theirs may be newer
    than the run, and a suite that the run lacks may just not have been part of it: their rules are not judged.

    Args:
        rules: that the run is held against.
        run: the run.
        cases: all of it; read only where a rule is about a slice.

    Raises:
        ThresholdsError: a line ``FILE:LINE: KEY: unknown slice ...`` for each.
    """
    if not any(suite.slice_lines for suite in rules.suites.values()):
        return
    slices: dict[str, set[str]] = defaultdict(set)
    ended: Counter[str] = Counter()
    for case in cases:
        slices[case.suite].update(case.slices)
        ended[case.suite] += 1
    is_part = run.settings.get("shard") is not None
    seen = {
        name: SuiteSeen(
            name=name,
            slices=frozenset(slices[name]),
            read_to_end=not is_part and _is_whole(suite, ended[name]),
        )
        for name, suite in run.suites.items()
    }
    problems = check_names(rules, seen, everything_collected=False, may_be_newer=True)
    if problems:
        raise ThresholdsError("\n".join(problems))


def _is_whole(suite: Mapping[str, Any], ended: int) -> bool:
    """Return whether all rows of a suite were part of the run, and all of its cases ended."""
    expected = sum(suite.get("expected", {}).values())
    return 0 < expected <= ended and not suite.get("left_out") and not suite.get("deselected")
