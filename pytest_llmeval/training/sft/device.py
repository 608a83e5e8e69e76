"""What a training asks of a GPU and of the libraries that compute on it, before any row is read."""

import os
import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import torch

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.models.hf.four_bit import require_bitsandbytes
from pytest_llmeval.training.config import TrainingConfig

__all__ = ["require_device"]


def require_device(config: TrainingConfig) -> None:
    """Look whether torch, bitsandbytes and Triton can compute where a configuration says.

    Raises:
        UserError: one of them cannot, with what it lacks.
    """
    if config.device == "cpu":
        return
    if not torch.cuda.is_available():
        raise SettingsError(
            f"CUDA's driver tells of a GPU, and torch {torch.__version__} cannot use it; install a build of torch for"
            " your CUDA version"
        )
    if config.held == "4bit" or config.launch.engine == "ddp":  # whose optimizer is bitsandbytes'
        require_bitsandbytes("cuda")
    _require_compiler(os.environ)


def _require_compiler(environ: Mapping[str, str]) -> None:
    """Have Triton build, or take from its cache, what it starts kernels by; trl's head and Liger are such."""
    try:
        from triton.runtime import driver
    except ImportError:  # nothing is compiled then
        return
    try:
        driver.active.get_current_target()
    except Exception as error:  # noqa: BLE001  # of what it builds and loads
        lacks = _lacks(environ) or [f"Triton cannot compile for this GPU: {one_line(str(error), 300)}"]
        raise SettingsError("\n".join(lacks)) from None


def _lacks(environ: Mapping[str, str]) -> list[str]:
    """Return what Triton looks for and does not find, as its ``runtime/build.py`` does, each in a line."""
    found = []
    compilers = [environ["CC"]] if "CC" in environ else ["gcc", "clang"]
    if not any(shutil.which(name, path=environ.get("PATH")) for name in compilers):
        found.append(
            f"Triton compiles kernels for the GPU with a C compiler, and {' or '.join(compilers)} is not there; install"
            " gcc (apt-get install gcc), or name another one in CC"
        )
    scheme = sysconfig.get_default_scheme()
    include = sysconfig.get_path("include", "posix_prefix" if scheme == "posix_local" else scheme)
    if not Path(include, "Python.h").is_file():
        found.append(
            f"Triton compiles kernels for the GPU with Python's headers, and {include}/Python.h is not there; install"
            f" them (apt-get install python{sysconfig.get_python_version()}-dev)"
        )
    return found
