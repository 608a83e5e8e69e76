"""Running git commands in a folder."""

import subprocess
from pathlib import Path

__all__ = ["git", "git_refusal"]

_TIMEOUT_S = 10.0
_REMEDY = "git config "
"""Start of the line in git's error output that says what to do; it is not translated."""


def git(folder: Path, *arguments: str) -> str | None:
    """Return the stripped output of a git command; None if it fails or git is not installed."""
    done = _done(folder, *arguments)
    return _text(done.stdout) if done is not None and done.returncode == 0 else None


def git_refusal(folder: Path) -> str:
    """Return in one line why git refuses to read the repository of a folder, and what to do.

    Git refuses, for example, if the files belong to another user, as in a container. Empty if git does not refuse, or
    is not installed.
    """
    done = _done(folder, "rev-parse", "--git-dir")
    if done is None or done.returncode == 0:
        return ""
    said = [line.strip() for line in _text(done.stderr).splitlines() if line.strip()]
    remedy = next((line for line in said if line.startswith(_REMEDY)), "git status")
    first = said[0].removeprefix("fatal: ") if said else f"status {done.returncode}"
    return f"{first}; run {remedy}"


def _done(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes] | None":
    """Return a finished git command; None if it does not finish in 10 s, or git is not installed."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace").strip()
