"""The entry of several processes that train together, started by ``accelerate launch``; run like ``trainer``.

A signal asks it to end, and a file in the training's folder passes that on: each process looks for the file at the end
of a step. accelerate would pass on the signal and kill after 30 s, however long a step takes.
"""

import os
import shutil
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import yaml
from accelerate.commands.launch import launch_command, launch_command_parser
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from pytest_llmeval.core.parent import PARENT, parent_pid
from pytest_llmeval.training.config import TrainingConfig
from pytest_llmeval.training.plan import Outcome, Plan

__all__ = ["main"]

_TRAINER = "pytest_llmeval.training.sft.trainer"
_BETWEEN_LOOKS_S = 0.2


def main(arguments: list[str]) -> int:
    """Train by the plan in a file with several processes; return 0 if they left an outcome, else 1."""
    plan = Plan.read(Path(arguments[0]))
    plan.end_mark.unlink(missing_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _asked_to_end(plan))
    config = plan.folder / "launch.yaml"
    config.write_text(yaml.safe_dump(_launch_file(plan.config)), "utf-8")
    session = parent_pid()
    os.environ[PARENT] = str(os.getpid())
    if plan.config.device == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"
    # By default accelerate gives each of several processes one thread.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, torch.get_num_threads() // plan.config.launch.processes)))
    logs = plan.folder / "launch_logs"
    wrong: list[BaseException] = []
    # In a thread, because in the main one it would replace the signal handlers.
    processes = threading.Thread(target=_launch, args=(config, logs, arguments[0], wrong))
    processes.start()
    while processes.is_alive():
        processes.join(_BETWEEN_LOOKS_S)
        if os.getppid() != session:
            plan.end_mark.touch()
    shutil.rmtree(logs, ignore_errors=True)
    for error in wrong:
        _tell(error, plan)
    return 0 if Outcome.read(plan.folder) is not None else 1


def _launch_file(config: TrainingConfig) -> dict[str, Any]:
    """Return the settings of ``accelerate launch`` for a configuration.

    On a CPU they name several GPUs too, because accelerate starts a single process when asked for the CPU.
    """
    launch = config.launch
    found: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": {"ddp": "MULTI_GPU", "fsdp": "FSDP", "deepspeed": "DEEPSPEED"}[launch.engine],
        "num_processes": launch.processes,
        "num_machines": 1,
        "machine_rank": 0,
        "main_process_port": 0,
        "mixed_precision": "no",
        "gpu_ids": "all",
        "debug": False,
        "main_training_function": "main",
    }
    if launch.engine == "fsdp":
        found["fsdp_config"] = {
            "fsdp_version": 2,
            "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "fsdp_reshard_after_forward": True,
            "fsdp_cpu_ram_efficient_loading": False,
            "fsdp_state_dict_type": "FULL_STATE_DICT",
            "fsdp_offload_params": False,
        }
    if launch.engine == "deepspeed":
        found["deepspeed_config"] = {
            "zero_stage": 2,
            "gradient_accumulation_steps": "auto",
            "gradient_clipping": "auto",
            "offload_optimizer_device": "none",
            "offload_param_device": "none",
            "zero3_init_flag": False,
        }
    return found


def _launch(config: Path, logs: Path, plan: str, wrong: list[BaseException]) -> None:
    # Without a folder for its logs, which stay empty, torch leaves one among the system's temporary files.
    options = ["--config_file", str(config), "--log_dir", str(logs), "--module", _TRAINER, plan]
    arguments = launch_command_parser().parse_args(options)
    try:
        launch_command(arguments)
    except BaseException as error:  # noqa: BLE001  # it ends a thread; the main thread reports it
        wrong.append(error)


def _asked_to_end(plan: Plan) -> Any:
    def note(number: int, frame: FrameType | None) -> None:
        plan.end_mark.touch()
        signal.signal(number, signal.SIG_DFL)  # a second one ends this process at once, the kernel the others

    return note


def _tell(error: BaseException, plan: Plan) -> None:
    """Write the outcome of a process that was killed by a signal before it could do so."""
    traceback.print_exception(error)
    if not isinstance(error, ChildFailedError) or Outcome.read(plan.folder) is not None:
        return
    ends = {rank: -failure.exitcode for rank, failure in sorted(error.failures.items()) if failure.exitcode < 0}
    # The other processes were ended by SIGTERM because one had ended.
    rank = next((rank for rank, number in ends.items() if number != signal.SIGTERM), None)
    if rank is not None:
        name = signal.Signals(ends[rank]).name
        message = f"process {rank} of {plan.config.launch.processes} was ended by {name}"
        Outcome(state="killed" if name == "SIGKILL" else "failed", message=message).write(plan.folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
