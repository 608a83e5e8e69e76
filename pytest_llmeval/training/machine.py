"""The machine's GPUs and free memory, found without torch."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.models.host_memory import free_host_bytes
from pytest_llmeval.training.config import TrainingConfig

__all__ = ["Machine", "lacking", "look_at", "times_killed_for_memory", "usable_gpus"]

_TIMEOUT_S = 60.0
"""Time limit for listing GPUs; CUDA takes some seconds for each GPU that no process keeps awake."""
_UNKNOWN_FREE = 1 << 62
"""Free memory in bytes that is assumed where the system does not tell: enough for any training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a training can use on this machine; memory in bytes."""

    gpu: str | None
    """Name of the used CUDA GPU with the least memory; None without one."""
    gpu_total: int
    """Total memory of that GPU; each process measures by itself how much of it is free."""
    gpus: int
    """Number of GPUs that may be used."""
    ram_free: int


def look_at(environ: Mapping[str, str], config: TrainingConfig) -> Machine:
    """Return what the machine has now, with GPUs only if a configuration needs one.

    Args:
        environ: of this session.
        config: its processes use one GPU each, the first of those that may be used.
    """
    found = usable_gpus(environ) if config.device == "cuda" or config.needs.gpu_gib else []
    name, total = min(found[: config.launch.processes], key=lambda each: each[1], default=(None, 0))
    return Machine(gpu=name, gpu_total=total, gpus=len(found), ram_free=free_host_bytes(_UNKNOWN_FREE))


def lacking(config: TrainingConfig, machine: Machine) -> str | None:
    """Return in words what a configuration needs and the machine lacks; None if it has everything."""
    needs = config.needs
    gpu = f"a CUDA GPU with {needs.gpu_gib:g} GiB" if needs.gpu_gib else "a CUDA GPU"
    if (config.device == "cuda" or needs.gpu_gib) and machine.gpu is None:
        return f"needs {gpu}; none may be used here, by CUDA's driver and CUDA_VISIBLE_DEVICES"
    if config.device == "cuda" and machine.gpus < config.launch.processes:
        return f"needs {config.launch.processes} CUDA GPUs for its launch.processes; {machine.gpus} may be used here"
    if machine.gpu_total < 0.95 * needs.gpu_gib * 2**30:  # a card sold with 8 GiB has a little less
        return f"needs {gpu}; {machine.gpu} has {machine.gpu_total / 2**30:.1f} GiB"
    if machine.ram_free < needs.ram_gib * 2**30:
        return f"needs {needs.ram_gib:g} GiB of free memory; {machine.ram_free / 2**30:.1f} GiB are free"
    return None


def usable_gpus(environ: Mapping[str, str]) -> list[tuple[str, int]]:
    """Return name and memory in bytes of the GPUs that a process with ``environ`` may use, in its order."""
    command = [sys.executable, "-m", "pytest_llmeval.training.gpus"]
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
            env=environ,
            stdin=subprocess.DEVNULL,
        )
        return [(name, total) for name, total in json.loads(ended.stdout.splitlines()[-1])]
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return []


def times_killed_for_memory() -> int:
    """Return how many processes Linux has killed for lack of memory since it started; 0 if the system does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
