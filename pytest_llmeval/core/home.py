"""Expansion of ``~`` in paths, even if the home folder is unknown."""

import os
from pathlib import Path

__all__ = ["at_home"]


def at_home(path: str | Path) -> Path:
    """Return a path with ``~`` replaced by the home folder; unchanged if that is unknown.

    A container may have neither HOME nor an entry for its user, and ``Path.expanduser`` would raise there. The
    unchanged path is probably that of no file.
    """
    return Path(os.path.expanduser(path))
