"""What tells equal requests of a run apart, for models that draw by a seed."""

import hashlib
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

__all__ = ["DRAW", "with_own_seed"]

DRAW: ContextVar[str] = ContextVar("llmeval_draw", default="1-1")
"""Epoch and number of the call that the running task makes: a repetition is another draw, and the same in each session.
"""


def with_own_seed(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters of a request with a seed of its own draw, from 0 to 2**31 - 1.

    A server that draws by the seed alone would say the same in every epoch. Greedy requests, and those whose seed is no
    whole number from 0 up (llama.cpp takes -1 for chance), are left as they are.
    """
    seed, temperature = params.get("seed"), params.get("temperature")
    if not isinstance(seed, int) or seed < 0 or not temperature:
        return params
    found = hashlib.sha256(f"{seed} {DRAW.get()}".encode()).digest()
    return {**params, "seed": int.from_bytes(found[:4], "big") >> 1}
