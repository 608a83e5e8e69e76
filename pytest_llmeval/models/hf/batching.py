"""Batching: a thread collects waiting requests, forms batches of similar lengths and runs them."""

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Response

__all__ = ["Batcher", "Job", "OutOfMemory", "batches"]

_GATHER_S = 0.02
"""Seconds without a new request after which a batch begins; requests come in bursts, and none should run alone."""
_STOP_TIMEOUT_S = 10.0


class OutOfMemory(Exception):  # noqa: N818 - a condition that is met by a smaller batch
    """The batch does not fit into memory."""


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """One request that waits for its batch."""

    group: Hashable
    """Key that requests must share to be in one batch."""
    tokens: int
    """Number of tokens to read."""
    room: int
    """Largest number of tokens to generate; for a job that generates none, its further memory, in tokens."""
    future: "Future[Response]" = field(default_factory=Future)

    @property
    def written(self) -> int:
        """Largest number of tokens to generate."""
        return self.room

    @property
    def is_open(self) -> bool:
        """Whether somebody still waits for the answer."""
        return not self.future.done()

    def answer(self, response: Response) -> None:
        """Set the answer, unless the caller has given up."""
        with suppress(InvalidStateError):
            self.future.set_result(response)

    def fail(self, error: BaseException) -> None:
        """Set the error, unless the caller has given up."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)


def batches(jobs: Sequence[Job], budget: int, positions: int) -> list[list[Job]]:
    """Return ``jobs`` in batches of similar lengths, so that there is little padding; the longest come first.

    Args:
        jobs: jobs of one group.
        budget: largest number of tokens in a batch: its rows times its longest prompt and answer. A single job may
            exceed it.
        positions: largest number of tokens in a row of several. Each row goes on until the last one of its batch ends,
            so that number is the longest prompt plus the longest answer. A single job may exceed it.
    """
    found: list[list[Job]] = []
    longest = room = written = 0
    for job in sorted(jobs, key=lambda job: (job.tokens, job.room), reverse=True):
        longest, room, written = max(longest, job.tokens), max(room, job.room), max(written, job.written)
        if found and (len(found[-1]) + 1) * (longest + room) <= budget and longest + written <= positions:
            found[-1].append(job)
        else:
            found.append([job])
            longest, room, written = job.tokens, job.room, job.written
    return found


class Batcher:
    """A queue and the thread that empties it."""

    def __init__(
        self,
        run: Callable[[Sequence[Job]], None],
        budget: Callable[[Hashable], int],
        positions: Callable[[Hashable], int],
        *,
        gather_s: float = _GATHER_S,
    ) -> None:
        """Prepare; the thread starts with the first request.

        Args:
            run: answers or fails each open job of a batch of one group; raises OutOfMemory if the batch is too large.
            budget: returns the number of tokens that a batch of a group may have now.
            positions: returns the largest number of tokens of a row in a batch of several rows.
            gather_s: seconds without a request after which a batch begins.
        """
        self._run = run
        self._budget = budget
        self._positions = positions
        self._gather_s = gather_s
        self._waiting: list[Job] = []
        self._learned: dict[Hashable, int] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def submit(self, job: Job) -> None:
        """Queue ``job`` for a batch; raise CallError if this is closed."""
        with self._changed:
            if self._is_closed:
                raise CallError("the model was closed", kind=ErrorKind.INTERRUPTED, attempts=0)
            self._waiting.append(job)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="llmeval-hf", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Fail the jobs that wait and accept no more; a running batch ends with its next token."""
        with self._changed:
            self._is_closed = True
            waiting, self._waiting = self._waiting, []
            self._changed.notify()
        for job in waiting:
            job.fail(CallError("the model was closed", kind=ErrorKind.INTERRUPTED, attempts=0))
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)

    def _serve(self) -> None:
        while (group := self._next()) is not None:
            batch = group
            try:
                batch = self._batch(group)
                if any(job.is_open for job in batch):
                    self._run(batch)
            except OutOfMemory as error:
                self._halve(batch, error)
            # The jobs fail, and the thread goes on with the next. A panic in Rust (tokenizers, llguidance) is not an
            # Exception: https://docs.rs/pyo3/latest/pyo3/panic/struct.PanicException.html
            except BaseException as error:  # noqa: BLE001
                broken = CallError(f"the model broke: {type(error).__name__}: {error}", kind=ErrorKind.SERVER_ERROR)
                for job in batch:
                    job.fail(broken)

    def _next(self) -> list[Job] | None:
        """Return all waiting jobs of the oldest job's group, the oldest first; None once this is closed."""
        with self._changed:
            while True:
                if self._is_closed:
                    return None
                came = self._changed.wait(self._gather_s if self._waiting else None)
                self._waiting = open_jobs = [job for job in self._waiting if job.is_open]
                if open_jobs and not came:
                    break
            return [job for job in open_jobs if job.group == open_jobs[0].group]

    def _batch(self, group: Sequence[Job]) -> list[Job]:
        """Remove the batch with the first job of ``group`` from the queue and return it."""
        oldest = group[0]
        budget = min(self._budget(oldest.group), self._learned.get(oldest.group, 2**62))
        formed = batches(group, budget, self._positions(oldest.group))
        batch = next(each for each in formed if oldest in each)
        with self._changed:
            self._waiting = [job for job in self._waiting if job not in batch]
        return batch

    def _halve(self, batch: Sequence[Job], error: OutOfMemory) -> None:
        """Put the open jobs of a batch back to the head of the queue, for batches of half its size."""
        left = [job for job in batch if job.is_open]
        if len(batch) == 1:
            for job in left:
                message = f"no memory for {job.tokens} tokens and room for {job.room} more: {error}"
                job.fail(CallError(message, kind=ErrorKind.TOO_LARGE))
            return
        size = len(batch) * max(job.tokens + job.room for job in batch)
        self._learned[batch[0].group] = size // 2
        with self._changed:
            self._waiting[:0] = left
