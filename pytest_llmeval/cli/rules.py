"""Loading and checking the rules that a stored run is judged by."""

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
    """Return the rules from the file named here, in the environment or by the run, else from thresholds.yaml.

    If thresholds.yaml does not exist there are no rules, as in the run's own session.

    Args:
        project: the project that the command runs in.
        run: the run.
        given: the file that was named here.
        to_judge: whether the run will be judged by them. Then a missing file is an error if the run was judged before,
            as it had one.
        may_be_empty: whether an empty file means no rules; a shell creates it before the rules for it are printed.

    Raises:
        ThresholdsError: a named file does not exist, or a file cannot be used.
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
    """Check ``rules`` for slices that the run shows to be misspelt, as its own session does.

    The slices of a suite are known if all of its cases are there. A slice whose name resembles none of them may be
    newer than the run, and a suite that the run lacks may not have been part of it: their rules are not judged.

    Args:
        rules: the rules that the run is judged by.
        run: the run.
        cases: all cases of the run; read only if a rule is about a slice.

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
    """Return whether all rows of a suite were part of the run, and all their cases ended."""
    expected = sum(suite.get("expected", {}).values())
    return 0 < expected <= ended and not suite.get("left_out") and not suite.get("deselected")
