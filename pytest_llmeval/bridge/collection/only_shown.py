"""Sessions that only list or set up tests: ``--collect-only``, ``--setup-plan``, ``--fixtures`` and so on."""

import pytest

from pytest_llmeval.bridge.casework.fixtures import is_made_here
from pytest_llmeval.bridge.casework.items import param_of

__all__ = ["Unasked", "only_shows"]


def only_shows(config: pytest.Config) -> bool:
    """Whether no test runs in this session."""
    options = ("collectonly", "setuponly", "setupplan", "showfixtures", "show_fixtures_per_test")
    return any(config.getoption(option, False) for option in options)  # -p may switch off each option's plugin


class Unasked:
    """The plugin object that keeps this plugin's fixtures from asking models when fixtures are only set up."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> object:
        """Return the row, and None for everything else that a case would get."""
        param = param_of(request.node) if request.scope == "function" else None
        if param is None or not is_made_here(fixturedef):
            return None
        is_row = fixturedef.argname.removeprefix("llmeval_") == "sample"
        is_read = is_row and not request.config.getoption("setupplan", False)
        value = param.eval.dataset.read(param.ref) if is_read else None
        fixturedef.cached_result = (value, fixturedef.cache_key(request), None)  # type: ignore[arg-type]  # a SubRequest
        return fixturedef.cached_result
