"""What git says of a folder."""

import subprocess
from pathlib import Path

__all__ = ["git"]

_TIMEOUT_S = 10.0


def git(folder: Path, *arguments: str) -> str | None:
    """Return what a command of git prints, without white space at the ends; None where it fails or there is no git."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
