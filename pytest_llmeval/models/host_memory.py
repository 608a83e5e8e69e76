"""Free memory of the host or container, and recognition of out-of-memory errors; without torch."""

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
"""Phrases of out-of-memory errors without a class of their own: from torch on a CPU, CUDA's libraries and Triton.

If torch cannot ask NVML how much memory is free (MIG, some containers), it raises the last of them instead of its own
class.
"""


def free_host_bytes(unknown: int) -> int:
    """Return the bytes that Linux reports as available, or those that a container's limit leaves if that is less.

    Args:
        unknown: value to use if the available memory cannot be read, as on systems other than Linux.
    """
    return min(_available(unknown), _under_cgroup())


def _available(unknown: int) -> int:
    try:
        lines = (_PROC / "meminfo").read_text("ascii").splitlines()
    except OSError:
        return unknown
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), unknown)


def _under_cgroup() -> int:
    """Return the bytes that a container's limit (cgroup v2) leaves; cached files do not count as used."""
    try:
        limit = (_CGROUP / "memory.max").read_text("ascii").strip()
        used = int((_CGROUP / "memory.current").read_text("ascii"))
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text("ascii").splitlines())
    except OSError:
        return _UNLIMITED
    if limit == "max":
        return _UNLIMITED
    return max(0, int(limit) - used + int(stat.get("inactive_file", 0)))


def says_out_of_memory(text: str) -> bool:
    """Return whether an error message means that the host or a device is out of memory."""
    lower = text.lower()
    return any(sign in lower for sign in _SIGNS)
