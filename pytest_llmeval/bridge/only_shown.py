"""Sessions that show what would run, and run nothing: ``--collect-only``, ``--setup-plan``, ``--setup-only``."""

import pytest

__all__ = ["Unasked", "only_shows"]


def only_shows(config: pytest.Config) -> bool:
    """Whether no test runs in this session."""
    option = config.option
    return bool(option.collectonly or option.setuponly or option.setupplan)


class Unasked:
    """The plugin object that keeps this plugin's fixtures from asking anybody where fixtures alone are set up."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> object:
        """Give None in place of what a case would be given."""
        if fixturedef.func.__module__ != "pytest_llmeval.bridge.fixtures":
            return None
        fixturedef.cached_result = (None, fixturedef.cache_key(request), None)  # type: ignore[arg-type]  # a SubRequest
        return fixturedef.cached_result
