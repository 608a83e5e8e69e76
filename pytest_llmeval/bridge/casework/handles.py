"""The object behind the fixtures ``model`` and ``judge``: one model, bound to the case that uses it."""

import asyncio
import concurrent.futures
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from pytest_llmeval.bridge.casework.cases import SYNC, CaseRun, Eval, given_up, own_request
from pytest_llmeval.bridge.casework.runtime import Runtime
from pytest_llmeval.bridge.casework.turns import asking_case, check_asking
from pytest_llmeval.core.calls import answered, ask_name, failed
from pytest_llmeval.core.errors import CallError, CaseError, ErrorKind
from pytest_llmeval.core.judge.judged_text import SCORES
from pytest_llmeval.core.judge.verdict import Wanted
from pytest_llmeval.core.likelihood import LOGPROB_OF, Likelihood
from pytest_llmeval.core.param_levels import laid_over
from pytest_llmeval.core.types import Ask, Message, Request, Response
from pytest_llmeval.loaders.prompts import as_messages
from pytest_llmeval.scorers.begun_calls import BegunCalls, watched

__all__ = ["CaseModel"]

_TOLD_IN = "docs/howto/applications.md"
_OWN_TURN = -1
"""Key in ``_given`` of the case's own ``response``, which comes before everything that its body asks."""
_OWN_MODEL = f"make the client in each test, of its own model, and hand it to the application ({_TOLD_IN})"


class CaseModel:
    """A model in one case: it knows the case's prompt and records every call."""

    def __init__(
        self,
        name: str,
        runtime: Runtime,
        *,
        eval_: Eval,
        run: CaseRun,
        role: Literal["model", "judge"] = "model",
        scores: Sequence[str] = (),
    ) -> None:
        """Bind a model to a case. For a judge, ``scores`` are the names of the scores made of its verdict."""
        self._name = name
        self._role: Literal["model", "judge"] = role
        self._runtime = runtime
        self._asker = runtime.asker
        self._scores = scores
        self._eval = eval_
        self._run = run
        self._loop = runtime.loop
        self._draws: dict[str, int] = {}
        """Which of the different answers to a request was wanted last, by the digest in the call's name; from 1."""
        self._turns = itertools.count()
        self._begun = run.asks.setdefault(role, BegunCalls())
        self._given: dict[int, Response] = {}
        """Responses to the test, by the order in which it asked; the case's own ``response`` comes first."""

    def __repr__(self) -> str:
        return f"<model {self.name}>"

    @property
    def name(self) -> str:
        """The model's name, as it stands in node ids."""
        return self._name

    @property
    def responses(self) -> tuple[Response, ...]:
        """The responses to the case so far, in the order in which it asked; failed calls have none."""
        given = dict(self._given)
        return tuple(given[turn] for turn in sorted(given))

    @watched
    async def generate(self, messages: str | list[Message] | None = None, **params: Any) -> Response:
        """Return the model's answer; None sends the case's own prompt, anything else is sent as it is.

        Args:
            messages: a string (one user message), a list of chat messages, or None.
            params: sampling parameters, which override those of the marker.

        Raises:
            CallError: the call failed after its retries; the case becomes an error, not a miss, even if this is caught.
            CaseError: another case uses this model, or its own case has ended; the case that uses it becomes an error,
                too.
            PromptError: ``messages`` is neither a string nor a list of messages.
        """
        self.check_asking()
        turn = next(self._turns)
        return self._noted(await self.answer(self._request(messages, params)), turn)

    async def answer(self, request: Request, wanted: Wanted | None = None) -> Response:
        """Return the answer to ``request``, raising CallError without one; a judge is asked for ``wanted`` by it."""
        if self._loop.is_current():
            return await self._ask(request, wanted=wanted)
        return await self._run.awaited(self._loop.submit(self._ask(request, wanted=wanted)))

    def generate_sync(self, messages: str | list[Message] | None = None, **params: Any) -> Response:
        """Return the model's answer, as ``generate`` does, from a test that is not async."""
        self.check_asking()
        turn = next(self._turns)
        return self._noted(self._waited(self._request(messages, params), position=None), turn)

    def _noted(self, response: Response, turn: int) -> Response:
        """Keep and return an answer; a new one marks a body that this plugin's loop does not run as ``SYNC``."""
        self._given[turn] = response
        if self._role == "model" and not response.cached and not response.earlier:
            self._run.turn = self._run.turn or SYNC
        return response

    @watched
    async def logprob(self, target: str, messages: str | list[Message] | None = None) -> Likelihood:
        """Return how likely the model finds ``target`` as the answer; only ``hf:`` models support this.

        Args:
            target: the text, of at least one token; the end of the turn after it is not counted.
            messages: as in ``generate``.

        Raises:
            CallError: as ``generate``, and if the model does not support this.
            CaseError: as ``generate``.
            PromptError: as ``generate``.
        """
        self.check_asking()
        return Likelihood.from_text(str(await self.answer(self._weighing(target, messages))))

    def logprob_sync(self, target: str, messages: str | list[Message] | None = None) -> Likelihood:
        """Return how likely the model finds ``target``, as ``logprob`` does, from a test that is not async."""
        self.check_asking()
        return Likelihood.from_text(str(self._waited(self._weighing(target, messages), position=None)))

    def refuse(self, error: Exception) -> None:
        """Make the asking case an error, as its OpenAI client could not send a request, even if that is caught."""
        message = f"{type(error).__name__}: {error}"
        asking = None if isinstance(error, CallError) else asking_case(self._runtime)  # the call's own case has it
        (asking or self._run).fail(error if isinstance(error, CaseError) else CaseError(message, kind=ErrorKind.CODE))

    def respond(self) -> Response:
        """Return the answer to the case's own prompt, which may have been requested ahead of time."""
        self._given[_OWN_TURN] = response = self._responded()
        return response

    def _responded(self) -> Response:
        own = self._run.own
        own.is_wanted = self._run.is_met = True
        reply = own.reply
        if reply is None:
            if own.response is None:
                own.response = self._waited(self._request(None, {}), position=own.place)
            return own.response
        try:
            with self._run.waited:
                return reply.result()
        except (asyncio.CancelledError, concurrent.futures.CancelledError):
            raise given_up() from None

    def respond_early(self) -> "concurrent.futures.Future[Response]":
        """Request the answer to the case's own prompt before the turn of the case, without waiting for it."""
        return self._loop.submit(self._ask(self._request(None, {}), position=self._run.own.place))

    async def respond_ahead(self) -> Response:
        """Return the answer to the case's own prompt to a body run ahead; keep it for the fixture ``response``."""
        own = self._run.own
        assert own.reply is not None
        if not own.reply.set_running_or_notify_cancel():
            raise asyncio.CancelledError
        own.is_wanted = True
        try:
            asked = self._loop.submit(self._ask(self._request(None, {}), position=self._run.own.place))
            response = await asyncio.wrap_future(asked)
        except BaseException as error:
            own.reply.set_exception(error)
            raise
        own.reply.set_result(response)
        self._given[_OWN_TURN] = response
        return response

    def check_asking(self) -> None:
        """Raise CaseError if another case is asking, or the model's own case has ended."""
        check_asking(self._run, self._runtime, f"{self._role} {self.name}", _OWN_MODEL)

    def _waited(self, request: Request, *, position: int | None) -> Response:
        with self._run.body_waiting():
            return self._ready(request, position) or self._loop.run(self._ask(request, position=position))

    def _ready(self, request: Request, position: int | None) -> Response | None:
        """Return the answer that arrived ahead of time; None if the case must wait for it."""
        if position is None or self._run.calls.has_asked:
            return None
        ask = Ask(case=self._run.key, model=self.name, request=request, position=position)
        try:
            response = self._asker.peek(ask)
        except CallError:  # raised again, and recorded, when the case asks
            return None
        if response is not None:
            name, _ = self._numbered(ask)
            self._run.calls.end(answered(ask, response, name))
        return response

    def _request(self, messages: str | list[Message] | None, params: Mapping[str, Any]) -> Request:
        if messages is None and not params:
            return own_request(self._eval, self._run.sample)
        chat = self._eval.prompt.render(self._run.sample) if messages is None else as_messages(messages, "messages")
        return Request(messages=chat, params=laid_over(self._eval.params, params))

    def _weighing(self, target: str, messages: str | list[Message] | None) -> Request:
        return Request(messages=self._request(messages, {}).messages, params={LOGPROB_OF: target})

    async def _ask(self, request: Request, *, position: int | None = None, wanted: Wanted | None = None) -> Response:
        case, role = self._run.key, self._role
        ask = Ask(case=case, role=role, model=self.name, request=request, position=position, wanted=wanted)
        name = ""
        try:
            name, ask = self._numbered(ask)
            self._run.calls.begin(name, ask)
            response = await self._asker.ask(ask)
        except CallError as error:
            self._run.calls.end(failed(ask, error, name))
            if wanted is None:  # else a judgement may do without the call
                self._run.fail(error)
            raise
        call = answered(ask, response, name)
        self._run.calls.end(replace(call, detail={**call.detail, SCORES: [*self._scores]}) if self._scores else call)
        return response

    def _numbered(self, ask: Ask) -> tuple[str, Ask]:
        """Return the name of a call, and its ask with the number of this request within the case."""
        stem = ask_name(ask).rpartition("-")[0]
        nth = self._run.calls.count(stem)
        if ask.wanted is None or stem not in self._draws:  # else no reply was a verdict yet: the same one is wanted
            self._draws[stem] = self._run.calls.count_draw(stem)
        numbered = ask if nth == 1 else replace(ask, nth=nth, draw=self._draws[stem])
        return f"{stem}-{nth}", numbered
