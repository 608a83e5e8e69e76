"""A plugin for ``llmeval doctor``: pytest starts, says in one JSON line who took our short option names, and ends."""

import json
import sys

import pytest

from pytest_llmeval.bridge.options import taken_short_names

__all__: list[str] = []


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int:
    """Print the names that others declared, with what their help says, in place of running tests."""
    owners = {name: _owner(group) for name, group in taken_short_names(config._parser).items()}
    sys.stdout.write(json.dumps(owners) + "\n")
    return 0


def _owner(group: str) -> str:
    """Return who declares an option of the group, which its owner named or not."""
    return "a conftest or another plugin" if group == "_anonymous" else f"the option group {group!r}"
