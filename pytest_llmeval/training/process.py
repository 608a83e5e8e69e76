"""The process that carries out a plan, or the launcher of several: starting it, awaiting it, reading its outcome."""

import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from pytest_llmeval.core.child import run_child
from pytest_llmeval.core.errors import LlmevalError, SettingsError
from pytest_llmeval.core.text import counted
from pytest_llmeval.models.host_memory import says_out_of_memory
from pytest_llmeval.training.machine import times_killed_for_memory
from pytest_llmeval.training.plan import Outcome, Plan, State

__all__ = ["Train", "TrainingFailedError", "carried_out", "in_a_process", "require_trained"]

Train = Callable[[Plan, Mapping[str, str]], Outcome]
"""A function that carries out a plan in an environment and returns the outcome."""

_TAIL = 3000
_ALONE = "pytest_llmeval.training.sft.trainer"
_TOGETHER = "pytest_llmeval.training.sft.launcher"


class TrainingFailedError(LlmevalError):
    """Raised if a training failed, or if its adapter is not better than its base."""


def carried_out(plan: Plan, train: Train, *, environ: Mapping[str, str], report: Callable[[str], None]) -> Outcome:
    """Train by ``plan``, and once more with half the rows in memory if it runs out of memory; return how it ended.

    Args:
        plan: what is trained.
        train: carries it out.
        environ: of the processes.
        report: shows one line to the user, also if training ends before its last step.
    """
    outcome = _in_memory(plan, train, environ=environ, report=report)
    if outcome.state == "trained" and outcome.message:
        report(f"{plan.name}: {outcome.message}")
    return outcome


def _in_memory(plan: Plan, train: Train, *, environ: Mapping[str, str], report: Callable[[str], None]) -> Outcome:
    outcome = train(plan, environ)
    if outcome.state != "out_of_memory":
        return outcome
    laid_out = plan.folder / "fit.json"
    if not laid_out.exists():
        return replace(outcome, message=f"out of memory before anything was loaded ({outcome.message})")
    fit = json.loads(laid_out.read_text("utf-8"))
    rows = fit["micro_batch"]
    fewer, often = rows // 2 or int(not fit["checkpointing"]), "with one row at once"
    if fewer:
        less = fewer if fewer < rows else "checkpointing"
        report(f"{plan.name}: out of memory with {counted(rows, 'row')} at once; going on with {less}")
        outcome = train(replace(plan, is_resumed=True, most_rows=fewer), environ)
        before, fit = fit, json.loads(laid_out.read_text("utf-8"))
        often = "twice" if fit != before else "twice, the second time before anything was loaded"
    if outcome.state != "out_of_memory":
        return outcome
    table = "\n".join(fit["estimate"])
    return replace(outcome, message=f"out of memory {often} ({outcome.message}); the estimate was:\n{table}")


def require_trained(outcome: Outcome, *, name: str) -> None:
    """Raise if a training failed.

    Args:
        outcome: of the training.
        name: of its configuration.

    Raises:
        SettingsError: something the user wrote is wrong.
        TrainingFailedError: it failed for another reason.
    """
    if outcome.state == "refused":
        raise SettingsError(f"{name}: {outcome.message}")
    if outcome.state == "out_of_memory":
        raise TrainingFailedError(outcome.message)
    if outcome.state == "unsaved":
        raise TrainingFailedError(f"{name}: {outcome.message}")
    if outcome.state != "trained":
        raise TrainingFailedError(f"{name}: training {outcome.state}: {outcome.message}")


def in_a_process(
    plan: Plan, environ: Mapping[str, str], *, interrupted: Callable[[Plan], None] = lambda plan: None
) -> Outcome:
    """Train by ``plan`` in a process and return how it ended; its output goes into ``output.txt`` in the plan's folder.

    Args:
        plan: what is trained.
        environ: of the process.
        interrupted: called at an interrupt, while the process is still running.

    Raises:
        KeyboardInterrupt: this process was interrupted; the other one has since made a checkpoint.
    """
    path = plan.write()
    (plan.folder / "outcome.json").unlink(missing_ok=True)
    processes = plan.config.launch.processes
    module = _ALONE if processes == 1 else _TOGETHER
    kept = {name: value for name, value in environ.items() if name != "PYTHONWARNINGS"}  # libraries raise warnings too
    killed_before = times_killed_for_memory()
    with open(plan.folder / "output.txt", "ab") as output:
        before = output.tell()
        ended = run_child(
            [sys.executable, "-m", module, str(path)],
            output=output,
            cwd=plan.rootdir,
            environ={**kept, **_gpus(environ, processes), "PYTHONUNBUFFERED": "1"},
            interrupted=partial(interrupted, plan),
        )
    outcome = Outcome.read(plan.folder)
    is_killed = ended.returncode == -9 if outcome is None else outcome.state == "killed"
    if is_killed and times_killed_for_memory() > killed_before:
        return Outcome(state="out_of_memory", message="the system killed it for want of memory")
    if outcome is None:
        printed = (plan.folder / "output.txt").read_bytes()[before:].decode(errors="replace")
        return _without_word(ended.returncode, printed)
    return outcome


def _without_word(returncode: int, printed: str) -> Outcome:
    """Return the outcome of a process that left none: bitsandbytes ends it with a line if CUDA is out of memory."""
    short = next((line for line in reversed(printed.splitlines()) if says_out_of_memory(line)), None)
    if short is not None:
        return Outcome(state="out_of_memory", message=short)
    state: State = "killed" if -returncode in (signal.SIGKILL, signal.SIGTERM) else "failed"
    return Outcome(state=state, message=f"the process ended with {returncode}:\n{printed[-_TAIL:]}")


def _gpus(environ: Mapping[str, str], processes: int) -> dict[str, str]:
    """Return CUDA_VISIBLE_DEVICES with one GPU for each process: trl does not accept several in one process."""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    names = map(str, range(processes)) if visible is None else visible.split(",")[:processes]
    return {"CUDA_VISIBLE_DEVICES": ",".join(names)}
