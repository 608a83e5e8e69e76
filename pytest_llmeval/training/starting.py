"""What a training says of itself once it is about to begin, and how its session shows that while it runs."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.training.checkpoints import newest_complete, steps_of
from pytest_llmeval.training.plan import Outcome, Plan, write_json
from pytest_llmeval.training.process import Train

__all__ = ["Layout", "beginning", "say", "showing_starts"]

_BETWEEN_LOOKS_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How steps are carried out."""

    micro_batch: int
    """Rows at once in each process."""
    accumulation: int
    """So many times a step."""
    processes: int
    checkpointing: bool
    """Whether activations are computed again on the way back."""
    fused_layers: int
    """Layers that are computed in one piece with their adapter."""
    adapted_layers: int
    liger: bool
    """Whether the base's layers have Liger's kernels."""

    def line(self) -> str:
        """Return it in words."""
        rows = self.micro_batch * self.accumulation * self.processes
        times = f", {self.accumulation} times" if self.accumulation > 1 else ""
        each = f" in each of {self.processes} processes" if self.processes > 1 else ""
        return (
            f"a step of {rows} rows takes {self.micro_batch} at once{times}{each}, {_with(self.checkpointing)}"
            f" checkpointing; {self.fused_layers} of {self.adapted_layers} layers are computed in one piece with their"
            f" adapter, {_with(self.liger)} Liger's kernels"
        )


def beginning(plan: Plan) -> str:
    """Return in words where one training goes on from."""
    config = plan.config
    newest, skipped = newest_complete(plan.folder, config.launch, is_averaged=config.optim.average)
    passed = f" (passed over {'; '.join(skipped)})" if skipped else ""
    if newest is None:
        return f"begins anew in {plan.folder}, where no checkpoint is whole{passed}"
    return f"goes on after step {steps_of(newest)} in {plan.folder}{passed}"


def _with(there: bool) -> str:
    return "with" if there else "without"


def say(plan: Plan, lines: Sequence[str]) -> None:
    """Tell the user of a training that is about to begin.

    Args:
        plan: of the training.
        lines: each is shown alone.
    """
    for line in lines:
        print(line, flush=True)  # noqa: T201  # into output.txt
    write_json(_told_in(plan), lines)


def showing_starts(train: Train, report: Callable[[str], None]) -> Train:
    """Return ``train``, which shows what each training says at its start, while it runs; no line is shown twice.

    Args:
        train: carries a plan out.
        report: shows one line to the user; it is called in a thread of its own.
    """
    shown: set[str] = set()

    def run(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        path, has_ended = _told_in(plan), threading.Event()
        path.unlink(missing_ok=True)

        def look() -> None:
            while not path.exists() and not has_ended.wait(_BETWEEN_LOOKS_S):
                pass
            for line in json.loads(path.read_text("utf-8")) if path.exists() else ():
                if line not in shown:
                    shown.add(line)
                    report(f"{plan.name}: {line}")

        watch = threading.Thread(target=look)
        watch.start()
        try:
            return train(plan, environ)
        finally:
            has_ended.set()
            watch.join()

    return run


def _told_in(plan: Plan) -> Path:
    return plan.folder / "start.json"
