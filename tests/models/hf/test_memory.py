"""How an error says that there is too little memory."""

import pytest
import torch

from pytest_llmeval.models.hf.memory import is_out_of_memory

SAID = [
    "Triton Error [CUDA]: out of memory",
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
    "NCCL error: unhandled cuda error. Last error: Cuda failure 2 'out of memory'",
    "MPS backend out of memory (MPS allocated: 9.00 GB)",
    "[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: can't allocate memory: tried to get 9 bytes",
    "[enforce fail at alloc_cpu.cpp:116] data. DefaultCPUAllocator: not enough memory: tried to get 9 bytes",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    'NVML_SUCCESS == r INTERNAL ASSERT FAILED at "/pytorch/c10/cuda/CUDACachingAllocator.cpp":1016',
    "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
]


@pytest.mark.parametrize("text", SAID)
def test_no_memory_is_known_by_what_is_said(text: str) -> None:
    """Of these torch has no class."""
    assert is_out_of_memory(RuntimeError(text))


def test_no_memory_is_known_by_its_class() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError())


@pytest.mark.parametrize(
    "text",
    ["CUDA error: an illegal memory access was encountered", "out of resource: shared memory, Required: 99", ""],
)
def test_what_fewer_rows_would_not_mend_is_no_want_of_memory(text: str) -> None:
    assert not is_out_of_memory(RuntimeError(text))
