"""Find the ``vllm`` executable that serves ``vllm:`` models, and its version.

vLLM is not imported, as it may be installed in an environment of its own.
"""

import functools
import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.home import at_home

__all__ = ["find_vllm", "vllm_version"]

_VERSION_S = 120.0


def find_vllm(environ: Mapping[str, str]) -> Path:
    """Return the executable: that of ``LLMEVAL_VLLM``, else the one beside this Python, else the first on ``PATH``.

    Raises:
        ModelError: there is none.
    """
    path = environ.get("PATH", "")
    named = environ.get("LLMEVAL_VLLM")
    if named:
        found = shutil.which(at_home(named), path=path)
        problem = f"LLMEVAL_VLLM={named}: no such executable"
    else:
        found = shutil.which("vllm", path=str(Path(sys.executable).parent)) or shutil.which("vllm", path=path)
        problem = (
            "vllm: models need vLLM, and no executable vllm is beside this Python or on PATH: pip install"
            " 'pytest-llmeval[vllm]' (Linux, GPU, gigabytes), or install vllm in an environment of its own and set"
            " LLMEVAL_VLLM to its bin/vllm"
        )
    if found is None:
        raise ModelError(problem)
    return Path(found)


@functools.cache
def vllm_version(executable: Path) -> str:
    """Return the version of vLLM: that of the package beside ``executable``, else what ``--version`` prints.

    Raises:
        ModelError: ``--version`` fails or prints nothing.
    """
    root = executable.resolve().parent.parent
    places = [str(place) for place in root.glob("lib/python3*/*-packages")]
    beside = next(iter(importlib.metadata.distributions(name="vllm", path=places)), None)
    return beside.version if beside is not None else _printed_version(executable)


def _printed_version(executable: Path) -> str:
    try:
        done = subprocess.run(
            [executable, "--version"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_VERSION_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"{executable} --version: {error}") from None
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ModelError(f"{executable} --version ended with status {done.returncode}: {said}")
    return lines[-1]
