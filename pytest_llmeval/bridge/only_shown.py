"""Sessions that show what would run, and run no test: ``--collect-only``, ``--setup-plan``, ``--setup-only``."""

import pytest

from pytest_llmeval.bridge.items import param_of

__all__ = ["Unasked", "only_shows"]


def only_shows(config: pytest.Config) -> bool:
    """Whether no test runs in this session."""
    option = config.option
    return bool(option.collectonly or option.setuponly or option.setupplan)


class Unasked:
    """The plugin object that keeps this plugin's fixtures from asking anybody where fixtures alone are set up."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> object:
        """Give the row, and None in place of all else that a case would be given."""
        param = param_of(request.node) if request.scope == "function" else None
        if fixturedef.func.__module__ != "pytest_llmeval.bridge.fixtures" or param is None:
            return None
        is_row = fixturedef.argname.removeprefix("llmeval_") == "sample" and not request.config.option.setupplan
        value = param.eval.dataset.read(param.ref) if is_row else None
        fixturedef.cached_result = (value, fixturedef.cache_key(request), None)  # type: ignore[arg-type]  # a SubRequest
        return fixturedef.cached_result
