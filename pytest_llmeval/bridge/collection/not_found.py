"""Names on the command line that pytest does not find where evals were asked for: why there is no such case."""

import os
import sys
from collections.abc import Callable, Collection, Generator, Iterator, Sequence

import pytest

from pytest_llmeval.bridge.collection.selection import Selection
from pytest_llmeval.bridge.collection.telling import tell
from pytest_llmeval.bridge.config.options import OPTIONS, Option, flag_of, said_of
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.text import one_line, printable

__all__ = ["NotFound"]

_HINT = (
    "the node id of a case has the model's name in it where several models are asked, and -e1, -e2, ... with --epochs:"
    " pytest --co -q lists them"
)
_LIKE = 0.5
"""Least likeness of two ids: they are short, and a part of one is often typed for it."""
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
        """Say it before what was not found; pytest calls this in the end however the collection ended."""
        error, wrong = sys.exc_info()[1], self._found_wrong()
        if not isinstance(error, pytest.UsageError) or wrong is None or self._selection.only_trains(session.items):
            return
        untold = [told for told in map(printable, dict.fromkeys(wrong)) if told not in str(error)]
        hint = [_HINT + self._cut()] if not untold and any(map(self._is_of_eval, map(str, error.args))) else []
        told = [
            *(["\n".join(untold)] if untold else []),
            *map(str, error.args),
            *(self._meant() if hint else ()),
            *hint,
        ]
        if hasattr(self._config, "workerinput"):
            from pytest_llmeval.bridge.collection.facts import CollectionFacts

            tell(self._config, CollectionFacts(problems=told))
        elif untold or hint:
            raise pytest.UsageError(*told) from None

    def _is_of_eval(self, told: str) -> bool:
        """Whether an eval that is there lacks the case which was not found; some versions of pytest keep its id."""
        name = told.partition("\n")[0].replace(os.sep, "/") + "["
        return any(f"/{each}[" in name for each in self._evals)

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
        options = (option for option in OPTIONS if option.name in _CUTTING)
        told = ", ".join(flag_of(each.name, self._config) for each in options if self._is_given(each))
        return f"; {told} left rows out before" if told else ""

    def _is_given(self, option: Option) -> bool:
        return self._config.getoption(option.key) is not None or any(said_of(option, self._config))


def _is_one(nodeid: str, function: str) -> bool:
    """Whether a case is of a function that was named from some folder or other."""
    known, asked = "/" + nodeid.partition("[")[0], "/" + function
    return known.endswith(asked) or asked.endswith(known)


def _nearest(word: str, ids: Sequence[str]) -> str | None:
    """Return the id that ``word`` begins, or that lacks the model or the epoch it names, or that is like it."""
    begun = [each for each in ids if word and each.casefold().startswith(word.casefold())]
    within = [each for each in ids if word.endswith(f"-{each}") or word.startswith(f"{each}-")]
    return min(begun or within, key=len, default=None) or closest(word, ids, cutoff=_LIKE)
