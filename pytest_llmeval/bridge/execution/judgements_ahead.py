"""Judgements requested before their cases run, as soon as the responses to judge have arrived."""

import asyncio
import copy
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.bridge.casework.case_start import new_run, read_row
from pytest_llmeval.bridge.casework.fixtures import uses
from pytest_llmeval.bridge.casework.items import case_function
from pytest_llmeval.bridge.casework.runtime import NoSession, Runtime
from pytest_llmeval.bridge.collection.known_judgements import KnownJudgement, known_judgements
from pytest_llmeval.bridge.execution.ahead import MOST_UNUSED, eval_function_of
from pytest_llmeval.bridge.execution.alone import why_alone
from pytest_llmeval.bridge.execution.body_functions import is_async
from pytest_llmeval.bridge.workers import is_worker
from pytest_llmeval.core.calls import ask_name
from pytest_llmeval.core.errors import CallError, ErrorKind, LlmevalError
from pytest_llmeval.core.protocols import Asker
from pytest_llmeval.core.types import Ask, Response

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_llmeval.bridge.casework.cases import CaseParam

__all__ = ["JudgementsAhead"]


class JudgementsAhead:
    """Makes the judgements that are known beforehand; in its turn a case asks the same and finds the verdicts.

    Async evals need this only in an xdist worker, which knows too few of its next cases to run their bodies ahead.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun: dict[int, set[str]] = {}
        """Names of the judge calls that were begun and not refused, by place, for cases that have not ended here."""
        self._unused: Counter[object] = Counter()
        """Number of a function's cases that ended without making one of these calls: a variable had another value,
        say."""

    def note_end(self, item: pytest.Item, place: int, names: "Collection[str]") -> bool:
        """Note, and return, whether a case that ends left a judgement unused that was made ahead.

        ``names`` are the names of the calls that the case made.
        """
        is_unused = not self._begun.pop(place, set()).issubset(names)
        self._unused[eval_function_of(item)] += is_unused
        return is_unused

    def known(self, item: pytest.Item) -> "Sequence[KnownJudgement]":
        """Return the judgements of a case that can be made ahead of its turn."""
        if (
            not self._runtime.judges.jurors
            or not uses(item, "score")
            or (is_async(item) and not is_worker(item.config))
        ):
            return ()
        # What a case patches may affect how it judges; and judgements made ahead are paid for.
        if why_alone(item) or self._unused[eval_function_of(item)] >= MOST_UNUSED:
            return ()
        return known_judgements(case_function(item))

    def start(
        self, item: pytest.Item, param: "CaseParam", ask: Ask, place: int, known: "Sequence[KnownJudgement]"
    ) -> None:
        """Start the call for a response and the judgements known to follow it; to be called on the event loop."""
        task = asyncio.get_running_loop().create_task(self._make(item, param, ask, place, known))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Cancel the calls under way; to be called on the event loop."""
        for task in self._tasks:
            task.cancel()

    async def _make(
        self, item: pytest.Item, param: "CaseParam", ask: Ask, place: int, known: "Sequence[KnownJudgement]"
    ) -> None:
        runtime = copy.copy(self._runtime)
        runtime.asker = _Ahead(self._runtime.asker, place, self._begun)
        run = new_run(item, param, runtime)
        try:
            read_row(run, param)
            response = await runtime.asker.ask(ask)
            fixtures = {"sample": run.sample, "response": response}
            fixtures |= {f"llmeval_{name}": value for name, value in fixtures.items()}
            for each in known:
                positional, named = each.arguments(fixtures)
                await run.book.judge(*positional, **named)
        except (LlmevalError, AttributeError, LookupError, TypeError, ValueError):  # the case meets it too
            return


class _Ahead(NoSession):
    """Asks the engine for a case whose turn has not come."""

    def __init__(self, asker: Asker, place: int, begun: dict[int, set[str]]) -> None:
        self._asker = asker
        self._place = place
        self._begun = begun

    async def ask(self, ask: Ask) -> Response:
        """Return the answer; raise CallError if there is none, or if the case itself asks or has asked."""
        is_open = ask.wanted is None or not ask.wanted.only_known  # else only the case itself may use a known reply
        if ask.role == "judge":
            self._begun.setdefault(self._place, set()).add(ask_name(ask))
        response = None
        try:
            response = await self._asker.answer_ahead(ask, self._place) if is_open else None
        finally:
            if response is None and ask.role == "judge":
                self._begun.get(self._place, set()).discard(ask_name(ask))
        if response is None:
            raise CallError("the case asks itself", kind=ErrorKind.INTERRUPTED, attempts=0)
        return response
