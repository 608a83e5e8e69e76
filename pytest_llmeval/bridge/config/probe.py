"""Run by ``llmeval doctor``: pytest starts, says in one JSON line what it made of our options, and ends.

That is who took their short names, what is wrong with their values, and which keys and variables only look like theirs.

It is there before all plugins and conftests, whose options it watches.
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
"""This module is imported before pytest could rewrite its package; no other session has that to be warned of."""
_DECLARED: dict[str, str] = {}
"""Who declared an option, by its name."""


def _noting(add: Callable[..., None]) -> Callable[..., None]:
    def addoption(self: Any, *names: str, **told: Any) -> None:
        caller = sys._getframe(1)  # an option knows its group and no more
        for name in names:  # a parser hands it to a group, whose caller comes second
            _DECLARED.setdefault(name, _owner(caller.f_globals.get("__name__", "?"), caller.f_code.co_filename))
        add(self, *names, **told)

    return addoption


def _owner(module: str, file: str) -> str:
    """Return how a person would look for who declared an option."""
    if Path(file).name == "conftest.py":
        return os.path.relpath(file)
    return f"the plugin {module}"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int:
    """Print the names that others declared, with who did, and what is wrong or unknown, in place of running tests."""
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
    except ModelError:  # it is told elsewhere, and hides whose keys stand in which variables
        pass
    keys = list(unknown_keys(config))
    sys.stdout.write(json.dumps({"taken": owners, "wrong": wrong, "keys": keys, "unknown": unknown}) + "\n")
    return 0


if __name__ == "__main__":
    watching = pytest.MonkeyPatch()
    for declares in (pytest.Parser, pytest.OptionGroup):
        watching.setattr(declares, "addoption", _noting(declares.addoption))
    sys.exit(pytest.main([*sys.argv[1:], "-W", _IMPORTED], plugins=[sys.modules[__name__]]))
