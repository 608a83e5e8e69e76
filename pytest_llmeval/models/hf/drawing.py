"""Sampling of the next token: the likeliest, or one drawn with the request's own seed."""

import random
from collections.abc import Sequence
from typing import Any

import torch

from pytest_llmeval.models.hf.params import Sampling

__all__ = ["Draws"]


class Draws:
    """A logits processor that draws the next token of each row; rows at temperature 0 keep their scores.

    A row is sampled by inverting its cumulative distribution, with one number of its own random sequence per token.
    So the other rows of the batch have no influence, except on the last bits of the logits.
    """

    def __init__(self, samplings: Sequence[Sampling], seeds: Sequence[int], device: Any) -> None:
        """Prepare for the rows of a batch."""
        drawn = [row for row, sampling in enumerate(samplings) if sampling.temperature > 0]
        self._rows = torch.tensor(drawn, dtype=torch.long, device=device)
        self._temperatures = torch.tensor([[samplings[row].temperature] for row in drawn], device=device)
        self._top_p = torch.tensor([[samplings[row].top_p] for row in drawn], device=device)
        self._randoms = [random.Random(seeds[row]) for row in drawn]  # noqa: S311 - no secret depends on it

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Return scores of shape (rows, vocabulary); a drawn row has 0 for its token and -inf for all others."""
        if not self._randoms:
            return scores
        probabilities = torch.softmax(scores[self._rows].float() / self._temperatures, dim=-1)
        ordered, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
        reached = ordered.cumsum(dim=-1)
        kept = ordered * (reached - ordered < self._top_p)
        reached = kept.cumsum(dim=-1)
        numbers = torch.tensor([[each.random()] for each in self._randoms], device=scores.device)
        places = (reached > numbers * reached[:, -1:]).float().argmax(dim=-1, keepdim=True)
        chosen = scores.clone()
        chosen[self._rows] = torch.full_like(scores[self._rows], float("-inf")).scatter(1, tokens.gather(1, places), 0)
        return chosen
