"""Run by ``llmeval doctor``: pytest starts, says in one JSON line what it made of our options, and ends.

That is who took their short names, and what is wrong with their values.

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
from pytest_llmeval.core.errors import SettingsError

__all__: list[str] = []

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
    """Print the names that others declared, with who did, and a wrong setting, in place of running tests."""
    from pytest_llmeval.bridge.config.settings import resolve

    owners = {name: _DECLARED.get(f"--{name}", "another plugin") for name in taken_short_names(config._parser)}
    wrong = None
    try:
        resolve(config)
    except SettingsError as error:
        wrong = str(error)
    sys.stdout.write(json.dumps({"taken": owners, "wrong": wrong}) + "\n")
    return 0


if __name__ == "__main__":
    watching = pytest.MonkeyPatch()
    for declares in (pytest.Parser, pytest.OptionGroup):
        watching.setattr(declares, "addoption", _noting(declares.addoption))
    sys.exit(pytest.main(plugins=[sys.modules[__name__]]))
