"""Communication of a process with the others that train with it; a single process needs none."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Literal

import torch
from accelerate import PartialState
from accelerate.utils import gather_object

from pytest_llmeval.core.parent import parent_pid
from pytest_llmeval.models.hf.memory import free_bytes
from pytest_llmeval.training.config import LaunchModel
from pytest_llmeval.training.memory import DEVICE_BYTES, MEMORY_SHARE

__all__ = ["Ranks", "is_lost_peer"]

_PR_SET_PDEATHSIG = 1
"""Constant of linux/prctl.h."""
_PATIENCE = timedelta(hours=2)
"""Time that a process waits for the others while the first one reads rows or fetches a base; NCCL's default is 10
minutes."""
_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")
"""Messages of gloo about a process that ended; NCCL raises errors of a class of its own."""


class Ranks:
    """This process among those that train together. All processes must call the same methods in the same order."""

    def __init__(self, launch: LaunchModel) -> None:
        """Read the number of this process from the environment.

        Args:
            launch: states how many processes there are.
        """
        self.count = launch.processes
        self.number = int(os.environ["RANK"]) if self.count > 1 else 0
        """Number of this process, from 0."""

    def end_with_parent(self) -> None:
        """Make the kernel end this process if the launcher, which started it in a session of its own, is killed."""
        if self.count > 1 and sys.platform == "linux":
            launcher = parent_pid()
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != launcher:  # the launcher was killed before
                os.kill(os.getpid(), signal.SIGKILL)

    def meet(self, device: Literal["cpu", "cuda"]) -> None:
        """Wait for the other processes; on cuda, each then has a device of its own."""
        if self.count > 1:
            PartialState(cpu=device == "cpu", timeout=_PATIENCE)

    def may_take(self, most: int, device: Literal["cpu", "cuda"]) -> int:
        """Return the bytes that each process may take on its device: ``most``, or less if too little of a GPU is free.

        Asking a GPU creates its context; the estimate counts this as well, so its size is added back.
        """
        if device == "cuda" and torch.cuda.is_available():
            free = free_bytes(torch.device("cuda", torch.cuda.current_device())) + DEVICE_BYTES["cuda"]
            most = min(most, int(MEMORY_SHARE * free))
        least: int = min(self.each([most]))
        return least

    @property
    def is_first(self) -> bool:
        """Whether this is the first process, the one that writes files."""
        return self.number == 0

    def any(self, said: bool) -> bool:
        """Return whether ``said`` is true in any process."""
        if self.count == 1:
            return said
        found = torch.tensor([int(said)], device=PartialState().device)
        torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
        return bool(found.item())

    def each(self, values: Sequence[Any]) -> list[Any]:
        """Return the values of all processes, in the order of the processes; any type that pickle supports."""
        return list(gather_object(list(values))) if self.count > 1 else list(values)

    @contextlib.contextmanager
    def in_turn(self) -> Iterator[None]:
        """Let the first process run the block before the others do."""
        if self.count == 1:
            yield
        else:
            with PartialState().main_process_first():
                yield

    def part(self) -> None:
        """Leave the group of processes at the end."""
        if self.count > 1 and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def is_lost_peer(error: BaseException) -> bool:
    """Return whether an error only says that another process ended; that process or the launcher reports the reason."""
    return isinstance(error, torch.distributed.DistError) or any(said in str(error) for said in _LOST)
