"""What stands on a disk, and how one that cannot be written is told."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from pytest_llmeval.core.text import one_line

__all__ = ["is_there", "unwritten"]


def is_there(path: Path, look: Callable[[str], object] = os.stat) -> bool:
    """Whether a file exists, also where a test has patched what tells: see core/clock.py."""
    try:
        look(str(path))
    except OSError:
        return False
    return True


def unwritten(path: Path, error: BaseException) -> str:
    """Return that ``path`` cannot be written, why by ``error``, and how much of its disk is free.

    Where a file stands in place of a folder, that is why, and it is named.
    """
    told = (error.strerror if isinstance(error, OSError) else None) or one_line(str(error))
    there = next(each for each in path.absolute().parents if os.path.exists(each))
    if there.is_file():
        return f"{path}: cannot be written: {there} is a file, and a folder is needed there"
    return f"{path}: cannot be written: {told}; {shutil.disk_usage(there).free / 1e6:.0f} MB are free"
