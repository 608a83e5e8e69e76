"""What a configuration needs that the machine has not."""

from pathlib import Path

import pytest

from pytest_llmeval.training.config_file import load_config
from pytest_llmeval.training.machine import Machine, lacking
from tests.support.tiny_base import write_project

NO_GPU = Machine(gpu=None, gpu_total=0, gpus=0, ram_free=8 << 30)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_gpu_that_is_needed_and_not_there_is_told_alike_on_every_device(tmp_path: Path, device: str) -> None:
    path = write_project(tmp_path, "no-such-base", device=device, needs={"gpu_gib": 8})
    told = lacking(load_config(path, shown_as="tiny.yaml"), NO_GPU)
    assert told == "needs a CUDA GPU with 8 GiB; none may be used here, by CUDA's driver and CUDA_VISIBLE_DEVICES"
