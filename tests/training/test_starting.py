"""What is said at the start of a training: how its steps are carried out, and what would make it faster."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_llmeval.models.hf.sources import Source
from pytest_llmeval.training.looks import Look, read_looks
from pytest_llmeval.training.plan import Outcome, Plan
from pytest_llmeval.training.starting import Layout, say
from pytest_llmeval.training.supervise import Job, run_training
from tests.training.conftest import Train
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


def test_each_look_is_shown_while_the_training_runs(job: Job, proved: Proved) -> None:
    """Of each of its processes those that it wrote itself; of a training that ends before its first look none."""
    proved(GAIN)
    inner, told, seen = Trainer("out_of_memory", "trained"), list[str](), list[list[str]]()

    def train(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        for step in (25, 50) if not inner.plans else (75, 100):
            look = Look(step=step, steps=100, metric="exact", value=step / 300, loss=1.25, left_s=60.0 * (100 - step))
            look.write(plan.folder)
            wait_for(f"tiny: {look.line()}", told)
        seen.append(told[1:])
        return inner(plan, environ)

    run_training(replace(job, report=told.append), train=train)
    assert seen[0] == [
        "tiny: step 25 of 100: exact 0.08333, loss 1.25; about 1 h 15 min left",
        "tiny: step 50 of 100: exact 0.1667, loss 1.25; about 50 min left",
    ]
    assert seen[1][3:] == [
        "tiny: step 75 of 100: exact 0.25, loss 1.25; about 25 min left",
        "tiny: step 100 of 100: exact 0.3333, loss 1.25",
    ]
    assert max(map(len, [*seen[0], *seen[1][3:]])) <= 71  # with what stands before it on a screen of 80 columns


def wait_for(line: str, told: list[str]) -> None:
    end = time.monotonic() + 30
    while line not in told and time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.parametrize(("left_s", "told"), [(0.2, "1 s"), (29, "29 s"), (31, "1 min"), (3570, "1 h 0 min")])
def test_the_time_that_is_left_is_told_in_units_of_its_size(left_s: float, told: str) -> None:
    look = Look(step=1, steps=2, metric="exact", value=0, loss=1, left_s=left_s)
    assert look.line() == f"step 1 of 2: exact 0, loss 1; about {told} left"


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    look = Look(step=1, steps=2, metric="exact", value=0.0, loss=1.0, left_s=1.0)
    look.write(tmp_path)
    path = tmp_path / "looks.jsonl"
    line = path.read_bytes()
    path.write_bytes(line + line[:9])
    found, at = read_looks(tmp_path, 0)
    assert (found, at) == ([look], len(line))
    assert read_looks(tmp_path, at) == ([], at)
    path.write_bytes(line + line)
    assert read_looks(tmp_path, at) == ([look], 2 * len(line))


def test_a_training_writes_down_the_looks_that_it_is_asked_for(trained: Plan, train: Train) -> None:
    looks, _ = read_looks(trained.folder, 0)
    assert [(look.step, look.steps, look.metric) for look in looks] == [(4, 8, "exact"), (8, 8, "exact")]
    curves = [json.loads(line) for line in (trained.adapter / "train_log.jsonl").read_text("utf-8").splitlines()]
    assert [look.loss for look in looks] == [entry["eval_loss"] for entry in curves if "eval_loss" in entry]
    assert looks[0].left_s > looks[1].left_s == 0
    short, _ = train(optim__max_steps=3)
    assert read_looks(short.folder, 0) == ([], 0)


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

    from pytest_llmeval.training.sft.liger import put_liger_in

    monkeypatch.setitem(sys.modules, "liger_kernel", package)
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers", package)
    if package is not None:
        monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.1")
    source = Source(base=Path(trained.config.base), hub_id=None, adapter=None)
    found = put_liger_in(trained.config.model_copy(update={"device": device}), source)
    assert found.is_used is is_used
    assert (found.note or "").startswith(note or "") is True
    assert (found.note is None) is (note is None)
