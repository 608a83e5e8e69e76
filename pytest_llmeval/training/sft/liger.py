"""Liger's kernels for the layers of Llama models on a GPU; the loss stays trl's."""

import importlib.metadata
import importlib.util
from dataclasses import dataclass

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.models.hf.sources import Source
from pytest_llmeval.training.config import TrainingConfig

__all__ = ["Liger", "may_put_liger_in", "put_liger_in"]


@dataclass(frozen=True, slots=True)
class Liger:
    """Whether Liger's kernels are used."""

    is_used: bool
    note: str | None = None
    """Reason why they are not used, although they are wanted and would help."""


def may_put_liger_in(config: TrainingConfig, source: Source) -> bool:
    """Return whether the kernels are wanted, useful and installed; ``put_liger_in`` finds out whether they work."""
    return _is_of_use(config, source) and importlib.util.find_spec("liger_kernel") is not None


def _is_of_use(config: TrainingConfig, source: Source) -> bool:
    is_llama = '"llama"' in (source.base / "config.json").read_text("utf-8")
    return config.device != "cpu" and config.kernels and is_llama


def put_liger_in(config: TrainingConfig, source: Source) -> Liger:
    """Patch the kernels into the layers that a base is loaded with, if they are wanted, useful and installed.

    Raises:
        SettingsError: patching failed, perhaps halfway.
    """
    if not _is_of_use(config, source):
        return Liger(False)
    try:
        from liger_kernel.transformers import apply_liger_kernel_to_llama
    except Exception as error:  # noqa: BLE001  # with versions of transformers, torch or Triton it does not know
        return Liger(False, _why_not(error))
    try:
        apply_liger_kernel_to_llama(
            rope=True, rms_norm=True, swiglu=True, cross_entropy=False, fused_linear_cross_entropy=False
        )
    except Exception as error:  # noqa: BLE001  # some parts may be patched by now
        message = one_line(f"{type(error).__name__}: {error}", 200)
        raise SettingsError(f"liger-kernel cannot be put in ({message}); kernels: false goes without it") from None
    return Liger(True)


def _why_not(error: Exception) -> str:
    try:
        version = importlib.metadata.version("liger-kernel")
    except importlib.metadata.PackageNotFoundError:
        return (
            "liger-kernel is not installed; pip install 'pytest-llmeval[gpu]' makes steps on a GPU faster (TRL alone"
            " with Llama 3.2 3B on an H100: by 4 to 28 %)"
        )
    message = one_line(f"{type(error).__name__}: {error}", 200)
    return f"liger-kernel {version} cannot be used, and the training goes on without it ({message})"
