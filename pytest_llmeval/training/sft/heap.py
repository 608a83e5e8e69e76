"""Memory that was freed, given back to the system."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["Heap"]


def _trimmer() -> Callable[[int], int]:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # only glibc has it; TypeError is that of Windows
        return lambda padding: 0
    return found


_trim = _trimmer()

_SLACK = 1.25
"""So many times what a step without holes holds may be held."""


def _resident() -> int:
    """Return the bytes that this process holds in memory; 0 where that is not told."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


class Heap:
    """Has the C library return the pages that no array is in, once it holds more than steps need.

    Batches of many lengths leave holes between what stays: without this a training of 135M weights whose steps take
    15 GiB had 23 GiB after 90 of them, and was killed for it. After each step it would cost a tenth of the time, as the
    next one has to be given its pages anew.
    """

    def __init__(self, *, resident: Callable[[], int] = _resident, trim: Callable[[int], int] = _trim) -> None:
        """Begin to watch.

        Args:
            resident: returns the bytes that this process holds.
            trim: returns pages to the system.
        """
        self._resident, self._trim = resident, trim
        self._most = self._largest = 0
        """Bytes that were held after the largest step that began without holes, and its tokens."""
        self._is_fresh = True

    def end_step(self, tokens: int) -> None:
        """Look how much is held after a step, and return what is too much.

        Args:
            tokens: of its rows, padding with them. A step leaves holes even where it began without any: what it held
                is a measure of need only where no earlier step was as large, or each return would allow more than the
                last.
        """
        held = self._resident()
        if self._is_fresh:
            if tokens > self._largest:
                self._most, self._largest = max(self._most, held), tokens
            self._is_fresh = False
        elif held > _SLACK * self._most:
            self._trim(0)
            self._is_fresh = True
