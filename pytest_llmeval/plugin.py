"""The pytest plugin's entry point: declares options and markers and registers the conductor, nothing else."""

from collections.abc import Generator

import pytest

import pytest_llmeval.core.clock  # noqa: F401 - now: conftests and test modules may patch the clocks
from pytest_llmeval.bridge.casework import fixtures
from pytest_llmeval.bridge.conductor import Conductor
from pytest_llmeval.bridge.config.options import add_options, widen_short_names

_MARKERS = (
    "llmeval(dataset, *, suite=None, prompt=None, params=None, cluster=None): one case for each row of the dataset"
    " (a path, a list, or a callable; pass a named function as dataset=function)",
    "train(folder): a training item of the folder finetune, one for each configuration (*.yaml) in the folder named,"
    " relative to the test file; runs only when -m asks for it",
    "regression: a case of the short suite that guards every pull request",
    "judge_attack: an eval that attacks the judge; runs only when -m asks for it",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(parser: pytest.Parser, args: list[str]) -> Generator[None, object, object]:
    """Make short option names work, once every plugin and conftest has declared its own."""
    result = yield
    widen_short_names(args, parser)
    return result


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and register the fixtures and the conductor."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    config.pluginmanager.register(fixtures, "llmeval-fixtures")
    Conductor(config).register()
