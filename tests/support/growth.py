"""How the work of a function grows with what it is given: a law that holds on a slow machine as on a fast one."""

import gc
import time
from collections.abc import Callable

__all__ = ["assert_grows_with_size"]

_TIMES = 4
_ROUNDS = 5


def assert_grows_with_size(work: Callable[[int], object], size: int) -> None:
    """Fail where work on a quarter of the size takes less than an eighth of the processor time of work on all of it.

    Work that grows with the size takes a quarter, work that grows with its square a sixteenth. The shortest of several
    takes counts for each, since nothing but the work itself can make one shorter. Choose a size that finds room in the
    processor's caches: what does not is slower for that alone.
    """
    part, whole = float("inf"), float("inf")
    for _ in range(_ROUNDS):
        part, whole = min(part, _seconds(work, size // _TIMES)), min(whole, _seconds(work, size))
        if whole < 2 * _TIMES * part:
            return
    raise AssertionError(f"{size // _TIMES} took {part:.3f} s, {_TIMES} times as much {whole:.3f} s")


def _seconds(work: Callable[[int], object], size: int) -> float:
    """Return the processor time of this process that the work took, without looks for garbage in all that is there."""
    gc.disable()
    try:
        began = time.process_time()
        work(size)
        return time.process_time() - began
    finally:
        gc.enable()
