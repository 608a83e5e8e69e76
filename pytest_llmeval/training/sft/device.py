"""Checks that a GPU, and the libraries that compute on it, are usable, before any row is read."""

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
    """Raise if torch, bitsandbytes or Triton cannot compute on the configured device.

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
    if config.held == "4bit" or config.launch.engine == "ddp":  # whose optimizer comes from bitsandbytes
        require_bitsandbytes("cuda")
    _require_compiler(os.environ)


def _require_compiler(environ: Mapping[str, str]) -> None:
    """Make Triton build its launcher of kernels, or load it from its cache; trl's head and Liger are Triton kernels."""
    try:
        from triton.runtime import driver
    except ImportError:  # nothing is compiled then
        return
    try:
        driver.active.get_current_target()
    except Exception as error:  # noqa: BLE001  # from the compiler and the libraries it loads
        lacks = _lacks(environ) or [f"Triton cannot compile for this GPU: {one_line(str(error), 300)}"]
        raise SettingsError("\n".join(lacks)) from None


def _lacks(environ: Mapping[str, str]) -> list[str]:
    """Return what Triton needs and does not find, one message each; the search is that of its ``runtime/build.py``."""
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
