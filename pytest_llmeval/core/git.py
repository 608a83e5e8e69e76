"""What git says of a folder."""

import subprocess
from pathlib import Path

__all__ = ["git", "git_refusal"]

_TIMEOUT_S = 10.0
_REMEDY = "git config "
"""How the line begins in which git says what to do, whatever language the others are in."""


def git(folder: Path, *arguments: str) -> str | None:
    """Return what a command of git prints, without white space at the ends; None where it fails or there is no git."""
    done = _done(folder, *arguments)
    return _text(done.stdout) if done is not None and done.returncode == 0 else None


def git_refusal(folder: Path) -> str:
    """Return why git will not look at the repository that holds a folder, and what to do, in one line.

    That is where the files belong to another user, say, as in a container. Empty where git looks at it, and where there
    is no git.
    """
    done = _done(folder, "rev-parse", "--git-dir")
    if done is None or done.returncode == 0:
        return ""
    said = [line.strip() for line in _text(done.stderr).splitlines() if line.strip()]
    remedy = next((line for line in said if line.startswith(_REMEDY)), "git status")
    first = said[0].removeprefix("fatal: ") if said else f"status {done.returncode}"
    return f"{first}; run {remedy}"


def _done(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes] | None":
    """Return a command of git that has ended; None where it does not, or there is no git."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace").strip()
