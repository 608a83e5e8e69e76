"""Messages of a training process, at its start and at its looks, and how the session shows them."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.training.checkpoints import newest_complete, steps_of
from pytest_llmeval.training.looks import forget_looks, read_looks
from pytest_llmeval.training.plan import Outcome, Plan, write_json
from pytest_llmeval.training.process import Train

__all__ = ["Layout", "beginning", "ending", "say", "showing_progress"]

_BETWEEN_LOOKS_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How steps are computed."""

    micro_batch: int
    """Number of rows at once in each process."""
    accumulation: int
    """Number of micro-batches that a process computes in a step."""
    processes: int
    checkpointing: bool
    """Whether activations are recomputed in the backward pass."""
    fused_layers: int
    """Number of layers that are computed in one piece with their adapter."""
    adapted_layers: int
    liger: bool
    """Whether the base's layers use Liger's kernels."""

    def line(self) -> str:
        """Return the layout in words."""
        rows = self.micro_batch * self.accumulation * self.processes
        times = f", {self.accumulation} times" if self.accumulation > 1 else ""
        each = f" in each of {self.processes} processes" if self.processes > 1 else ""
        return (
            f"a step of {rows} rows takes {self.micro_batch} at once{times}{each}, {_with(self.checkpointing)}"
            f" checkpointing; {self.fused_layers} of {self.adapted_layers} layers are computed in one piece with their"
            f" adapter, {_with(self.liger)} Liger's kernels"
        )


def beginning(plan: Plan) -> str:
    """Return in words where one training resumes from."""
    config = plan.config
    newest, skipped = newest_complete(plan.folder, config.launch, is_averaged=config.optim.average)
    passed = f" (passed over {'; '.join(skipped)})" if skipped else ""
    if newest is None:
        return f"begins anew in {plan.folder}, where no checkpoint is whole{passed}"
    return f"goes on after step {steps_of(newest)} in {plan.folder}{passed}"


def ending(plan: Plan) -> str:
    """Return in words what happens to a training at an interrupt."""
    has_begun = _told_in(plan).exists()
    now = "a checkpoint is saved at the end of this step" if has_begun else "it has not begun its steps, and ends soon"
    return f"{now}; a second Ctrl-C ends it at once"


def _with(there: bool) -> str:
    return "with" if there else "without"


def say(plan: Plan, lines: Sequence[str]) -> None:
    """Pass messages of a training that is about to begin to the user.

    Args:
        plan: of the training.
        lines: messages, each shown on a line.
    """
    for line in lines:
        print(line, flush=True)  # noqa: T201  # into output.txt
    write_json(_told_in(plan), lines)


def showing_progress(train: Train, report: Callable[[str], None]) -> Train:
    """Wrap ``train`` so that the messages of each training are shown while it runs.

    No message of a start is shown twice.

    Args:
        train: carries out a plan.
        report: shows one line to the user; called in a thread of its own.
    """
    shown: set[str] = set()

    def run(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        saying, has_ended = _Saying(plan, shown), threading.Event()

        def tell() -> None:
            for line in saying.new_lines():
                report(f"{plan.name}: {line}")

        def follow() -> None:
            while not has_ended.wait(_BETWEEN_LOOKS_S):
                tell()
            tell()

        watch = threading.Thread(target=follow)
        watch.start()
        try:
            return train(plan, environ)
        finally:
            has_ended.set()
            watch.join()

    return run


class _Saying:
    """The messages that a training process writes to files in its folder; those of an earlier process are removed."""

    def __init__(self, plan: Plan, shown: set[str]) -> None:
        self._plan, self._shown = plan, shown
        self._has_begun, self._read = False, 0
        _told_in(plan).unlink(missing_ok=True)
        forget_looks(plan.folder)

    def new_lines(self) -> list[str]:
        """Return the messages that were written since the last call."""
        found: list[str] = []
        path = _told_in(self._plan)
        if not self._has_begun and path.exists():
            self._has_begun = True
            found = [line for line in json.loads(path.read_text("utf-8")) if line not in self._shown]
            self._shown.update(found)
        looks, self._read = read_looks(self._plan.folder, self._read)
        return [*found, *(look.line() for look in looks)]


def _told_in(plan: Plan) -> Path:
    return plan.folder / "start.json"
