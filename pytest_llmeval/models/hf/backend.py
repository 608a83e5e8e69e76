"""Backend of ``hf:`` models."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_llmeval.core.costs import cost_usd
from pytest_llmeval.core.draws import own_seed
from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.likelihood import LOGPROB_OF
from pytest_llmeval.core.param_levels import laid_over
from pytest_llmeval.core.types import Request, Response
from pytest_llmeval.models.hf.answering import AnswerJob
from pytest_llmeval.models.hf.batching import Job
from pytest_llmeval.models.hf.forms import FormError
from pytest_llmeval.models.hf.host import HfModels
from pytest_llmeval.models.hf.likelihood import LikelihoodJob
from pytest_llmeval.models.hf.params import read_sampling
from pytest_llmeval.models.http.retry import Slot
from pytest_llmeval.models.named import NamedModel, unsendable

__all__ = ["HfBackend"]


class HfBackend:
    """A model in this process; implements ``core.protocols.Backend``. It never retries, as calls would fail again."""

    def __init__(self, model: NamedModel, models: HfModels, *, timeout_s: float, slot: Slot) -> None:
        """Prepare.

        Args:
            model: the model to call, with complete parameters, ``max_tokens`` included.
            models: holds the model in memory.
            timeout_s: seconds that an answer may take, as ``AnswerJob`` counts them.
            slot: factory of the context manager that is entered around each request.
        """
        assert model.spec.weights is not None
        self.name = model.name
        self.spec = model.spec.text
        self.account = "hf"
        self.prices = model.prices
        self._params = model.params
        self._weights = model.spec.weights
        self._models = models
        self._timeout_s = timeout_s
        self._slot = slot

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.spec!r})"

    def identity(self, request: Request) -> Mapping[str, Any]:
        """Return all that decides the answer: the model's files, dtype and device, messages and parameters."""
        found = self._models.find(self._weights).identity
        return {"provider": "hf", **found, "messages": request.messages, "params": self._all(request.params)}

    async def complete(self, request: Request) -> Response:
        """Return the answer to ``request``, computed in a batch with others, or raise CallError."""
        job = self._job(request)
        async with self._slot():
            self._models.submit(job)
            try:
                response = await asyncio.wrap_future(job.future)
            except CallError as error:
                message = f"{self.name}: {error}"
                raise CallError(message, kind=error.kind, latency_s=error.latency_s) from None
        return replace(response, model=self.name, cost_usd=cost_usd(self.prices, response.usage))

    async def aclose(self) -> None:
        """Do nothing: other specs may share the model in memory."""

    def _all(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return all parameters of a request; the model's defaults do not apply to likelihoods."""
        return params if LOGPROB_OF in params else laid_over(self._params, params)

    def _job(self, request: Request) -> Job:
        """Return the request as a job, in tokens; raise CallError if the model cannot answer such a request."""
        loaded, params = self._models.find(self._weights), self._all(request.params)
        prompt = loaded.chat.prompt(request.messages)
        if LOGPROB_OF in params:
            target = self._target(loaded.chat.tokens(str(params[LOGPROB_OF])))
            self._check_context(len(prompt) + len(target), loaded.context_tokens)
            group = (self._weights, LikelihoodJob)
            tokens, room = len(prompt) + len(target), loaded.logits_room(len(target), len(prompt))
            return LikelihoodJob(group=group, tokens=tokens, room=room, prompt=prompt, target=target)
        sampling = read_sampling(params, self.name)
        self._check_context(len(prompt) + 1, loaded.context_tokens)
        try:
            form = None if sampling.schema is None else loaded.forms.follow(sampling.schema)
        except FormError as error:
            problem = f"response_format: no answer can be held to this schema: {error}"
            raise unsendable(self.name, problem, "response_format") from None
        return AnswerJob(
            group=(self._weights, AnswerJob),
            tokens=len(prompt),
            room=min(sampling.max_tokens, loaded.context_tokens - len(prompt)),
            prompt=prompt,
            sampling=sampling,
            seed=own_seed(sampling.seed, " ".join(map(str, prompt))),
            form=form,
            timeout_s=self._timeout_s,
        )

    def _target(self, tokens: list[int]) -> list[int]:
        if not tokens:
            raise unsendable(self.name, "an empty string has no likelihood", LOGPROB_OF)
        return tokens

    def _check_context(self, tokens: int, context: int) -> None:
        if tokens > context:
            problem = f"the prompt takes {tokens} tokens, and the model reads {context} at most"
            raise unsendable(self.name, problem, "messages")
