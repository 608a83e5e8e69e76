"""Which rules a stored run is held against."""

import os
from pathlib import Path

from pytest_llmeval.cli.project import Project
from pytest_llmeval.core.errors import ThresholdsError
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.loaders.thresholds import load_thresholds
from pytest_llmeval.store.records import Run

__all__ = ["rules_for"]


def rules_for(project: Project, run: Run, given: Path | None, *, to_judge: bool = False) -> Thresholds:
    """Return the rules of the file that is named here, in the environment or by the run, else of thresholds.yaml.

    Where the latter is missing there are none, as in the run's own session.

    Args:
        project: where the command runs.
        run: the run.
        given: the file that was named here.
        to_judge: whether the run is judged by them: one that was judged had a file, so that it is missed.

    Raises:
        ThresholdsError: a file that was named is not there, or one cannot be used.
    """
    named = given or project.environ.get("LLMEVAL_THRESHOLDS")
    recorded = run.settings.get("options", {}).get("thresholds")
    path = project.root / recorded if recorded else project.thresholds
    if named:
        path = project.located(str(named))
    if os.path.exists(path):
        return load_thresholds(path, shown_as=project.shown(path))
    was_judged = run.end is not None and run.end.verdict != "none"
    if not named and path == project.root / "thresholds.yaml" and not (to_judge and was_judged):
        return Thresholds()
    raise ThresholdsError(f"{project.shown(path)}: no such file; name one with --thresholds")
