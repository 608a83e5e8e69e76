"""A file that people name to be written: as a whole, or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["whole_file"]


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give what to write to, in place of what is at ``path``: nobody sees a part of it, and a failure leaves that.

    A link is followed. What is no regular file, such as a pipe, is written into.

    Raises:
        OSError: it cannot be written.
    """
    if path.exists() and not path.is_file():
        with open(path, "wb") as file:
            yield file
        return
    whole = Path(os.path.realpath(path))
    part = whole.with_name(f".{whole.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)  # of a process that was killed
        with open(part, "xb") as file:
            yield file
        os.replace(part, whole)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
