"""What this machine has, told without torch."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.models.host_memory import free_host_bytes
from pytest_llmeval.training.config import TrainingConfig

__all__ = ["Machine", "lacking", "look_at", "times_killed_for_memory"]

_TIMEOUT_S = 20.0
_MIB = 1 << 20
_UNKNOWN_FREE = 1 << 62
"""Where it is not told, a training begins as if there were enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Memory in bytes."""

    gpu: str | None
    """Name of the CUDA GPU with the least memory among those that are used; None without one."""
    gpu_total: int
    gpu_free: int
    """The least of those that are used."""
    gpus: int
    """How many may be used."""
    ram_free: int


def look_at(environ: Mapping[str, str], *, processes: int) -> Machine:
    """Return what is there now; a GPU is what nvidia-smi tells of and CUDA_VISIBLE_DEVICES lets be seen.

    Args:
        environ: of this session.
        processes: that train together, each on a GPU of its own, the first ones.
    """
    found = _gpus(environ.get("CUDA_VISIBLE_DEVICES"))
    used = found[:processes]
    name, total = min(((gpu.name, gpu.total) for gpu in used), key=lambda each: each[1], default=(None, 0))
    free = min((gpu.free for gpu in used), default=0)
    return Machine(gpu=name, gpu_total=total, gpu_free=free, gpus=len(found), ram_free=free_host_bytes(_UNKNOWN_FREE))


def lacking(config: TrainingConfig, machine: Machine) -> str | None:
    """Return what a configuration needs that the machine has not; None where it has all."""
    needs = config.needs
    gpu = f"a CUDA GPU with {needs.gpu_gib:g} GiB" if needs.gpu_gib else "a CUDA GPU"
    if config.device == "cuda" and machine.gpu is None:
        return f"needs {gpu}; none may be used here, by nvidia-smi and CUDA_VISIBLE_DEVICES"
    if config.device == "cuda" and machine.gpus < config.launch.processes:
        return f"needs {config.launch.processes} CUDA GPUs for its launch.processes; {machine.gpus} may be used here"
    if machine.gpu_total < 0.95 * needs.gpu_gib * 2**30:  # a card of 8 GiB has a little less
        return f"needs {gpu}; {machine.gpu} has {machine.gpu_total / 2**30:.1f} GiB"
    if machine.ram_free < needs.ram_gib * 2**30:
        return f"needs {needs.ram_gib:g} GiB of free memory; {machine.ram_free / 2**30:.1f} GiB are free"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gpu:
    name: str
    total: int
    free: int


def _gpus(visible: str | None) -> list[_Gpu]:
    """Return the GPUs that ``visible`` lists, by number or by the beginning of a UUID, in its order; None for all."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=uuid,name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True).stdout
        rows = [line.split(",", 1) for line in told.splitlines() if line.strip()]
        gpus = {uuid.strip(): _gpu(rest) for uuid, rest in rows}
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
    if visible is None:
        return list(gpus.values())
    chosen = []
    for name in map(str.strip, visible.split(",")):
        fitting = [gpu for number, (uuid, gpu) in enumerate(gpus.items()) if name and _is_meant(name, number, uuid)]
        if not fitting:
            break  # as CUDA does: none from the first on that is not there
        chosen.append(fitting[0])
    return chosen


def _gpu(told: str) -> _Gpu:
    name, total, free = told.rsplit(",", 2)
    return _Gpu(name=name.strip(), total=int(total) * _MIB, free=int(free) * _MIB)


def _is_meant(name: str, number: int, uuid: str) -> bool:
    return name == str(number) or (not name.isdigit() and uuid.startswith(name))


def times_killed_for_memory() -> int:
    """Return how many processes Linux has killed for want of memory since it started; 0 where that is not told."""
    try:
        lines = Path("/proc/vmstat").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
