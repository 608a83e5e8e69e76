"""When freed memory is given back."""

import platform
import subprocess
import sys
from collections.abc import Sequence

import pytest

from pytest_llmeval.training.sft.heap import Heap


@pytest.mark.parametrize(("held", "tokens", "after"), [
    ([100, 80, 120, 125], [9, 8, 7, 6], []),
    ([100, 126, 90, 100], [9, 8, 7, 6], [1]),
    ([40, 100, 100, 120, 130], [1, 9, 9, 9, 9], [1, 4]),  # as much again after the return, in a larger step: needed
    ([100, 200, 300], [1, 1, 9], [1]),
    ([100, 130, 120, 140, 130], [9, 9, 9, 9, 9], [1, 3]),  # a step of the same size needs no more than the first did
])  # fmt: skip
def test_pages_are_returned_after_steps_that_hold_a_quarter_more_than_one_needs(
    held: Sequence[int], tokens: Sequence[int], after: Sequence[int]
) -> None:
    now, returned = iter(held), []
    step = 0

    def trim(padding: int) -> int:
        returned.append(step)
        return 1

    heap = Heap(resident=lambda: next(now), trim=trim)
    for step in range(len(held)):  # trim looks at it
        heap.end_step(tokens[step])
    assert returned == list(after)


HOLES = """
from pathlib import Path
from pytest_llmeval.training.sft.heap import Heap

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

heap = Heap()
heap.end_step(1)
blocks = [bytes(2000) for _ in range(100_000)]
last = blocks.pop()
blocks.clear()
before = held()
heap.end_step(1)
print(before - held())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc returns the pages of holes when asked")
def test_pages_of_holes_are_free_again() -> None:
    ended = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)
    assert int(ended.stdout) > 150
