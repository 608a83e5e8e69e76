"""The state of the project's git repository, for the record of a run."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.core.git import git, git_refusal
from pytest_llmeval.core.ids import digest

__all__ = ["GitState", "git_state"]

_DIFF = ("diff", "HEAD", "--unified=0", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """The git state of the project; all None outside a repository or without git."""

    commit: str | None = None
    branch: str | None = None
    """None if HEAD is detached."""
    dirty: bool | None = None
    """Whether a tracked file is changed."""
    diff: str | None = None
    """Short digest of the changes to tracked files since the commit; empty if there are none."""
    refused: str = ""
    """Why git refuses to read the repository, and what to do; empty if it reads it, or there is none."""


def git_state(folder: Path, environ: Mapping[str, str]) -> GitState:
    """Return the state of the repository that holds ``folder``; for a checkout of GitHub's, also if git refuses."""
    commit = git(folder, "rev-parse", "HEAD")
    if commit is None:
        return _untold(folder, environ)
    branch = git(folder, "symbolic-ref", "--short", "--quiet", "HEAD")
    changes = git(folder, *_DIFF)
    if changes is None:
        return GitState(commit=commit, branch=branch)
    return GitState(commit=commit, branch=branch, dirty=bool(changes), diff=changes and digest(changes)[:12])


def _untold(folder: Path, environ: Mapping[str, str]) -> GitState:
    """Return what is known without git: what GitHub says of its own checkout, and why git refuses."""
    folder = folder.resolve()
    root = next((each for each in (folder, *folder.parents) if _holds_repository(each)), None)
    refused = git_refusal(folder) if root is not None else ""
    workspace = Path(environ["GITHUB_WORKSPACE"]).resolve() if environ.get("GITHUB_WORKSPACE") else None
    if workspace is None or not folder.is_relative_to(workspace) or root not in (None, workspace):
        return GitState(refused=refused)
    branch = environ.get("GITHUB_REF_NAME") if environ.get("GITHUB_REF_TYPE") != "tag" else None
    return GitState(commit=environ.get("GITHUB_SHA") or None, branch=branch or None, refused=refused)


def _holds_repository(folder: Path) -> bool:
    """Whether a folder is the root of a repository or of a worktree, whose ``.git`` is a file."""
    found = folder / ".git"
    return os.path.exists(found / "HEAD") or os.path.isfile(found)
