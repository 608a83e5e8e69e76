"""What tells equal requests of a run apart, for models that draw by a seed."""

import hashlib
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

__all__ = ["DRAW", "own_seed", "with_own_seed"]

DRAW: ContextVar[str] = ContextVar("llmeval_draw", default="1-1")
"""Epoch and number of the call that the running task makes: a repetition is another draw, and the same in each session.
"""


def own_seed(seed: int, asked: str) -> int:
    """Return the seed of one draw, from 0 to 2**64 - 1: of its parameter, of which draw it is, and of what is asked."""
    text = f"{seed} {DRAW.get()} {asked}"
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def with_own_seed(params: Mapping[str, Any], asked: str) -> Mapping[str, Any]:
    """Return the parameters of a request with a seed of its own, from 0 to 2**31 - 1, as servers take them.

    One that draws by the seed alone would say the same in every epoch, and draw alike for all rows. Greedy requests and
    those whose seed is no whole number from 0 up (llama.cpp takes -1 for chance), are left as they are.
    """
    seed, temperature = params.get("seed"), params.get("temperature")
    if not isinstance(seed, int) or seed < 0 or not temperature:
        return params
    return {**params, "seed": own_seed(seed, asked) >> 33}
