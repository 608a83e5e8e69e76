"""The command ``llmeval``."""

from pytest_llmeval.cli.app import main

__all__ = ["main"]
