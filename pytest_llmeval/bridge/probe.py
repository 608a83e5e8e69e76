"""A plugin for ``llmeval doctor``: pytest starts, says in one JSON line who took our short option names, and ends."""

import json
import sys

import pytest

from pytest_llmeval.bridge.options import OPTIONS, taken_short_names

__all__: list[str] = []


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int:
    """Print the names that others declared, with what their help says, in place of running tests."""
    taken = taken_short_names(config._parser)
    owners = {option.name: _owner(config, option.name) for option in OPTIONS if option.name in taken}
    sys.stdout.write(json.dumps(owners) + "\n")
    return 0


def _owner(config: pytest.Config, name: str) -> str:
    """Return who declares ``--name``: the name of the option group, where its owner made one."""
    for group in config._parser._groups:
        if any(f"--{name}" in option.names() for option in group.options):
            return f"the option group {group.name!r}"
    return "a conftest or another plugin"
