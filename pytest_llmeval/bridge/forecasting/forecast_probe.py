"""A plugin for ``llmeval estimate``: with ``--co`` the last line of the session is its forecast, as JSON.

If neither a path nor ``-m`` selects anything, the forecast is of the evals.
"""

import json
import sys
from collections.abc import Sequence

import pytest

__all__ = ["FORECAST_KEY"]

FORECAST_KEY = pytest.StashKey[Sequence[object]]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Ask for the evals if nobody named what to collect; only now is it known which arguments are paths."""
    from pytest_llmeval.bridge.collection.selection import Selection

    selection = Selection(config)
    folders = [str(folder) for folder in selection.folders if folder.is_dir()]
    if folders and not selection.asks_for_evals and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args[:] = folders
        config.args_source = pytest.Config.ArgsSource.ARGS


def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the forecast of the session."""
    from pytest_llmeval.core.transport import plain

    found = config.stash.get(FORECAST_KEY, None)
    if found is not None:
        sys.stdout.write(json.dumps(plain(found)) + "\n")
