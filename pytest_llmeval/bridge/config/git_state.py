"""The state of the project's git repository, for the record of a run."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GitState", "git_state"]

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """Where the project stands; all None outside a repository or without git."""

    commit: str | None = None
    branch: str | None = None
    """None where HEAD is detached."""
    dirty: bool | None = None
    """Whether a tracked file is changed."""


def git_state(folder: Path) -> GitState:
    """Return the state of the repository that holds ``folder``."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return GitState()
    branch = _git(folder, "symbolic-ref", "--short", "--quiet", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return GitState(commit=commit, branch=branch, dirty=None if changes is None else bool(changes))


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
