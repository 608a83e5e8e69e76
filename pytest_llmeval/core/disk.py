"""What a file or folder that cannot be written is told by."""

import shutil
from pathlib import Path

from pytest_llmeval.core.text import one_line

__all__ = ["unwritten"]


def unwritten(path: Path, error: BaseException) -> str:
    """Return that ``path`` cannot be written, why by ``error``, and how much of its disk is free."""
    told = (error.strerror if isinstance(error, OSError) else None) or one_line(str(error))
    there = next(each for each in path.absolute().parents if each.exists())
    return f"{path}: cannot be written: {told}; {shutil.disk_usage(there).free / 1e6:.0f} MB are free"
