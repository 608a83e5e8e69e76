"""Seeds for sampling that differ between repeated, otherwise equal requests and are the same in every session."""

import hashlib
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

__all__ = ["DRAW", "own_seed", "with_own_seed"]

DRAW: ContextVar[str] = ContextVar("llmeval_draw", default="1-1")
"""Epoch and ``Ask.nth`` of the running task's call: each repetition is another draw, the same in every session."""


def own_seed(seed: int, asked: str) -> int:
    """Return the seed of one draw, from 0 to 2**64 - 1, made from the ``seed`` parameter, ``DRAW`` and the request."""
    text = f"{seed} {DRAW.get()} {asked}"
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def with_own_seed(params: Mapping[str, Any], asked: str) -> Mapping[str, Any]:
    """Return the parameters of a request with a seed of its own, from 0 to 2**31 - 1, the range that servers accept.

    With the plain seed, a server would give the same answer in every epoch and use the same random numbers for all
    rows. Greedy requests, and those whose seed is not an integer from 0 up (llama.cpp reads -1 as random), are left
    unchanged.
    """
    seed, temperature = params.get("seed"), params.get("temperature")
    if not isinstance(seed, int) or seed < 0 or not temperature:
        return params
    return {**params, "seed": own_seed(seed, asked) >> 33}
