"""The GitHub workflow that ``llmeval init`` writes: its place, and the names in it that must be unique to a project."""

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
"""Host of the placeholder address in the template; nothing is found there."""
_WORKING = "working-directory: ."
_PUSHED = "branches: [main]"
_MAIN_BRANCHES = ("main", "master", "trunk")
"""Branch names that mark a main branch."""
_OWN = (
    ("name: evals\non:", "name: evals-{slug}\non:"),
    ("    name: evals\n", "    name: evals-{slug}\n"),
    ("group: evals-", "group: evals-{slug}-"),
    # A key that began with llmeval-baseline- would be restored by the root's workflow; no slug contains a slash.
    ("llmeval-baseline-", "llmeval/{slug}/baseline-"),
    ("name: llmeval,", "name: llmeval-{slug},"),
)
"""Names that several workflows of one repository must not share: each would cancel, replace or restore another's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """The workflow of one project."""

    root: Path
    """Root of the project."""
    path: Path
    """Path of the file, below the root of the repository, where GitHub looks for it."""
    text: str
    below: str
    """Folder of the project relative to the repository's root, with slashes; ``.`` if it is the root."""

    def left_to_do(self, found: bytes | None) -> list[str]:
        """Return what is left to do until pull requests are judged.

        Args:
            found: the present content of the file, which may be the user's own; None if it cannot be read.
        """
        shown = one_line(os.path.relpath(self.path, self.root))
        held = (found or b"").decode(errors="replace")
        if "pytest" not in held or (self.below != "." and _quoted(self.below)[1:-1] not in held):
            folder = "" if self.below == "." else f" in {one_line(self.below)}"
            return [
                f"{shown} is your own, and does not run `pytest evals`{folder}: until it does,"
                " no pull request is judged"
            ]
        install = [_INSTALL.format(workflow=shown)] if _NOWHERE in held else []
        return [*install, "commit and push: pull requests are judged"]


def project_workflow(root: Path, template: str) -> Workflow:
    """Return the workflow of the project at ``root``.

    A project below its repository's root gets files, keys and names of its own, as its neighbours may have evals, too.
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
    """Return the main branch, by which the workflow tells pushes from pull requests.

    It is the default branch of the clone. Without a clone it is the current branch if that has the name of a main
    branch, and otherwise ``main``.
    """
    if not (repository / ".git").exists():
        return "main"
    cloned = git(repository, "symbolic-ref", "--short", "--quiet", "refs/remotes/origin/HEAD")
    here = git(repository, "symbolic-ref", "--short", "--quiet", "HEAD")
    return cloned.partition("/")[2] if cloned else here if here in _MAIN_BRANCHES else "main"
