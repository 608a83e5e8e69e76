"""Names on the command line that pytest does not find where evals were asked for: why there is no such case."""

import os
import sys
from collections.abc import Callable, Collection, Sequence

import pytest

from pytest_llmeval.bridge.collection.selection import Selection
from pytest_llmeval.bridge.collection.telling import tell
from pytest_llmeval.bridge.config.options import OPTIONS, Option, flag_of, said_of
from pytest_llmeval.core.text import printable

__all__ = ["NotFound"]

_HINT = (
    "the node id of a case has the model's name in it where several models are asked, and -e1, -e2, ... with --epochs:"
    " pytest --co -q lists them"
)
_CUTTING = ("slice", "limit", "shard")


class NotFound:
    """The plugin object that tells what is wrong with the evals where pytest ends a collection before that is told.

    Of a worker it tells what was not found, too: xdist ends as if nothing had been asked for.
    """

    def __init__(
        self,
        config: pytest.Config,
        selection: Selection,
        found_wrong: Callable[[], Sequence[str] | None],
        *,
        evals: Collection[str],
    ) -> None:
        """Prepare.

        Args:
            config: of the session.
            selection: what the command line asks for.
            found_wrong: returns what is known to be wrong by then; None where no eval was asked for.
            evals: the node ids of marked functions, as far as they were met.
        """
        self._config = config
        self._selection = selection
        self._found_wrong = found_wrong
        self._evals = evals

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say it before what was not found; pytest calls this in the end however the collection ended."""
        error, wrong = sys.exc_info()[1], self._found_wrong()
        if not isinstance(error, pytest.UsageError) or wrong is None or self._selection.only_trains(session.items):
            return
        untold = [told for told in map(printable, dict.fromkeys(wrong)) if told not in str(error)]
        hint = [_HINT + self._cut()] if not untold and any(map(self._is_of_eval, map(str, error.args))) else []
        told = [*(["\n".join(untold)] if untold else []), *map(str, error.args), *hint]
        if hasattr(self._config, "workerinput"):
            from pytest_llmeval.bridge.collection.facts import CollectionFacts

            tell(self._config, CollectionFacts(problems=told))
        elif untold or hint:
            raise pytest.UsageError(*told) from None

    def _is_of_eval(self, told: str) -> bool:
        """Whether an eval that is there lacks the case which was not found; some versions of pytest keep its id."""
        name = told.partition("\n")[0].replace(os.sep, "/") + "["
        return any(f"/{each}[" in name for each in self._evals)

    def _cut(self) -> str:
        """Return which options left rows out before, wherever they were given; nothing where none did."""
        options = (option for option in OPTIONS if option.name in _CUTTING)
        told = ", ".join(flag_of(each.name, self._config) for each in options if self._is_given(each))
        return f"; {told} left rows out before" if told else ""

    def _is_given(self, option: Option) -> bool:
        return self._config.getoption(option.key) is not None or any(said_of(option, self._config))
