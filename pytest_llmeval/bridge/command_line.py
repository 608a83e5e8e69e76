"""What a person said on the command line itself, which counts where a session goes on with a run."""

import argparse

import pytest

from pytest_llmeval.bridge.options import widen_short_names

__all__ = ["on_command_line"]


def on_command_line(config: pytest.Config) -> argparse.Namespace:
    """Return the options as they stand there, those of ``addopts`` and ``PYTEST_ADDOPTS`` left out."""
    arguments = list(map(str, config.invocation_params.args))
    widen_short_names(arguments, config._parser)
    return config._parser.parse_known_args(arguments)
