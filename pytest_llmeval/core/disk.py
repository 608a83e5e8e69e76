"""Checks of files on disk, and the message for a file that cannot be written."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from pytest_llmeval.core.text import one_line

__all__ = ["is_there", "unwritten"]


def is_there(path: Path, look: Callable[[str], object] = os.stat) -> bool:
    """Return whether a file exists, even if a test has patched ``os.stat``: see core/clock.py."""
    try:
        look(str(path))
    except OSError:
        return False
    return True


def unwritten(path: Path, error: BaseException) -> str:
    """Return the message that ``path`` cannot be written, with the reason from ``error`` and the free disk space.

    If a file is where a folder is needed, that file is named as the reason.
    """
    told = (error.strerror if isinstance(error, OSError) else None) or one_line(str(error))
    there = next(each for each in path.absolute().parents if os.path.exists(each))
    if there.is_file():
        return f"{path}: cannot be written: {there} is a file, and a folder is needed there"
    return f"{path}: cannot be written: {told}; {shutil.disk_usage(there).free / 1e6:.0f} MB are free"
