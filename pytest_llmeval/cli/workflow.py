"""The workflow that ``llmeval init`` writes: where it goes, and what of it belongs to one project alone."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.core.git import git
from pytest_llmeval.core.ids import node_part
from pytest_llmeval.core.text import one_line

__all__ = ["Workflow", "project_workflow"]

_FOLDER = ".github/workflows"
_INSTALL = "in the step Install of {workflow}, put the address of a copy of this package (until it is published)"
_NOWHERE = "your-copy.invalid"
"""The host of the address that stands in the template: nothing is found there."""
_WORKING = "working-directory: ."
_PUSHED = "branches: [main]"
_MAIN_BRANCHES = ("main", "master", "trunk")
"""Names of branches that say what they are."""
_OWN = (
    ("name: evals\non:", "name: evals-{slug}\non:"),
    ("    name: evals\n", "    name: evals-{slug}\n"),
    ("group: evals-", "group: evals-{slug}-"),
    # A key that began with llmeval-baseline- would be restored by the workflow of the root; no slug holds a slash.
    ("llmeval-baseline-", "llmeval/{slug}/baseline-"),
    ("name: llmeval,", "name: llmeval-{slug},"),
)
"""What several workflows of one repository may not share: each would cancel, replace or restore the other's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """The workflow of one project."""

    root: Path
    """Of the project."""
    path: Path
    """In the root of the repository, where GitHub looks for it."""
    text: str
    below: str
    """The project's folder below that root, with slashes; ``.`` where it is the root."""

    def left_to_do(self, found: bytes | None) -> list[str]:
        """Return what is left to do so that pull requests are judged.

        Args:
            found: what the file holds by now, which may be somebody's own; None where it cannot be read.
        """
        shown = one_line(os.path.relpath(self.path, self.root))
        held = (found or b"").decode(errors="replace")
        if "pytest" not in held or (self.below != "." and _quoted(self.below)[1:-1] not in held):
            folder = "" if self.below == "." else f" in {one_line(self.below)}"
            return [f"{shown} is yours, and runs no `pytest evals`{folder}: until it does, no pull request is judged"]
        install = [_INSTALL.format(workflow=shown)] if _NOWHERE in held else []
        return [*install, "commit and push: pull requests are judged"]


def project_workflow(root: Path, template: str) -> Workflow:
    """Return the workflow of the project at ``root``.

    One below the root of its repository has files, keys and names of its own, as its neighbours may have evals, too.
    """
    repository = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    below = root.relative_to(repository).as_posix()
    branch = _main_branch(repository)
    text = template
    if branch != "main":
        text = text.replace(_PUSHED, f"branches: [{json.dumps(branch)}]")
    if below == ".":
        return Workflow(root=root, path=repository / _FOLDER / "evals.yaml", text=text, below=below)
    slug = node_part(below.replace("/", "-"))
    for shared, own in _OWN:
        text = text.replace(shared, own.format(slug=slug))
    text = text.replace(_WORKING, f"{_WORKING[:-1]}{_quoted(below)}")
    return Workflow(root=root, path=repository / _FOLDER / f"evals-{slug}.yaml", text=text, below=below)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _main_branch(repository: Path) -> str:
    """Return the branch that others are merged into, by which pushes are told from pull requests.

    It is the one that the clone began with; without a clone the current one, if its name says that it may be.
    """
    if not (repository / ".git").exists():
        return "main"
    cloned = git(repository, "symbolic-ref", "--short", "--quiet", "refs/remotes/origin/HEAD")
    here = git(repository, "symbolic-ref", "--short", "--quiet", "HEAD")
    return cloned.partition("/")[2] if cloned else here if here in _MAIN_BRANCHES else "main"
