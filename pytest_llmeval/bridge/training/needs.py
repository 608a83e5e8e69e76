"""Check that the packages which training needs are installed, in versions that are known to work."""

import importlib.metadata
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmeval.training.config import TrainingConfig

__all__ = ["missing", "missing_for"]

_NEEDED = ("accelerate", "bitsandbytes", "datasets", "filelock", "peft", "torch", "transformers", "trl")
_RANGES = {
    "trl": ((1, 15), (2,)),
    "peft": ((0, 21), (0, 22)),
    "transformers": ((5, 17), (6,)),
    "bitsandbytes": ((0, 50), (0, 51)),
}
"""Ranges of versions that are known to work: from the first, below the second."""


def missing() -> list[str]:
    """Return a message on packages that are missing or of a wrong version; empty if all is well."""
    lacking = [name for name in _NEEDED if not _is_there(name)]
    wrong = [told for name in _RANGES if name not in lacking for told in _wrong_version(name)]
    if not lacking and not wrong:
        return []
    found = [*(f"{name} is missing" for name in lacking), *wrong]
    return [f"training needs an extra: pip install 'pytest-llmeval[train]' ({', '.join(found)})"]


def missing_for(configurations: list["TrainingConfig"]) -> list[str]:
    """Return messages on further packages that some of the configurations need and that are not installed."""
    found = []
    if any(config.launch.engine == "deepspeed" for config in configurations) and not _is_there("deepspeed"):
        found.append("launch.engine: deepspeed is not installed: pip install deepspeed, or write ddp")
    if any(config.search is not None for config in configurations) and not _is_there("optuna"):
        found.append("search needs an extra: pip install 'pytest-llmeval[search]' (optuna is missing)")
    return found


def _is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _wrong_version(name: str) -> list[str]:
    version = importlib.metadata.version(name)
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    least, below = _RANGES[name]
    if least <= numbers < below:
        return []
    first, end = (".".join(map(str, bound)) for bound in (least, below))
    return [f"{name} is {version}, and {first} to below {end} is needed"]
