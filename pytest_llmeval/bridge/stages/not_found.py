"""Node ids on the command line that pytest does not find: why there is no such case."""

import os
import sys
from collections.abc import Generator, Iterator, Sequence

import pytest

from pytest_llmeval.bridge.collection.selection import Selection
from pytest_llmeval.bridge.config.options import flag_of, is_said
from pytest_llmeval.bridge.stages.marked_functions import MarkedFunctions
from pytest_llmeval.bridge.stages.prepared_once import PreparedOnce
from pytest_llmeval.bridge.workers import is_worker, send_facts
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.text import one_line, printable

__all__ = ["NotFound"]

_HINT = (
    "the node id of a case has the model's name in it where several models are asked, and -e1, -e2, ... with --epochs:"
    " pytest --co -q lists them"
)
_LIKE = 0.5
"""Least likeness of two ids: they are short, and a part of one is often typed for it."""
_CUTTING = ("limit", "slice", "shard")
"""The options that leave rows out."""


class NotFound:
    """The plugin object that adds to pytest's "not found" what is wrong with the evals, and which case was meant.

    From a worker it sends pytest's message as well: xdist would end as if nothing had been asked for.
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
        """Remember the cases that there are, where the command line names some: pytest itself forgets them."""
        report = yield
        if self._asked:
            self._cases += [each.nodeid for each in report.result or () if isinstance(each, pytest.Function)]
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say it together with what was not found; pytest calls this hook however the collection ended."""
        error = sys.exc_info()[1]
        if not isinstance(error, pytest.UsageError) or not self._prepared.was_asked:
            return
        if self._selection.only_trains(session.items):
            return
        problems = dict.fromkeys(self._prepared.problems_before_selection)
        untold = [told for told in map(printable, problems) if told not in str(error)]
        hint = [_HINT + self._cut()] if not untold and any(map(self._is_of_eval, map(str, error.args))) else []
        told = [
            *(["\n".join(untold)] if untold else []),
            *map(str, error.args),
            *(self._meant() if hint else ()),
            *hint,
        ]
        if is_worker(self._config):
            from pytest_llmeval.bridge.collection.facts import CollectionFacts

            send_facts(self._config, CollectionFacts(problems=told).to_json())
        elif untold or hint:
            raise pytest.UsageError(*told) from None

    def _is_of_eval(self, told: str) -> bool:
        """Whether an eval that is there lacks the case which was not found; some versions of pytest keep its id."""
        name = told.partition("\n")[0].replace(os.sep, "/") + "["
        return any(f"/{each}[" in name for each in self._functions.met)

    def _meant(self) -> Iterator[str]:
        """Yield which case was probably meant, of each that is not there."""
        for asked in dict.fromkeys(self._asked):
            function, _, part = asked.partition("[")
            ids = [each.partition("[")[2].removesuffix("]") for each in self._cases if _is_one(each, function)]
            word = part.removesuffix("]")
            near = _nearest(word, ids) if word not in ids else None
            if near is not None:
                name = function.rpartition("::")[2]
                yield f"no case [{one_line(word, 80)}]; did you mean {one_line(f'{name}[{near}]')}?"

    def _cut(self) -> str:
        """Return which options left rows out before, wherever they were given; nothing where none did."""
        told = ", ".join(flag_of(name, self._config) for name in _CUTTING if is_said(self._config, name))
        return f"; {told} left rows out before" if told else ""


def _is_one(nodeid: str, function: str) -> bool:
    """Whether a case is of a function that was named from some folder or other."""
    known, asked = "/" + nodeid.partition("[")[0], "/" + function
    return known.endswith(asked) or asked.endswith(known)


def _nearest(word: str, ids: Sequence[str]) -> str | None:
    """Return the id that ``word`` begins, or that lacks the model or the epoch it names, or that is like it."""
    begun = [each for each in ids if word and each.casefold().startswith(word.casefold())]
    within = [each for each in ids if word.endswith(f"-{each}") or word.startswith(f"{each}-")]
    return min(begun or within, key=len, default=None) or closest(word, ids, cutoff=_LIKE)
