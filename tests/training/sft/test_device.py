"""What is missing on a GPU, told before any row is read."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.config import TrainingConfig
from pytest_llmeval.training.config_file import load_config
from tests.support.tiny_base import write_project


class NoTriton:
    """Its driver, where what it builds cannot be built."""

    def get_current_target(self) -> None:
        raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingConfig:
    """Of a training on a GPU, whose torch can use it and whose Triton cannot."""
    import torch

    from pytest_llmeval.training.sft import device

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device, "require_bitsandbytes", lambda device: None)
    monkeypatch.setitem(sys.modules, "triton", SimpleNamespace())
    runtime: Any = SimpleNamespace(driver=SimpleNamespace(active=NoTriton()))
    monkeypatch.setitem(sys.modules, "triton.runtime", runtime)
    return load_config(write_project(tmp_path, "base", device="cuda"), shown_as="tiny.yaml")


def test_a_compiler_and_headers_that_are_missing_are_told_each_in_a_line(
    config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_llmeval.training.sft.device import require_device

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("sysconfig.get_path", lambda name, scheme: str(tmp_path / name))
    with pytest.raises(SettingsError) as caught:
        require_device(config)
    compiler, headers = str(caught.value).splitlines()
    assert "with a C compiler, and gcc or clang is not there; install gcc" in compiler
    assert f"and {tmp_path}/include/Python.h is not there" in headers
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "Python.h").touch()
    (tmp_path / "gcc").touch(0o755)
    with pytest.raises(SettingsError, match=r"^Triton cannot compile for this GPU: Failed to find C compiler\."):
        require_device(config)
    monkeypatch.setenv("CC", "tcc")
    with pytest.raises(SettingsError, match="and tcc is not there"):
        require_device(config)


def test_a_gpu_without_triton_compiles_nothing(config: TrainingConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_llmeval.training.sft.device import require_device

    monkeypatch.setitem(sys.modules, "triton.runtime", None)
    require_device(config)
