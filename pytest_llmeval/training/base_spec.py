"""What an ``hf:`` spec says of the base that a configuration trains on."""

from pathlib import Path

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.models.weights_spec import WeightsSpec
from pytest_llmeval.training.config import TrainingConfig

__all__ = ["require_speakable", "weights_of"]


def weights_of(config: TrainingConfig, base: str, adapter: str | None = None) -> WeightsSpec:
    """Return what an ``hf:`` spec says of the base that a configuration trains on.

    Args:
        config: how it is held.
        base: the absolute path of its folder, or its id of the hub with ``@REVISION``.
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
    """Raise SettingsError where a folder cannot stand in the spec of a model.

    Args:
        folder: of a base, or one that adapters will lie in.
        advice: what to do then.
    """
    if "+" in str(folder):
        raise SettingsError(f"{folder}: a '+' in a model's spec begins its adapter, so none lies below it; {advice}")
