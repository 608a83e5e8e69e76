"""Responses requested before their cases run: the process renders the prompts, the engine makes the calls."""

import asyncio
import concurrent.futures
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.bridge.casework.cases import PROMPT_FAULTS, key_of, own_request
from pytest_llmeval.bridge.casework.fixtures import failing_fixtures, uses
from pytest_llmeval.bridge.casework.items import cases_in, function_name, run_of
from pytest_llmeval.bridge.casework.runtime import Runtime
from pytest_llmeval.bridge.execution.output import OUTPUT, CaseOutput, keep_apart
from pytest_llmeval.core.calls import ask_name
from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.loop import pause
from pytest_llmeval.core.types import Ask

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.cases import CaseParam, CaseRun
    from pytest_llmeval.bridge.execution.judgements_ahead import JudgementsAhead

__all__ = ["MOST_UNUSED", "ResponsesAhead", "eval_function_of", "may_not_run"]

_MOST_AT_ONCE = 16
MOST_UNUSED = 8
"""Number of a function's cases that ended without using what was begun ahead for them, after which no more is begun."""
_UNSURE = frozenset({"skip", "skipif", "xfail"})


class ResponsesAhead:
    """Requests responses for cases that take the fixture ``response``: they are certain to ask for it."""

    def __init__(self, items: Sequence[pytest.Item], runtime: Runtime, judgements: "JudgementsAhead") -> None:
        """Find these cases among ``items``; every process of a session finds the same ones."""
        self._runtime = runtime
        self._judgements = judgements
        self._places = [(item, param) for item, param in cases_in(items) if _asks_for_response(item)]
        self.calls_prompts = any(param.eval.prompt.is_code for _, param in self._places)
        """Whether prompt functions are called ahead."""
        self._place_of = {item: place for place, (item, _) in enumerate(self._places)}
        self._begun: dict[int, str] = {}
        """Names of the calls that were begun here, by place, for cases that have not ended here."""
        self._unused: Counter[object] = Counter()
        self._work: concurrent.futures.Future[None] | None = None

    def start(self) -> None:
        """Start requesting, as far as the window of the engine allows."""
        if self._places:
            if self.calls_prompts:
                keep_apart(self._places[0][0].config)
            self._work = self._runtime.loop.submit(self._request_all())

    def place_of(self, item: pytest.Item) -> int | None:
        """Return the place of a case; None for one whose response is not requested ahead."""
        return self._place_of.get(item)

    def note_end(self, item: pytest.Item, run: "CaseRun") -> None:
        """Note whether a case that ends used the response that was requested for it.

        A case that never asked, for example because a fixture skipped it, makes room for another. A case whose prompt
        function returned something else in its turn has asked for another response.
        """
        if run.own.place is None:
            return
        name = self._begun.pop(run.own.place, None)
        names = run.calls.names
        run.own.is_other = run.own.is_wanted and name is not None and bool(names) and name not in names
        if not run.own.is_wanted:
            self._runtime.loop.submit(self._runtime.asker.release(run.own.place))
        is_unjudged = self._judgements.note_end(item, run.own.place, names)
        run.judged_otherwise = is_unjudged and any(call.role == "judge" for call in run.calls.ended)
        if run.own.is_other or not run.own.is_wanted:
            self._unused[eval_function_of(item)] += 1

    def is_used(self, item: pytest.Item) -> bool:
        """Whether nearly all cases of a function use their responses so far: what is requested ahead is paid for."""
        return self._unused[eval_function_of(item)] < MOST_UNUSED

    def stop(self) -> None:
        """Request no more."""
        if self._work is not None:
            self._work.cancel()
            self._runtime.loop.call_soon(self._judgements.stop)

    async def _request_all(self) -> None:
        asker, total = self._runtime.asker, len(self._places)
        while places := await asker.claim(total, _MOST_AT_ONCE):
            for place in places:
                try:
                    await self._request(place)
                except CallError:  # the case meets the same fault in its turn, and reports it
                    await asker.release(place)
            await pause(0)

    async def _request(self, place: int) -> None:
        item, param = self._places[place]
        ask = await self._made(item, param) if self.is_used(item) else None
        run = run_of(item)
        if param.eval.prompt.is_code and run is not None and run.own.is_wanted:
            return  # its turn came while the function took its time
        if ask is None:
            await self._runtime.asker.release(place)
            return
        self._begun[place] = ask_name(ask)
        if known := self._judgements.known(item):
            self._judgements.start(item, param, ask, place, known)
        else:
            await self._runtime.asker.ahead(ask, place)

    async def _made(self, item: pytest.Item, param: "CaseParam") -> Ask | None:
        if not param.eval.prompt.is_code:
            return _ask_of(item, param)
        return await asyncio.wrap_future(self._runtime.prompts.submit(self._called(item, param)))

    async def _called(self, item: pytest.Item, param: "CaseParam") -> Ask | None:
        """Call a prompt function while no test could notice; drop its output, which it writes again in its turn."""
        OUTPUT.set(CaseOutput())
        with self._runtime.alone:
            return _ask_of(item, param)


def may_not_run(item: pytest.Item) -> bool:
    """Whether a mark may keep the body of ``item`` from running, so that a call for it might be wasted."""
    return any(mark.name in _UNSURE for mark in item.iter_markers())


def eval_function_of(item: pytest.Item) -> object:
    """Return a key that all cases of a test function share."""
    return item.parent, function_name(item)


def _asks_for_response(item: pytest.Item) -> bool:
    return uses(item, "response") and not may_not_run(item) and not failing_fixtures(item)


def _ask_of(item: pytest.Item, param: "CaseParam") -> Ask | None:
    """Return the ask that a case will make; None for a fault in its row or prompt, which it meets in its turn."""
    try:
        request = own_request(param.eval, param.eval.dataset.read(param.ref))
    except PROMPT_FAULTS:
        return None
    return Ask(case=key_of(item, param), model=param.model, request=request)
