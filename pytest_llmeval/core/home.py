"""Paths that begin with ``~``, also where nobody can tell whose home that is."""

import os
from pathlib import Path

__all__ = ["at_home"]


def at_home(path: str | Path) -> Path:
    """Return a path with ``~`` as the home folder; as it is where there is none, and so probably no such file.

    A container may have neither HOME nor an entry for its user, where ``Path.expanduser`` raises.
    """
    return Path(os.path.expanduser(path))
