"""What an engine is made of in a test: a model that answers as it is told, a journal in memory, asks."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.costs import Prices
from pytest_llmeval.core.errors import CallError, ErrorKind, StoreError
from pytest_llmeval.core.types import Ask, CacheMode, Call, CallName, CaseKey, Kept, Request, Response, Usage
from pytest_llmeval.engine.budget import Budget
from pytest_llmeval.engine.engine import Engine
from pytest_llmeval.engine.journal import Recorded
from pytest_llmeval.engine.limiter import Limiter, Limits
from pytest_llmeval.engine.places import Places

__all__ = ["FakeModel", "MemoryJournal", "Rig", "ask", "broken", "failure", "kinds", "say"]


def ask(sample: str = "a", text: str = "q", *, epoch: int = 1, suite: str = "qa", **fields: Any) -> Ask:
    """Return an ask of a case to the model ``m``; ``params`` are those of its request."""
    case = CaseKey(nodeid=f"t.py::test[{sample}]", suite=suite, sample_id=sample, model="m", epoch=epoch)
    request = Request(messages=({"role": "user", "content": text},), params=fields.pop("params", {}))
    return Ask(**{"case": case, "model": "m", "request": request, **fields})


def say(text: str = "yes", **fields: Any) -> Response:
    """Return a whole answer that costs 0.1 USD."""
    usage = Usage(input_tokens=10, output_tokens=5)
    return Response(**{"text": text, "finish_reason": "stop", "usage": usage, "cost_usd": 0.1, **fields})


class FakeModel:
    """Answers with the text of the question, unless it is told otherwise; what was lost is lost one by one before."""

    def __init__(self, limiter: Limiter) -> None:
        self.name, self.spec, self.account = "m", "fake:m", "acc"
        self.prices: Prices | None = None
        self.facts: Mapping[str, Any] = {"provider": "fake", "base_url": "http://h/v1", "model": "m"}
        self.answer: Callable[[Request], Response | Exception] = lambda request: say(self.text_of(request))
        self.asked: list[str] = []
        """The text of each question, in the order in which they were sent."""
        self.hold: asyncio.Event | None = None
        """What every answer waits for; None where it comes at once."""
        self.closed = 0
        self._slot = limiter.slots(self.account)

    @staticmethod
    def text_of(request: Request) -> str:
        """Return what a request asks."""
        return str(request.messages[-1]["content"])

    def identity(self, request: Request) -> Mapping[str, Any]:
        return {**self.facts, "messages": request.messages, "params": request.params}

    async def complete(self, request: Request) -> Response:
        answer: Response | Exception | None = None
        lost: list[Usage] = []
        while True:
            with contextlib.suppress(AttemptError):
                async with self._slot():
                    if answer is None:
                        answer = await self._asked(request)
                        lost += answer.lost if isinstance(answer, Response) else getattr(answer, "usages", ())
                    if lost:
                        raise AttemptError(ErrorKind.MALFORMED_RESPONSE, "none to use", usage=lost.pop(0))
                    if isinstance(answer, Exception):
                        raise answer
                    return answer
            if isinstance(answer, Exception) and not lost:
                raise answer

    async def _asked(self, request: Request) -> Response | Exception:
        self.asked.append(self.text_of(request))
        if self.hold is not None:
            await self.hold.wait()
        return self.answer(request)

    async def aclose(self) -> None:
        self.closed += 1


class MemoryJournal:
    """Keeps answers in memory; ``earlier`` are those of other runs."""

    def __init__(self) -> None:
        self.batches: list[list[Kept]] = []
        self.begun: set[CallName] = set()
        """Calls without an answer and without an end."""
        self.earlier: list[Call] = []
        self.damaged: set[str] = set()
        self.fault: Exception | None = None
        """What keeping raises."""
        self.read_fault: StoreError | None = None

    @property
    def kept(self) -> list[Kept]:
        return [kept for batch in self.batches for kept in batch]

    def keep(self, answers: Sequence[Kept], *, begun: Sequence[CallName] = (), failed: Sequence[CallName] = ()) -> None:
        if self.fault is not None:
            raise self.fault
        self.begun = (self.begun | {*begun}) - {*failed} - {(kept.case, kept.call.name) for kept in answers}
        if answers:
            self.batches.append(list(answers))

    def recall(self, case: CaseKey, name: str) -> Call | None:
        self._read()
        return next((each.call for each in self.kept if (each.case, each.call.name) == (case, name)), None)

    def recall_earlier(self, case: CaseKey, name: str) -> Call | None:
        self._read()
        return None

    def cached(self, cache_key: str, request: Mapping[str, Any], sent: Mapping[str, Any] | None = None) -> Call | None:
        self._read()
        calls = [*self.earlier, *(each.call for each in self.kept)]
        return next((call for call in reversed(calls) if call.cache_key == cache_key), None)

    def _read(self) -> None:
        if self.read_fault is not None:
            raise self.read_fault


@dataclass
class Rig:
    """An engine with its parts in reach."""

    cache: CacheMode = "off"
    max_connections: int = 10
    max_cost_usd: float | None = None
    tpm: float | None = None
    window: int = 100
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    recorded: Recorded | None = None
    shared_budget: Budget | None = None
    """That of another engine, in place of one of its own."""
    faults: list[StoreError] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        limits = Limits(max_connections=self.max_connections, tpm=self.tpm)
        self.budget = self.shared_budget or Budget(self.max_cost_usd)
        self.limiter = Limiter(limits, clock=lambda: asyncio.get_running_loop().time())
        self.model = FakeModel(self.limiter)
        self.models = {"m": self.model}
        self.engine = Engine(
            open_model=self._open,
            journal=self.journal,
            limiter=self.limiter,
            budget=self.budget,
            places=Places(self.window),
            cache=self.cache,
            recorded=self.recorded,
            on_fault=self.faults.append,
            redact=lambda text: text.replace("secret", "***"),
        )

    def _open(self, name: str) -> FakeModel:
        self.opened.append(name)
        return self.models[name]

    async def ahead(self, asked: Ask, place: int) -> None:
        """Claim the next place, which is ``place``, and begin its call."""
        assert await self.engine.claim(place + 1, 1) == [place]
        await self.engine.ahead(asked, place)

    def begin(self, *asks: Ask) -> "list[asyncio.Task[Response]]":
        """Return a task for each ask, begun in this order."""
        return [asyncio.get_running_loop().create_task(self.engine.ask(each)) for each in asks]


def broken(kind: ErrorKind = ErrorKind.SERVER_ERROR) -> CallError:
    """Return the error of a call that gave no answer."""
    return CallError("it broke", kind=kind, attempts=3)


async def failure(work: Awaitable[object]) -> CallError:
    """Return the error with which an ask ends."""
    with pytest.raises(CallError) as caught:
        await work
    return caught.value


async def kinds(*work: "asyncio.Future[Response]") -> list[ErrorKind | None]:
    """Return the kind of the error of each ask; None where it was answered."""
    results = await asyncio.gather(*work, return_exceptions=True)
    return [result.kind if isinstance(result, CallError) else None for result in results]
