"""The ``hf:`` spec of the base model that a configuration trains on."""

from pathlib import Path

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.models.weights_spec import WeightsSpec
from pytest_llmeval.training.config import TrainingConfig

__all__ = ["require_speakable", "weights_of"]


def weights_of(config: TrainingConfig, base: str, adapter: str | None = None) -> WeightsSpec:
    """Return the ``hf:`` spec of the base that a configuration trains on.

    Args:
        config: states how the base is stored, and on which device.
        base: the absolute path of its folder, or its id on the hub with ``@REVISION``.
        adapter: the folder of an adapter on top; None for the base alone.
    """
    name, _, revision = (base, "", "") if Path(base).is_absolute() else base.partition("@")
    return WeightsSpec(
        base=name,
        adapter=adapter,
        revision=revision or None,
        load=config.load,
        dtype=config.dtype,
        device=config.device,
    )


def require_speakable(folder: Path, advice: str) -> None:
    """Raise SettingsError if a folder cannot be written in a model spec, because its path contains a ``+``.

    Args:
        folder: of a base, or one in which adapters will lie.
        advice: what the user should do instead.
    """
    if "+" in str(folder):
        raise SettingsError(f"{folder}: a '+' in a model's spec begins its adapter, so none lies below it; {advice}")
