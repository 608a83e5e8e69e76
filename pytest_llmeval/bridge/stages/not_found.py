"""Explains why pytest does not find a case that the command line names by its node id."""

import os
import sys
from collections.abc import Generator, Iterator, Sequence

import pytest

from pytest_llmeval.bridge.collection.selection import Selection
from pytest_llmeval.bridge.config.options import flag_of, is_set
from pytest_llmeval.bridge.stages.marked_functions import MarkedFunctions
from pytest_llmeval.bridge.stages.prepared_once import PreparedOnce
from pytest_llmeval.bridge.workers import is_worker, send_facts
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.text import one_line, printable

__all__ = ["NotFound"]

_HINT = (
    "pytest --co -q lists the cases: with several models their ids contain the model's name, with --epochs they end in"
    " -e1, -e2, ..."
)
_LIKE = 0.5
"""Lowest similarity of two ids: they are short, and often only a part of one is typed."""
_CUTTING = ("limit", "slice", "shard")
"""The options that leave rows out."""


class NotFound:
    """The plugin object that adds to pytest's "not found" the problems of the evals, and the case probably meant.

    In a worker it also sends pytest's message to the controller: xdist would end as if nothing had been asked for.
    """

    def __init__(
        self, config: pytest.Config, selection: Selection, prepared: PreparedOnce, functions: MarkedFunctions
    ) -> None:
        self._config = config
        self._selection = selection
        self._prepared = prepared
        self._functions = functions
        self._asked = [str(arg).replace(os.sep, "/") for arg in config.args if "[" in str(arg)]
        self._cases: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Keep the node ids of cases if the command line names some: pytest itself forgets them."""
        report = yield
        if self._asked:
            self._cases += [each.nodeid for each in report.result or () if isinstance(each, pytest.Function)]
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Add to the error of what was not found; pytest calls this hook however the collection ended."""
        error = sys.exc_info()[1]
        if not isinstance(error, pytest.UsageError) or not self._prepared.was_asked:
            return
        if self._selection.only_trains(session.items):
            return
        problems = dict.fromkeys(self._prepared.problems_before_selection)
        unsupported = [told for told in map(printable, problems) if told not in str(error)]
        hint = [_HINT + self._cut()] if not unsupported and any(map(self._is_of_eval, map(str, error.args))) else []
        parts = [
            *(["\n".join(unsupported)] if unsupported else []),
            *map(str, error.args),
            *(self._meant() if hint else ()),
            *hint,
        ]
        if is_worker(self._config):
            from pytest_llmeval.bridge.collection.facts import CollectionFacts

            send_facts(self._config, CollectionFacts(problems=parts).to_json())
        elif unsupported or hint:
            raise pytest.UsageError(*parts) from None

    def _is_of_eval(self, told: str) -> bool:
        """Whether the missing case belongs to an eval that exists; some versions of pytest keep the case's id."""
        name = told.partition("\n")[0].replace(os.sep, "/") + "["
        return any(f"/{each}[" in name for each in self._functions.met)

    def _meant(self) -> Iterator[str]:
        """Yield, for each missing case, which one was probably meant."""
        for asked in dict.fromkeys(self._asked):
            function, _, part = asked.partition("[")
            ids = [each.partition("[")[2].removesuffix("]") for each in self._cases if _is_one(each, function)]
            word = part.removesuffix("]")
            near = _nearest(word, ids) if word not in ids else None
            if near is not None:
                name = function.rpartition("::")[2]
                yield f"no case [{one_line(word, 80)}]; did you mean {one_line(f'{name}[{near}]')}?"

    def _cut(self) -> str:
        """Return which options left rows out before, wherever they were given; an empty string if none did."""
        flags = ", ".join(flag_of(name, self._config) for name in _CUTTING if is_set(self._config, name))
        return f"; {flags} left rows out before" if flags else ""


def _is_one(nodeid: str, function: str) -> bool:
    """Whether a case belongs to a function that was named relative to some folder."""
    known, asked = "/" + nodeid.partition("[")[0], "/" + function
    return known.endswith(asked) or asked.endswith(known)


def _nearest(word: str, ids: Sequence[str]) -> str | None:
    """Return the id that starts with ``word``, or that lacks the model or epoch in it, or that is similar."""
    begun = [each for each in ids if word and each.casefold().startswith(word.casefold())]
    within = [each for each in ids if word.endswith(f"-{each}") or word.startswith(f"{each}-")]
    return min(begun or within, key=len, default=None) or closest(word, ids, cutoff=_LIKE)
