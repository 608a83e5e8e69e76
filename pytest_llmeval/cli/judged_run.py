"""The rubrics that a stored run may have used."""

from collections.abc import Sequence

from pytest_llmeval.cli.project import Project
from pytest_llmeval.core.judge.rubric import Rubric
from pytest_llmeval.loaders.rubrics import load_rubric, shipped_rubrics

__all__ = ["known_rubrics"]


def known_rubrics(project: Project, paths: Sequence[str]) -> list[Rubric]:
    """Return the rubrics that a run may have used: those at ``paths``, then the shipped ones."""
    return [
        load_rubric(name, rootdir=project.root, test_file=project.root / "thresholds.yaml")
        for name in (*paths, *shipped_rubrics())
    ]
