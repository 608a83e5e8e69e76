"""The engine: every model call of a run goes through it, in the process that the user started.

It looks for an answer in the run's journal, then in the cache, and only then calls the model's backend.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial

from pytest_llmeval.core.calls import answered, ask_name, response_of
from pytest_llmeval.core.costs import FREE
from pytest_llmeval.core.draws import DRAW
from pytest_llmeval.core.errors import CallError, ErrorKind, StoreError, UserError
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.judge.forms import came_at_once
from pytest_llmeval.core.loop import retrieved
from pytest_llmeval.core.protocols import Backend
from pytest_llmeval.core.strict_json import canonical, copied
from pytest_llmeval.core.types import Ask, CacheMode, Call, CaseKey, Kept, Response
from pytest_llmeval.engine.account_limit import Priority
from pytest_llmeval.engine.bounds import Lengths, bound, failed_usd, lost_usd
from pytest_llmeval.engine.budget import Budget
from pytest_llmeval.engine.journal import Journal, Recorded
from pytest_llmeval.engine.keeping import CallCounts, Keeping
from pytest_llmeval.engine.limiter import PRIORITY, Limiter
from pytest_llmeval.engine.paying import Paying
from pytest_llmeval.engine.places import Places
from pytest_llmeval.engine.sharing import Sharing, foreseen, outcome

__all__ = ["Engine"]

_WHY_UNASKED: Mapping[str, str] = {
    "model": "prompt, row, parameters or the calls of the test have changed since; only a new run can tell what the"
    " model says to it",
    "judge": "rubric, judge, row or the calls of the test have changed since; --judge-model SPEC has a judge asked",
}
"""Why a run that is scored again holds no answer to a request, by role; part of an error message."""
_CallId = tuple[CaseKey, str]
_SEEN_AT_ONCE = 8


class Engine:
    """Answers asks. Equal asks of a run share one call: they wait while it is in flight and reuse its answer later.

    Look-ahead, xdist, reruns and resuming need nothing else: whoever asks first, in whichever process, causes the
    call, and nobody causes it again. All methods but ``peek`` run on one event loop.
    """

    def __init__(
        self,
        *,
        open_model: Callable[[str], Backend],
        journal: Journal,
        limiter: Limiter,
        budget: Budget,
        places: Places,
        cache: CacheMode = "off",
        judge_cache: CacheMode = "use",
        recorded: Recorded | None = None,
        asks_judges: bool = True,
        other_judges: Collection[str] = (),
        on_fault: Callable[[StoreError], None] = lambda error: None,
        redact: Callable[[str], str] = str,
    ) -> None:
        """Prepare.

        Args:
            open_model: returns the backend for a model's name; called once for each model.
            journal: stores the answers and finds stored ones.
            limiter: hands out the slots that the backends enter around each request.
            budget: limits what the calls may cost.
            places: hands out the places of responses that are requested ahead.
            cache: whether models' answers from earlier runs are ignored (``off``), replaced (``refresh``), reused
                (``use``) or the only source (``only``).
            judge_cache: the same for judges; the verdict on an answer need not be paid for twice.
            recorded: the run that is scored again, whose answers are used instead of calls; None to call models.
            asks_judges: whether judges are called for verdicts that ``recorded`` does not hold.
            other_judges: names of the judges that differ from those of ``recorded``: its verdicts are not theirs.
            on_fault: called when answers can no longer be written or read; no call is made from then on.
            redact: removes secrets from the message of an unexpected error.
        """
        self._open_model = open_model
        self._journal, self._limiter, self._budget = journal, limiter, budget
        self.places = places
        self._cache: Mapping[str, CacheMode] = {"model": cache, "judge": judge_cache}
        self._recorded = recorded
        self._asks_judges = asks_judges
        self._other_judges = other_judges
        self._on_fault, self._redact = on_fault, redact
        self._backends: dict[str, Backend] = {}
        self._calls: dict[_CallId, asyncio.Task[Response]] = {}
        self._ahead: dict[_CallId, list[Priority]] = {}
        """For each call begun ahead that no case has asked for yet: its priority and those of calls it waits for."""
        self._sharing = Sharing()
        self._lengths = Lengths()
        self._seen: deque[tuple[_CallId, asyncio.Task[Response], int | None]] = deque()
        self.counts = CallCounts()
        self._keeping = Keeping(journal, self._halt, self.counts)
        self._judging: set[CaseKey] = set()
        """Cases that have asked a judge themselves: no judgement is requested ahead for them any more."""
        self._released: set[int] = set()
        """Places whose cases have ended, or will end, without asking for their responses."""
        self._is_closed = False
        """Whether ``aclose`` has begun. The journal may be closed too, so not even stored answers are returned."""
        self._budget_freed = asyncio.Event()

    def open(self, models: Iterable[str]) -> None:
        """Create the backends of these models now, with their imports; an error is raised by the first ask instead."""
        for model in models:
            with contextlib.suppress(Exception):
                self._backend(model)

    async def ask(self, ask: Ask) -> Response:
        """Return the answer to ``ask``.

        Raises:
            CallError: there is no answer.
        """
        self._note_seen()
        if ask.position is not None:
            self.places.take(ask.position)
        if ask.role == "judge":
            self._judging.add(ask.case)
        name = ask_name(ask)
        task = self._task(ask, name, ahead=False)
        try:
            return await outcome(task)
        finally:
            if task.done():  # a later ask of that name finds the answer in the journal
                self._forget((ask.case, name), task)

    def peek(self, ask: Ask) -> Response | None:
        """Return the answer if it is there already, else None. Any thread may call this.

        It saves the thread that runs the tests a round trip to the event loop for each response requested ahead.
        """
        key = (ask.case, ask_name(ask))
        task = self._calls.get(key)
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        self._seen.append((key, task, ask.position))
        if len(self._seen) >= min(_SEEN_AT_ONCE, max(1, self.places.window // 4)):
            task.get_loop().call_soon_threadsafe(self._note_seen)
        return task.result()

    def _note_seen(self) -> None:
        """Forget the calls whose answers were returned by ``peek``."""
        while self._seen:
            key, task, position = self._seen.popleft()
            self._forget(key, task)
            if position is not None:
                self.places.take(position)

    def _forget(self, key: _CallId, task: "asyncio.Task[Response]") -> None:
        """Forget a call that has ended; a newer call under the same key stays."""
        if self._calls.get(key) is task:
            del self._calls[key]
            self._ahead.pop(key, None)

    async def claim(self, total: int, most: int) -> list[int]:
        """Return the next places of ``total``, at most ``most``, whose responses are to be requested ahead."""
        return await self.places.claim(total, most)

    async def ahead(self, ask: Ask, place: int) -> None:
        """Start the call of a claimed place without waiting for it, unless its case has asked in the meantime."""
        if self.places.is_open(place):
            self._task(ask, ask_name(ask), ahead=True)

    async def release(self, place: int) -> None:
        """Make room for another place: this one's case will not ask for its response or for a judgement of it."""
        self._released.add(place)
        self.places.take(place)

    async def answer_ahead(self, ask: Ask, place: int) -> Response | None:
        """Return the answer to a call that the case at ``place`` will make, and keep it until the case asks.

        Returns:
            The answer. None if this call was not started before the case asked for its response (for a judge's
            call: before it asked for any judgement) or ended without asking.

        Raises:
            CallError: there is no answer.
        """
        name = ask_name(ask)
        if ask.role == "judge":
            is_late = ask.case in self._judging or place in self._released
        else:
            is_late = not self.places.is_open(place)
        if is_late and (ask.case, name) not in self._calls:
            return None
        return await outcome(self._task(ask, name, ahead=True))

    def stop(self, kind: ErrorKind, message: str) -> None:
        """Make no further call to any model. Calls in flight may finish, and their answers are stored."""
        self._limiter.close(kind, message)
        self.places.close()
        self._budget_freed.set()

    async def drain(self, timeout_s: float) -> None:
        """Wait at most ``timeout_s`` seconds for calls in flight, so that paid answers are stored; cancel the rest.

        Whoever waits for a cancelled call gets a CallError: a worker that kept waiting would block the session's end.
        """
        pending = [task for task in self._calls.values() if not task.done()]
        try:
            if pending and self._limiter.in_flight:
                await asyncio.wait(pending, timeout=timeout_s)
        finally:
            self._give_up()

    async def aclose(self) -> None:
        """Cancel the calls in flight and close the backends."""
        self._is_closed = True
        self.stop(ErrorKind.INTERRUPTED, "the session has ended")
        await asyncio.gather(*self._give_up(), return_exceptions=True)
        self._keeping.flush()
        closing = (backend.aclose() for backend in self._backends.values())
        await asyncio.gather(*closing, return_exceptions=True)  # all answers are stored: a failed close loses nothing

    def _give_up(self) -> "list[asyncio.Task[Response]]":
        pending = [task for task in self._calls.values() if not task.done()]
        for task in pending:
            task.cancel()
        return pending

    def _task(self, ask: Ask, name: str, *, ahead: bool) -> "asyncio.Task[Response]":
        key = (ask.case, name)
        task = self._calls.get(key)
        if task is None:
            priority = Priority(ahead=ahead)
            task = asyncio.get_running_loop().create_task(foreseen(self._answer(ask, name, priority), self._redact))
            task.add_done_callback(retrieved)
            self._calls[key] = task
            if ahead:
                self._ahead[key] = [priority]
        elif not ahead and key in self._ahead:
            for each in self._ahead.pop(key):
                self._limiter.hurry(each)
        return task

    async def _answer(self, ask: Ask, name: str, priority: Priority) -> Response:
        """Return the answer from the cheapest source that has it: recorded run, journal, cache, model."""
        if self._is_closed:
            self._limiter.require_open()
        if self._recorded is not None:
            again = self._again(self._recorded, ask, name)
            if again is not None:
                return again
        for recall, is_earlier in ((self._journal.recall, False), (self._journal.recall_earlier, True)):
            known = self._looked_up(partial(recall, ask.case, name))
            if known is not None:
                self.counts.recalled += 1
                return replace(response_of(known), earlier=is_earlier)
        self._limiter.require_open()
        backend = self._backend(ask.model)
        key = _cache_key(backend, ask)
        if self._cache[ask.role] in ("use", "only"):
            return await self._cached(ask, name, key, backend, priority)
        return await self._call(ask, name, key, backend, priority)

    def _again(self, recorded: Recorded, ask: Ask, name: str) -> Response | None:
        """Return the answer to this call in ``recorded``; None if a judge is to be called instead."""
        if ask.role == "judge" and ask.model in self._other_judges:
            return None
        request = {"messages": ask.request.messages, "params": ask.request.params}
        call = self._looked_up(lambda: recorded.find(ask.case, name, request))
        if ask.role == "judge" and self._asks_judges and (call is None or call.status != "ok"):
            return None
        if call is None:
            message = f"{ask.model}: run {recorded.run_id} holds no answer to this request: {_WHY_UNASKED[ask.role]}"
            raise CallError(message, kind=ErrorKind.NOT_CACHED, attempts=0)
        if call.status != "ok":
            self.counts.failed += 1
            kind = ErrorKind(call.status)
            raise CallError(call.detail["error"], kind=kind, attempts=0, latency_s=call.latency_s, cached=True)
        self.counts.cached += 1
        return replace(response_of(call), cached=True, cost_usd=0.0)

    async def _cached(self, ask: Ask, name: str, key: str, backend: Backend, priority: Priority) -> Response:
        """Return the answer of an earlier call with this cache key, or of one in flight; make the call if none is."""
        response = await self._sharing.answer(
            key,
            priority,
            known=lambda: self._known(ask, key, backend),
            call=lambda: self._call(ask, name, key, backend, priority),
            join=partial(self._join, (ask.case, name)),
        )
        self.counts.cached += response.cached
        return response

    def _join(self, key: _CallId, priority: Priority) -> None:
        """Move the call that this one waits for up in the queue: now if a case waits, else as soon as one does."""
        if key in self._ahead:
            self._ahead[key].append(priority)
        else:
            self._limiter.hurry(priority)

    def _known(self, ask: Ask, key: str, backend: Backend) -> Response | None:
        """Return the cached answer under ``key``; None if the model is to be called."""
        request = {"messages": ask.request.messages, "params": ask.request.params}
        sent = backend.identity(ask.request).get("params")
        found = self._looked_up(lambda: self._journal.cached(key, request, sent))
        response = None if found is None else response_of(found)
        if response is not None and _is_cacheable(ask, response):
            return replace(response, cached=True, cost_usd=0.0)
        if self._cache[ask.role] == "only":
            message = f"{ask.model}: no answer to this request is in the cache, and --cache only makes no call"
            raise CallError(message, kind=ErrorKind.NOT_CACHED, attempts=0)
        return None

    async def _call(self, ask: Ask, name: str, key: str, backend: Backend, priority: Priority) -> Response:
        """Call the model and return its answer once it is stored."""
        if ask.wanted is not None and ask.wanted.only_known:
            raise CallError(f"{ask.model}: no answer has come", kind=ErrorKind.NOT_CACHED, attempts=0)
        most = bound(backend, ask)
        priority.expected = partial(self._lengths.expected, ask, most)
        is_noted = backend.prices != FREE
        priority.begin = partial(self._keeping.begin, (ask.case, name)) if is_noted else None
        PRIORITY.set(priority)
        DRAW.set(f"{ask.case.epoch}-{ask.nth}")
        paying = Paying(
            self._budget,
            model=ask.model,
            prices=backend.prices,
            most=most,
            freed=self._budget_freed,
            require_open=self._limiter.require_open,
        )
        await paying.start()
        priority.paying = paying
        try:
            response = await backend.complete(ask.request)
        except BaseException as error:
            paying.end(None, "none")
            if isinstance(error, CallError):
                self.counts.failed += 1
                error.cost_usd = failed_usd(backend.prices, error.usages)
                has_ended = priority.begin is None
            else:
                # A call that broke has ended. A cancelled one may still be answered, unless no request was in flight.
                has_ended = isinstance(error, Exception) or not priority.is_sent
            if is_noted and has_ended:
                self._keeping.fail((ask.case, name))
            raise
        paying.end(response.cost_usd, "answered")
        tokens = self._lengths.taken(ask, most, response) - priority.tokens
        self._limiter.settle(backend.account, tokens, taken_s=priority.taken_s)
        if response.cost_usd is not None:
            paid_usd = response.cost_usd + lost_usd(backend.prices, response.lost)
            response = replace(response, cost_usd=paid_usd)
        response = replace(response, cache_key=key if _is_cacheable(ask, response) else None)
        await self._keeping.keep(Kept(case=ask.case, call=answered(ask, response, name)))
        self.counts.answered += 1
        return response

    def _looked_up(self, look: Callable[[], Call | None]) -> Call | None:
        """Return what ``look`` finds. If the journal cannot be read, stop: a call might pay for a stored answer."""
        try:
            found = look()
        except StoreError as fault:
            self._halt(fault)
            message = f"cannot read whether the answer is stored: {fault}"
            raise CallError(message, kind=ErrorKind.STORAGE, attempts=0) from None
        self.counts.damaged = len(self._journal.damaged)
        return found

    def _halt(self, fault: StoreError) -> None:
        self.stop(ErrorKind.STORAGE, f"no further call is made: {fault}")
        self._on_fault(fault)

    def _backend(self, model: str) -> Backend:
        if model not in self._backends:
            try:
                self._backends[model] = self._open_model(model)
            except UserError as error:
                raise CallError(str(error), kind=ErrorKind.BAD_REQUEST, attempts=0) from None
        return self._backends[model]


def _cache_key(backend: Backend, ask: Ask) -> str:
    """Return the sha256 in hex over all that decides an answer; each epoch and each repeated draw has its own key.

    The digest covers the request itself, not the form in the database, which leaves out deeply nested values.
    """
    facts = [1, ask.role, ask.case.epoch, ask.draw, copied(dict(backend.identity(ask.request)))]
    return digest(canonical(facts))


def _is_cacheable(ask: Ask, response: Response) -> bool:
    """Whether the answer may serve a later run.

    It may not if it is a refusal, has no finish reason, or, where a verdict is wanted, was none at the first reply.
    """
    is_whole = response.refusal is None and response.finish_reason is not None
    return is_whole and (ask.wanted is None or came_at_once(response, ask.request.params, ask.wanted))
