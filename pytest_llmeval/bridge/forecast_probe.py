"""A plugin for ``llmeval estimate``: with ``--co`` it puts out the forecast of the session as one JSON line, its last."""

import json
import sys

import pytest

__all__ = ["FORECAST_KEY"]

FORECAST_KEY = pytest.StashKey[list[object]]()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Print what the session would take."""
    from pytest_llmeval.core.transport import plain

    found = config.stash.get(FORECAST_KEY, None)
    if found is not None:
        sys.stdout.write(json.dumps(plain(found)) + "\n")
