"""Generate the answers of a batch, in which each row ends on its own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from pytest_llmeval.core.clock import now
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Response, Usage
from pytest_llmeval.models.hf.batching import Job
from pytest_llmeval.models.hf.caches import read
from pytest_llmeval.models.hf.chat import Chat
from pytest_llmeval.models.hf.drawing import Draws
from pytest_llmeval.models.hf.forms import Kept
from pytest_llmeval.models.hf.forward import cached
from pytest_llmeval.models.hf.params import Sampling

__all__ = ["AnswerJob", "answer", "not_finite"]


@dataclass(slots=True, kw_only=True, eq=False)
class AnswerJob(Job):
    """A request for an answer."""

    prompt: Sequence[int]
    """Tokens of the prompt."""
    sampling: Sampling
    seed: int
    """Seed of this request's own random numbers."""
    form: Any
    """A matcher of ``forms`` at its beginning; None for free text."""
    timeout_s: float
    """Seconds that the answer may take: the duration of the batch divided by its rows, which alone would take turns."""


def answer(model: Any, chat: Chat, jobs: Sequence[AnswerJob]) -> None:
    """Answer or fail each of ``jobs`` at the moment its row ends."""
    started_s = now()
    room = max(job.room for job in jobs)
    prompts = read(model, [job.prompt for job in jobs], chat.pad_token, room)
    kept = Kept(jobs, [job.form and job.form.deep_copy() for job in jobs])  # copies, for a retry in a smaller batch
    seeds = [job.seed for job in jobs]
    model.generate(
        input_ids=prompts.ids,
        attention_mask=prompts.mask,
        **cached(model, prompts.cache),
        generation_config=transformers.GenerationConfig(
            max_new_tokens=room, pad_token_id=chat.pad_token, do_sample=False
        ),
        logits_processor=transformers.LogitsProcessorList(
            [_Finite(jobs), kept, Draws([job.sampling for job in jobs], seeds, model.device)]
        ),
        stopping_criteria=transformers.StoppingCriteriaList(
            [_Ends([_Row(job, chat, len(jobs), started_s) for job in jobs])]
        ),
    )


def not_finite(found: str) -> CallError:
    """Return the error of a row with numbers that are not finite; ``found`` says which."""
    message = f"the model broke: {found}; numbers of 16 bits can be too small for it, try ?dtype=float32"
    return CallError(message, kind=ErrorKind.SERVER_ERROR)


class _Finite:
    """A logits processor that fails rows with NaN or infinite logits, whose likeliest token means nothing."""

    def __init__(self, jobs: Sequence[AnswerJob]) -> None:
        self._jobs = jobs

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        broken = ~(scores < math.inf).all(dim=-1)  # neither NaN nor infinity is below it
        if bool(broken.any()):
            for job, is_broken in zip(self._jobs, broken.tolist(), strict=True):
                if is_broken:
                    job.fail(not_finite("its logits are not numbers"))
        return scores


class _Ends:
    """The stopping criterion of a batch: gives each row its newest token, and tells the model which rows have ended."""

    def __init__(self, rows: Sequence["_Row"]) -> None:
        self._rows = rows

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        for row, token in zip(self._rows, input_ids[:, -1].tolist(), strict=True):
            row.take(token)
        return torch.tensor([not row.is_going for row in self._rows], device=input_ids.device)


class _Row:
    """An answer while it is generated."""

    def __init__(self, job: AnswerJob, chat: Chat, rows: int, started_s: float) -> None:
        self._job = job
        self._rows = rows
        self._chat = chat
        self._tokens: list[int] = []
        self._started_s = started_s
        # Most tokens are at least one byte, so a stop text lies within as many tokens as it has bytes; 8 more allow for
        # tokens without text.
        self._tail = max((len(text.encode()) for text in job.sampling.stop), default=0) + 8

    @property
    def is_going(self) -> bool:
        """Whether the row needs another token."""
        return self._job.is_open

    def take(self, token: int) -> None:
        """Add the newest token; ignore tokens after the end."""
        if not self.is_going:
            return
        elapsed_s = now() - self._started_s
        self._tokens.append(token)
        if token in self._chat.stop_tokens or self._has_stop():
            self._end("stop", elapsed_s)
        elif len(self._tokens) == self._job.room:
            self._end("length", elapsed_s)
        elif elapsed_s > self._job.timeout_s * self._rows:
            message = (
                f"no complete answer within {self._job.timeout_s:g} s for each of {self._rows} rows that were answered"
                f" together; {len(self._tokens)} tokens were written"
            )
            self._job.fail(CallError(message, kind=ErrorKind.TIMEOUT, latency_s=elapsed_s))

    def _has_stop(self) -> bool:
        stops = self._job.sampling.stop
        return bool(stops) and any(text in self._chat.text(self._tokens[-self._tail :]) for text in stops)

    def _end(self, finish_reason: str, elapsed_s: float) -> None:
        said = self._tokens[:-1] if self._tokens[-1] in self._chat.stop_tokens else self._tokens
        text = self._chat.text(said)
        cut = min((place for stop in self._job.sampling.stop if (place := text.find(stop)) >= 0), default=len(text))
        self._job.answer(
            Response(
                text=text[:cut],
                finish_reason=finish_reason,
                usage=Usage(input_tokens=len(self._job.prompt), output_tokens=len(self._tokens)),
                latency_s=elapsed_s,
            )
        )
