import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmeval.models.vllm.executable import vllm_version
from pytest_llmeval.models.vllm.host import VllmModels
from tests.support.fake_vllm import FakeVllm, write_adapter, write_base


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeVllm:
    """The ``vllm`` on PATH; its log files lie below the test's own folder."""
    vllm_version.cache_clear()
    (tmp_path / "logs").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "logs"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "logs"))
    return FakeVllm(tmp_path / "bin", monkeypatch)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_base(tmp_path / "base")


@pytest.fixture
def adapter(tmp_path: Path, base: Path) -> Path:
    return write_adapter(tmp_path / "adapter", base)


@pytest.fixture
def models(fake: FakeVllm) -> Iterator[VllmModels]:
    """The servers of this process; after the test none of their processes is left."""
    held = VllmModels(os.environ)
    yield held
    held.stop()
    fake.assert_none_is_left()
