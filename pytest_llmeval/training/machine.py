"""What this machine has, told without torch."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.training.config import TrainingConfig

__all__ = ["Machine", "lacking", "look_at"]

_TIMEOUT_S = 20.0
_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Memory in bytes."""

    gpu: str | None
    """Name of the first CUDA GPU; None without one."""
    gpu_total: int
    gpu_free: int
    gpus: int
    ram_free: int


def look_at() -> Machine:
    """Return what is there now; a GPU is what nvidia-smi tells of."""
    found = _gpus()
    name, total, free = found[0] if found else (None, 0, 0)
    return Machine(gpu=name, gpu_total=total, gpu_free=free, gpus=len(found), ram_free=_ram_free())


def lacking(config: TrainingConfig, machine: Machine) -> str | None:
    """Return what a configuration needs that the machine has not; None where it has all."""
    needs = config.needs
    gpu = f"a CUDA GPU with {needs.gpu_gib:g} GiB" if needs.gpu_gib else "a CUDA GPU"
    if config.device == "cuda" and machine.gpu is None:
        return f"needs {gpu}; nvidia-smi tells of none here"
    if machine.gpu_total < 0.95 * needs.gpu_gib * 2**30:  # a card of 8 GiB has a little less
        return f"needs {gpu}; {machine.gpu} has {machine.gpu_total / 2**30:.1f} GiB"
    if machine.ram_free < needs.ram_gib * 2**30:
        return f"needs {needs.ram_gib:g} GiB of free memory; {machine.ram_free / 2**30:.1f} GiB are free"
    return None


def _gpus() -> list[tuple[str, int, int]]:
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True).stdout
        rows = [line.rsplit(",", 2) for line in told.splitlines() if line.strip()]
        return [(name.strip(), int(total) * _MIB, int(free) * _MIB) for name, total, free in rows]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def _ram_free() -> int:
    """Return what Linux says is available; elsewhere as if there were enough."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return 1 << 62
    found = dict(line.split(":", 1) for line in lines)
    return int(found["MemAvailable"].split()[0]) * 1024
