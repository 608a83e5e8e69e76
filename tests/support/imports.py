"""What a session may import of the package, imported at once."""

import importlib
import pkgutil

__all__ = ["load_all"]

_PARTS = ("bridge", "core", "engine", "loaders", "models", "reports", "scorers", "store")
"""What a session may import of the package; of ``models`` without ``hf``, which imports torch."""


def load_all(*more: str) -> None:
    """Import the modules of ``_PARTS``, and of ``more``, before any run inside this process.

    pytester forgets what a run imported: the next one would pay again, and find a second registry of scorers.
    """
    for part in (*_PARTS, *more):
        package = importlib.import_module(f"pytest_llmeval.{part}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith("pytest_llmeval.models.hf"):
                importlib.import_module(module.name)
