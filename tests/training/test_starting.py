"""What is said at the start of a training: how its steps are carried out, and what would make it faster."""

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_llmeval.models.hf.sources import Source
from pytest_llmeval.training.plan import Outcome, Plan
from pytest_llmeval.training.starting import Layout, say
from pytest_llmeval.training.supervise import Job, run_training
from tests.training.stand_ins import GAIN, Proved, Trainer

LAYOUT = Layout(
    micro_batch=4,
    accumulation=2,
    processes=2,
    checkpointing=True,
    fused_layers=0,
    adapted_layers=14,
    liger=True,
)


def test_how_steps_are_carried_out_is_one_line() -> None:
    """A smaller number of rows at once, and layers that stayed slow, are no secret."""
    assert LAYOUT.line() == (
        "a step of 16 rows takes 4 at once, 2 times in each of 2 processes, with checkpointing; 0 of 14 layers are"
        " computed in one piece with their adapter, with Liger's kernels"
    )
    one = replace(LAYOUT, micro_batch=16, accumulation=1, processes=1, checkpointing=False, liger=False)
    assert one.line().startswith("a step of 16 rows takes 16 at once, without checkpointing;")


def test_it_is_shown_while_the_training_runs_and_once(job: Job, proved: Proved) -> None:
    proved(GAIN)
    inner, told, seen = Trainer("out_of_memory", "trained"), list[str](), list[list[str]]()

    def train(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        say(plan, ["how", "what would help"] if not inner.plans else ["otherwise", "what would help"])
        end = time.monotonic() + 30
        while told[-1] not in ("tiny: what would help", "tiny: otherwise") and time.monotonic() < end:
            time.sleep(0.01)
        seen.append(told[1:])
        return inner(plan, environ)

    run_training(replace(job, report=told.append), train=train)
    assert seen[0] == ["tiny: how", "tiny: what would help"]
    assert seen[1][2:] == ["tiny: out of memory with 4 rows at once; going on with 2", "tiny: otherwise"]


@pytest.mark.parametrize(("device", "package", "is_used", "note"), [
    ("cpu", None, False, None),
    ("cuda", None, False, "liger-kernel is not installed; pip install 'pytest-llmeval[gpu]'"),
    ("cuda", SimpleNamespace(), False, "liger-kernel 0.1 cannot be used, and the training goes on without it (Import"),
    ("cuda", SimpleNamespace(apply_liger_kernel_to_llama=lambda **which: None), True, None),
])  # fmt: skip
def test_ligers_kernels_are_used_where_they_can_be(
    monkeypatch: pytest.MonkeyPatch, trained: Plan, device: str, package: Any, is_used: bool, note: str | None
) -> None:
    """One that was made for another transformers ends no training."""
    import importlib.metadata

    from pytest_llmeval.training.liger import put_liger_in

    monkeypatch.setitem(sys.modules, "liger_kernel", package)
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers", package)
    if package is not None:
        monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.1")
    source = Source(base=Path(trained.config.base), hub_id=None, adapter=None)
    found = put_liger_in(trained.config.model_copy(update={"device": device}), source)
    assert found.is_used is is_used
    assert (found.note or "").startswith(note or "") is True
    assert (found.note is None) is (note is None)
