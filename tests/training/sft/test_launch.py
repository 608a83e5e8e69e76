"""Two processes that train together on a CPU, started as the supervisor starts them."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.training.checkpoints import newest_complete
from pytest_llmeval.training.config import LaunchModel
from pytest_llmeval.training.config_file import load_config
from pytest_llmeval.training.plan import Outcome, Plan
from pytest_llmeval.training.process import in_a_process
from tests.support.tiny_base import write_project
from tests.training.conftest import Train
from tests.training.sft.test_trainer import curves
from tests.training.stand_ins import run_json
from tests.training.test_whole import running_in, wait_for


def odd(root: Path) -> None:
    """Leave the last batch of held-out rows short of one, which is filled up for the second process."""
    path = root / "data" / "val.jsonl"
    path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[:-1]), "utf-8")


def plan_of(root: Path, base: Path, **changes: Any) -> Plan:
    """Return the plan of a training by two processes in ``root``."""
    path = write_project(root, base, launch={"processes": 2}, **changes)
    odd(root)
    (root / "run").mkdir(exist_ok=True)
    return Plan(
        name="tiny",
        id="t1",
        config=load_config(path, shown_as="tiny.yaml"),
        rootdir=root,
        folder=root / "run",
        free=8 << 30,
    )


def adapter(plan: Plan) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(plan.adapter / "adapter_model.safetensors"))


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Plan:
    plan = plan_of(tmp_path_factory.mktemp("together"), tiny_base)
    (plan.rootdir / "tmp").mkdir()
    outcome = in_a_process(plan, {**os.environ, "TMPDIR": str(plan.rootdir / "tmp")})
    assert outcome == Outcome(state="trained"), (plan.folder / "output.txt").read_text("utf-8")[-3000:]
    return plan


def largest_difference(one: Plan, two: Plan) -> float:
    """Return the largest difference between weights of two adapters."""
    first, second = adapter(one), adapter(two)
    assert first.keys() == second.keys()
    return max(float((first[name].float() - second[name].float()).abs().max()) for name in first)


def test_two_processes_make_the_steps_that_one_makes(together: Plan, train: Train) -> None:
    """The same rows in each step; sums are rounded in another order, by a bit of 16 here and there."""
    alone, _ = train(most_rows=2, edit=odd)
    for entry, other in zip(curves(alone), curves(together), strict=True):
        for name in ("loss", "grad_norm", "eval_loss", "eval_exact"):
            assert other.get(name, -1) == pytest.approx(entry.get(name, -1), rel=1e-3)
    assert largest_difference(alone, together) < 1e-3


def test_what_all_of_them_did_is_counted(together: Plan, trained: Plan) -> None:
    two, one = run_json(together), run_json(trained)
    assert (two["processes"], two["micro_batch"], two["accumulation"], two["steps"]) == (2, 2, 1, 8)
    assert two["tokens"] == one["tokens"]
    assert {path.name for path in together.adapter.iterdir()} == {path.name for path in trained.adapter.iterdir()}


def test_the_launcher_leaves_nothing_behind(together: Plan) -> None:
    assert list((together.rootdir / "tmp").glob("torchelastic*")) == []
    assert [path.name for path in together.folder.iterdir() if "log" in path.name] == []


def with_site(root: Path, code: str) -> dict[str, str]:
    """Return the environment of processes that run ``code`` when they start."""
    (root / "site").mkdir()
    (root / "site" / "sitecustomize.py").write_text(code, "utf-8")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "site"), *sys.path])}


BREAKING = """
import os, signal, sys, time

def on_step_begin(self, args, state, control, **kwargs):
    if state.global_step == 4:
        {how}

if "pytest_llmeval.training.sft.trainer" in sys.orig_argv and os.environ.get("RANK") == "{rank}":
    from transformers import EarlyStoppingCallback

    EarlyStoppingCallback.on_step_begin = on_step_begin
"""
"""One of the processes does something at the step after the first checkpoint."""


DEAF = """import ctypes
        lock, library = ctypes.create_string_buffer(64), ctypes.CDLL(None)
        [library.pthread_mutex_lock(lock) for _ in range(2)]
"""
"""It waits where Python calls no handler of a signal, as for NCCL."""


def test_what_happens_to_one_ends_all_and_is_told_by_it(tiny_base: Path, tmp_path: Path) -> None:
    """Soon: nobody has to be killed."""
    plan = plan_of(tmp_path, tiny_base)
    breaking = BREAKING.format(how=DEAF, rank=0) + BREAKING.format(how="raise MemoryError('no room')", rank=1)
    assert in_a_process(plan, with_site(tmp_path, breaking)) == Outcome(state="out_of_memory", message="no room")
    assert not plan.adapter.exists()
    printed = (plan.folder / "output.txt").read_text("utf-8")
    assert "closing signal SIGTERM" in printed and "forcefully exiting" not in printed


def test_one_that_is_killed_ends_all_which_go_on_to_the_same_bits(
    together: Plan, tiny_base: Path, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, tiny_base)
    environ = with_site(tmp_path, BREAKING.format(how="os.kill(os.getpid(), signal.SIGKILL)", rank=1))
    assert in_a_process(plan, environ) == Outcome(state="killed", message="process 1 of 2 was ended by SIGKILL")
    again = replace(plan, is_resumed=True)
    assert in_a_process(again, os.environ) == Outcome(state="trained")
    assert run_json(again)["resumed_from"] == 4
    assert largest_difference(again, together) == 0


def test_an_interrupt_makes_a_checkpoint_after_the_same_step_of_all(tiny_base: Path, tmp_path: Path) -> None:
    """SIGTERM comes to the launcher, and to the first process in its fifth step, as to all of a service or a job."""
    plan = plan_of(tmp_path, tiny_base)
    asking = BREAKING.format(
        how="[os.kill(pid, signal.SIGTERM) for pid in (os.getpid(), os.getppid())]; time.sleep(4)", rank=0
    )
    outcome = in_a_process(plan, with_site(tmp_path, asking))
    assert outcome == Outcome(state="interrupted", message="a checkpoint was made after step 5")
    assert newest_complete(plan.folder, plan.config.launch) == (plan.folder / "checkpoint-5", [])


def test_a_second_signal_ends_all_at_once(tiny_base: Path, tmp_path: Path) -> None:
    """The launcher too: the others are in sessions of their own, and this one would go on for a minute."""
    plan = plan_of(tmp_path, tiny_base)
    how = "[(os.kill(os.getppid(), signal.SIGTERM), time.sleep(1)) for _ in range(2)]; time.sleep(60)"
    outcome = in_a_process(plan, with_site(tmp_path, BREAKING.format(how=how, rank=0)))
    assert outcome.state == "killed"
    assert outcome.message.startswith("the process ended with -15")
    wait_for(lambda: not running_in(tmp_path))


THREADS = """
import os, sys

if "pytest_llmeval.training.sft.launcher" in sys.orig_argv:
    import torch

    torch.get_num_threads = lambda: 9
if "pytest_llmeval.training.sft.trainer" in sys.orig_argv:
    os.write(1, f"threads {os.environ['OMP_NUM_THREADS']}\\n".encode())  # at once: both processes write here
    os._exit(3)
"""


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_processes_share_the_cores(tiny_base: Path, tmp_path: Path, device: str) -> None:
    """On GPUs too they tokenise, and read the base that is split."""
    plan = plan_of(tmp_path, tiny_base)
    plan = replace(plan, config=plan.config.model_copy(update={"device": device}))
    environ = with_site(tmp_path, THREADS)
    del environ["OMP_NUM_THREADS"]
    in_a_process(plan, environ)
    assert "threads 4\n" in (plan.folder / "output.txt").read_text("utf-8")


SESSION = """
import os, sys
from pathlib import Path
from pytest_llmeval.training.plan import Plan
from pytest_llmeval.training.process import in_a_process

in_a_process(Plan.read(Path(sys.argv[1])), {**os.environ, "SESSION": str(os.getpid())})
"""


def test_a_session_that_is_killed_leaves_a_checkpoint_and_no_process(tiny_base: Path, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, tiny_base)
    killing = BREAKING.format(how="os.kill(int(os.environ['SESSION']), signal.SIGKILL); time.sleep(1)", rank=0)
    command = [sys.executable, "-c", SESSION, str(plan.write())]
    ended = subprocess.run(command, env=with_site(tmp_path, killing), check=False)
    assert ended.returncode == -signal.SIGKILL
    wait_for(lambda: not running_in(tmp_path))
    assert Outcome.read(plan.folder) == Outcome(state="interrupted", message="a checkpoint was made after step 5")


EARLY = """
import os, signal, sys

if "pytest_llmeval.training.sft.{module}" in sys.orig_argv:
    os.kill(int(os.environ["SESSION"]), signal.SIGKILL)
"""


@pytest.mark.parametrize(("processes", "module"), [(1, "trainer"), (2, "launcher")])
def test_a_session_that_is_killed_before_the_imports_are_done_is_missed(
    tiny_base: Path, tmp_path: Path, processes: int, module: str
) -> None:
    plan = plan_of(tmp_path, tiny_base)
    plan = replace(plan, config=plan.config.model_copy(update={"launch": LaunchModel(processes=processes)}))
    command = [sys.executable, "-c", SESSION, str(plan.write())]
    subprocess.run(command, env=with_site(tmp_path, EARLY.format(module=module)), check=False)
    wait_for(lambda: Outcome.read(plan.folder) is not None and not running_in(tmp_path))
    assert Outcome.read(plan.folder) == Outcome(state="interrupted", message="a checkpoint was made after step 1")


def test_a_checkpoint_that_lacks_the_random_numbers_of_one_is_passed_over(together: Plan, tmp_path: Path) -> None:
    shutil.copytree(together.folder / "checkpoint-4", tmp_path / "checkpoint-4")
    (tmp_path / "checkpoint-4" / "rng_state_1.pth").unlink()
    found = newest_complete(tmp_path, together.config.launch)
    assert found == (None, ["checkpoint-4: rng_state_1.pth is missing"])


@pytest.mark.parametrize(
    ("processes", "visible", "seen"),
    [(1, None, "0"), (2, None, "0,1"), (1, "3,5,7", "3"), (2, "3,5,7", "3,5"), (2, "", "")],
)
def test_each_process_is_let_see_a_gpu_of_its_own(
    tmp_path: Path, processes: int, visible: str | None, seen: str
) -> None:
    plan = plan_of(tmp_path, tmp_path)
    plan = replace(plan, config=plan.config.model_copy(update={"launch": LaunchModel(processes=processes)}))
    environ = with_site(
        tmp_path,
        "import os\nprint('seen', os.environ['CUDA_VISIBLE_DEVICES'], os.environ['CUDA_DEVICE_ORDER'], flush=True)\n"
        "os._exit(3)",
    )
    environ.pop("CUDA_VISIBLE_DEVICES", None)
    environ["CUDA_DEVICE_ORDER"] = "mine"  # that of the proof
    outcome = in_a_process(plan, environ if visible is None else {**environ, "CUDA_VISIBLE_DEVICES": visible})
    assert outcome == Outcome(state="failed", message=f"the process ended with 3:\nseen {seen} mine\n")


AS_ON_GPUS = """
import os, sys

if "pytest_llmeval.training.sft.trainer" in sys.orig_argv:
    import accelerate.state
    import torch

    def set_device(self):
        self.device = torch.device("cpu")

    torch.distributed.init_process_group("gloo")
    kind = accelerate.state.DistributedType.MULTI_GPU
    accelerate.state.PartialState._prepare_backend = lambda self, *rest: ("gloo", kind)
    accelerate.state.PartialState.set_device = set_device
"""
"""accelerate splits no weights over CPUs, which torch can do: so it takes them for GPUs."""

UNLIKE = """
if "pytest_llmeval.training.sft.trainer" in sys.orig_argv and os.environ["RANK"] == "1":
    from transformers.generation.stopping_criteria import EosTokenCriteria

    EosTokenCriteria.__call__ = lambda self, input_ids, scores, **rest: torch.ones(len(input_ids), dtype=torch.bool)
if "pytest_llmeval.training.sft.trainer" in sys.orig_argv:
    import faulthandler

    import accelerate

    accelerate.Accelerator.get_state_dict = None
    faulthandler.dump_traceback_later(240, exit=True)
"""
"""The answers of one process end after a token, as where its sums round otherwise; who waits for ever is ended.

Nobody gathers the base.
"""


def test_a_base_that_is_split_over_processes_is_trained_and_answers(
    train: Train, tiny_base: Path, tmp_path: Path
) -> None:
    alone, _ = train(most_rows=2, edit=odd, dtype="float32")
    plan = plan_of(tmp_path, tiny_base, dtype="float32")
    launch = LaunchModel(processes=2, engine="fsdp")
    plan = replace(plan, config=plan.config.model_copy(update={"launch": launch}))
    assert in_a_process(plan, with_site(tmp_path, AS_ON_GPUS + UNLIKE)) == Outcome(state="trained")
    for entry, other in zip(curves(alone), curves(plan), strict=True):
        for name in ("loss", "eval_loss", "eval_exact"):
            assert other.get(name, -1) == pytest.approx(entry.get(name, -1), rel=1e-2)
    assert largest_difference(alone, plan) < 0.05
    assert newest_complete(plan.folder, launch) == (plan.folder / "checkpoint-8", [])
