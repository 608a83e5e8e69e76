"""Likelihood of a given text after a prompt."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pytest_llmeval.core.clock import now
from pytest_llmeval.core.likelihood import Likelihood
from pytest_llmeval.core.types import Response, Usage
from pytest_llmeval.models.hf.answering import not_finite
from pytest_llmeval.models.hf.batching import Job
from pytest_llmeval.models.hf.chat import Chat
from pytest_llmeval.models.hf.forward import forward, in_like_lengths, left_padded

__all__ = ["LikelihoodJob", "weigh"]


@dataclass(slots=True, kw_only=True, eq=False)
class LikelihoodJob(Job):
    """A request for the likelihood of a text."""

    prompt: Sequence[int]
    target: Sequence[int]
    """Tokens of the text, at least one."""

    @property
    def written(self) -> int:
        """0: the job generates nothing, and its ``room`` stands for memory."""
        return 0


def weigh(model: Any, chat: Chat, jobs: Sequence[LikelihoodJob]) -> None:
    """Answer each of ``jobs`` with the likelihood of its target, as the text of a ``Likelihood``."""
    started_s = now()
    for group in in_like_lengths([len(job.prompt) + len(job.target) for job in jobs], model.device):
        _weigh(model, chat, [jobs[place] for place in group], started_s)


def _weigh(model: Any, chat: Chat, jobs: Sequence[LikelihoodJob], started_s: float) -> None:
    """Answer ``jobs`` of similar lengths in one forward pass."""
    ids, mask = left_padded([[*job.prompt, *job.target] for job in jobs], chat.pad_token, model.device)
    longest = max(len(job.target) for job in jobs)
    logits = forward(model, mask, logits=longest + 1, input_ids=ids, use_cache=False).logits
    for row, job in enumerate(jobs):
        size = len(job.target)
        logprobs = torch.log_softmax(logits[row, -size - 1 : -1].float(), dim=-1)
        chosen = torch.tensor(list(job.target), device=logprobs.device).unsqueeze(-1)
        logprob = float(logprobs.gather(-1, chosen).cpu().sum(dtype=torch.float64))  # MPS has no float64
        if not math.isfinite(logprob):
            job.fail(not_finite(f"the likelihood is {logprob}"))
            continue
        found = Likelihood(logprob=logprob, tokens=size)
        job.answer(
            Response(
                text=found.as_text(),
                finish_reason="stop",
                usage=Usage(input_tokens=len(job.prompt) + size, output_tokens=0),
                latency_s=now() - started_s,
            )
        )
