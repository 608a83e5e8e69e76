"""A plugin for ``llmeval estimate``: with ``--co`` the last line of the session is its forecast, as JSON."""

import json
import sys
from collections.abc import Sequence

import pytest

__all__ = ["FORECAST_KEY"]

FORECAST_KEY = pytest.StashKey[Sequence[object]]()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Print what the session would take."""
    from pytest_llmeval.core.transport import plain

    found = config.stash.get(FORECAST_KEY, None)
    if found is not None:
        sys.stdout.write(json.dumps(plain(found)) + "\n")
