"""The GPUs that CUDA lets a process use, as JSON: ``python -m pytest_llmeval.training.gpus``.

CUDA's driver is asked, as torch does, because only the driver knows what CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER
mean for cards and parts of cards. This happens in a process of its own, since a process that asks keeps the driver
loaded.
"""

import ctypes
import json
import os
from typing import Any

__all__ = ["gpus"]

_DRIVER = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
_LONGEST_NAME = 256


def gpus() -> list[tuple[str, int]]:
    """Return name and memory in bytes of each GPU, in CUDA's order; empty without a driver, or if it finds none."""
    count = ctypes.c_int()
    try:
        driver = ctypes.CDLL(_DRIVER)
        _ask(driver, "cuInit", 0)
        _ask(driver, "cuDeviceGetCount", ctypes.byref(count))
        return [_told(driver, number) for number in range(count.value)]
    except OSError:
        return []


def _told(driver: Any, number: int) -> tuple[str, int]:
    device, name, total = ctypes.c_int(), ctypes.create_string_buffer(_LONGEST_NAME), ctypes.c_size_t()
    _ask(driver, "cuDeviceGet", ctypes.byref(device), number)
    _ask(driver, "cuDeviceGetName", name, _LONGEST_NAME, device)
    _ask(driver, "cuDeviceTotalMem_v2", ctypes.byref(total), device)
    return name.value.decode(errors="replace"), total.value


def _ask(driver: Any, name: str, *arguments: Any) -> None:
    status = getattr(driver, name)(*arguments)
    if status:
        raise OSError(f"{name}: CUDA error {status}")


if __name__ == "__main__":
    print(json.dumps(gpus()))  # noqa: T201  # read by the process that asked
