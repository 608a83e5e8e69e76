"""Run by ``llmeval doctor``: pytest starts, prints one JSON line on how it read our options, and ends.

The line says who took their short names, which values are wrong, and which keys and variables only look like ours. The
module is loaded before all plugins and conftests, whose options it watches.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.bridge.config.options import taken_short_names
from pytest_llmeval.core.errors import ModelError, SettingsError

__all__: list[str] = []

_IMPORTED = "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning"
"""This module is imported before pytest can rewrite its package; no other session needs this filter."""
_DECLARED: dict[str, str] = {}
"""The plugin or conftest that declared an option, by its name."""


def _noting(add: Callable[..., None]) -> Callable[..., None]:
    def addoption(self: Any, *names: str, **told: Any) -> None:
        caller = sys._getframe(1)  # an option knows its group only
        for name in names:  # a parser hands it to a group, whose caller comes second
            _DECLARED.setdefault(name, _owner(caller.f_globals.get("__name__", "?"), caller.f_code.co_filename))
        add(self, *names, **told)

    return addoption


def _owner(module: str, file: str) -> str:
    """Return the plugin or conftest that declared an option, in words."""
    if Path(file).name == "conftest.py":
        return os.path.relpath(file)
    return f"the plugin {module}"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int:
    """Instead of running tests, print which names others declared, wrong values, and unknown keys and variables."""
    from pytest_llmeval.bridge.config.model_choice import listed_models
    from pytest_llmeval.bridge.config.settings import resolve
    from pytest_llmeval.bridge.config.unknown_names import unknown_keys, unknown_variables

    owners = {name: _DECLARED.get(f"--{name}", "another plugin") for name in taken_short_names(config._parser)}
    wrong, unknown = None, {}
    try:
        settings = resolve(config)
        unknown = dict(unknown_variables(settings.environ, listed_models(settings).values()))
    except SettingsError as error:
        wrong = str(error)
    except ModelError:  # reported elsewhere; without models.yaml the names of key variables are unknown
        pass
    keys = list(unknown_keys(config))
    sys.stdout.write(json.dumps({"taken": owners, "wrong": wrong, "keys": keys, "unknown": unknown}) + "\n")
    return 0


if __name__ == "__main__":
    watching = pytest.MonkeyPatch()
    for declares in (pytest.Parser, pytest.OptionGroup):
        watching.setattr(declares, "addoption", _noting(declares.addoption))
    sys.exit(pytest.main([*sys.argv[1:], "-W", _IMPORTED], plugins=[sys.modules[__name__]]))
