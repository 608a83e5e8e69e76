"""Who may do what with a file."""

import stat
from pathlib import Path

__all__ = ["mode"]


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)
