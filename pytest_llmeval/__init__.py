"""Evals of language models as pytest tests."""

from pytest_llmeval.version import __version__

__all__ = ["__version__"]
