"""Names on the command line that pytest does not find, as what is wrong with the evals left no case of that name."""

import sys
from collections.abc import Callable, Sequence

import pytest

from pytest_llmeval.bridge.collection.telling import tell
from pytest_llmeval.core.text import printable

__all__ = ["NotFound"]


class NotFound:
    """The plugin object that tells what is wrong with the evals where pytest ends a collection before that is told."""

    def __init__(self, config: pytest.Config, found_wrong: Callable[[], Sequence[str]]) -> None:
        """Prepare.

        Args:
            config: of the session.
            found_wrong: returns what is known to be wrong by then.
        """
        self._config = config
        self._found_wrong = found_wrong

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self) -> None:
        """Say it before what was not found; pytest calls this in the end however the collection ended."""
        error = sys.exc_info()[1]
        if not isinstance(error, pytest.UsageError):
            return
        untold = [told for told in map(printable, dict.fromkeys(self._found_wrong())) if told not in str(error)]
        if untold and hasattr(self._config, "workerinput"):
            from pytest_llmeval.bridge.collection.facts import CollectionFacts

            tell(self._config, CollectionFacts(problems=[*untold, *map(str, error.args)]))
        elif untold:
            raise pytest.UsageError("\n".join(untold), *error.args) from None
