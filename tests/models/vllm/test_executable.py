"""Which ``vllm`` is run, and its version."""

import sys
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.vllm.executable import find_vllm, vllm_version


@pytest.fixture(autouse=True)
def no_version_is_known() -> None:
    vllm_version.cache_clear()


def executable(path: Path, text: str = "#!/bin/sh\necho 0.1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(0o755)
    return path


def test_the_named_one_goes_before_that_of_the_environment_and_that_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment need not be activated."""
    named, beside, found = (executable(tmp_path / name / "vllm") for name in ("named", "venv", "path"))
    environ = {"PATH": str(found.parent)}
    assert find_vllm(environ) == found
    monkeypatch.setattr(sys, "executable", str(beside.parent / "python"))
    assert find_vllm(environ) == beside
    assert find_vllm({**environ, "LLMEVAL_VLLM": str(named)}) == named


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, r"pip install 'pytest-llmeval\[vllm\]' .*LLMEVAL_VLLM"),
        ({"PATH": "/nowhere"}, r"no executable vllm is beside this Python or on PATH"),
        ({"LLMEVAL_VLLM": "/nowhere/vllm"}, "LLMEVAL_VLLM=/nowhere/vllm: no such executable"),
    ],
)
def test_without_vllm(environ: dict[str, str], message: str) -> None:
    """Told at collection."""
    with pytest.raises(ModelError, match=message):
        check_model(resolve_model("vllm:org/model", {}), environ)


def test_the_version_is_that_of_the_package_beside_it(tmp_path: Path) -> None:
    """Nothing is run for it; a link leads to the environment that it points to."""
    path = executable(tmp_path / "venv" / "bin" / "vllm", "#!/bin/sh\nexit 9\n")
    info = tmp_path / "venv" / "lib" / "python3.12" / "site-packages" / "vllm-0.34.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.34.1\n", "utf-8")
    link = tmp_path / "vllm"
    link.symlink_to(path)
    assert vllm_version(path) == vllm_version(link) == "0.34.1"


def test_without_a_package_it_is_asked(tmp_path: Path) -> None:
    """A wrapper around a container, say; a log may stand before the version."""
    assert vllm_version(executable(tmp_path / "vllm", "#!/bin/sh\necho INFO starting\necho 0.35.0\necho\n")) == "0.35.0"


def test_one_that_tells_none_is_an_error(tmp_path: Path) -> None:
    path = executable(tmp_path / "vllm", "#!/bin/sh\necho 'ImportError: libcudart.so' >&2\nexit 1\n")
    with pytest.raises(ModelError, match=r"vllm --version ended with status 1: ImportError: libcudart.so"):
        vllm_version(path)
