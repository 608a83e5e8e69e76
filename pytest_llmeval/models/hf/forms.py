"""Structured output (``response_format``): before each token, llguidance says which tokens the schema allows."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.models.hf.batching import Job
from pytest_llmeval.models.hf.chat import Chat

__all__ = ["FormError", "Forms", "Kept"]

_WRITTEN: Mapping[str, Any] = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""Whitespace as ``json.dumps`` writes it: if any were allowed, small models would generate whitespace for ever."""


class FormError(ValueError):
    """Answers cannot be made to follow a schema; the message says why."""


class Forms:
    """Creates matchers of JSON schemas for one model's tokenizer."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def follow(self, schema: Mapping[str, Any]) -> Any:
        """Return a matcher at the beginning of an answer that follows a JSON schema.

        Raises:
            FormError: the schema is invalid or uses unsupported features, or llguidance is missing or does not support
                the tokenizer.
        """
        try:
            from llguidance import LLMatcher
        except ModuleNotFoundError:  # the extra was installed before it included llguidance
            raise FormError("llguidance is missing: pip install 'pytest-llmeval[hf]'") from None
        matcher = LLMatcher(
            self._tokenizer,
            LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=dict(_WRITTEN)),
            log_level=0,
        )
        if matcher.is_error():
            raise FormError(" ".join(matcher.get_error().split())[:300])
        return matcher

    @cached_property
    def _tokenizer(self) -> Any:
        import llguidance.hf

        try:
            return llguidance.hf.from_tokenizer(self._chat.tokenizer, eos_token=sorted(self._chat.stop_tokens))
        except ValueError as error:
            raise FormError(str(error)) from None


class Kept:
    """A logits processor that leaves each row only the tokens its schema allows; rows without a schema stay as is."""

    def __init__(self, jobs: Sequence[Job], matchers: Sequence[Any]) -> None:
        """Prepare.

        Args:
            jobs: the rows of a batch; a job fails if its answer can no longer follow its schema.
            matchers: the matcher of each row; None for free text.
        """
        self._rows = [
            (row, job, matcher)
            for row, (job, matcher) in enumerate(zip(jobs, matchers, strict=True))
            if matcher is not None
        ]
        self._has_begun = False

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Return scores of shape (rows, vocabulary), with -inf for tokens that are not allowed."""
        if not self._rows:
            return scores
        rows, vocabulary = scores.shape
        bits = np.full((rows, -(-vocabulary // 8)), 255, dtype=np.uint8)
        last = input_ids[:, -1].tolist()
        for row, job, matcher in self._rows:
            if not job.is_open:
                continue
            if self._has_begun and not matcher.consume_token(last[row]):
                message = f"response_format: {' '.join(matcher.get_error().split())[:300]}"
                job.fail(CallError(message, kind=ErrorKind.MALFORMED_RESPONSE))
                continue
            told = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)[: bits.shape[1]]
            bits[row] = 0  # a model's vocabulary may have more ids than the tokenizer has tokens
            bits[row, : len(told)] = told
        self._has_begun = True
        return scores.masked_fill(~_allowed(bits, scores), float("-inf"))


def _allowed(bits: Any, scores: Any) -> Any:
    """Return a boolean mask of the allowed tokens, in the shape of ``scores``; the bits move to its device packed."""
    packed = torch.from_numpy(bits).to(scores.device)
    places = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8, device=scores.device)
    return ((packed.unsqueeze(-1) & places) != 0).flatten(1)[:, : scores.shape[-1]]
