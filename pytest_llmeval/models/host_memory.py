"""Memory of the host that is free, as far as a container lets it be used; who ran out of any. Told without torch."""

from pathlib import Path

__all__ = ["free_host_bytes", "says_out_of_memory"]

_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")
_UNLIMITED = 2**62
_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "status_alloc_failed",
    "device_allocation_failed",
    "cublas_status_not_initialized",
    "nvml_success ==",
)
"""What errors say that have no class of their own: those of torch on a CPU, of CUDA's libraries and of Triton. Where
torch cannot ask NVML how much is free (MIG, some containers), it says so in place of its own class."""


def free_host_bytes(unknown: int) -> int:
    """Return the bytes that Linux says are available, or those that the limit of a container leaves if that is less.

    Args:
        unknown: what is returned where that is not told, as elsewhere than on Linux.
    """
    return min(_available(unknown), _under_cgroup())


def _available(unknown: int) -> int:
    try:
        lines = (_PROC / "meminfo").read_text("ascii").splitlines()
    except OSError:
        return unknown
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), unknown)


def _under_cgroup() -> int:
    """Return what a container's limit (cgroup v2) leaves, files that are only cached not counted as used."""
    try:
        limit = (_CGROUP / "memory.max").read_text("ascii").strip()
        used = int((_CGROUP / "memory.current").read_text("ascii"))
        told = dict(line.split() for line in (_CGROUP / "memory.stat").read_text("ascii").splitlines())
    except OSError:
        return _UNLIMITED
    if limit == "max":
        return _UNLIMITED
    return max(0, int(limit) - used + int(told.get("inactive_file", 0)))


def says_out_of_memory(text: str) -> bool:
    """Return whether an error says that memory is short, on the host or a device."""
    lower = text.lower()
    return any(sign in lower for sign in _SIGNS)
