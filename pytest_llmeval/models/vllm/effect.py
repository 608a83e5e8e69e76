"""Check that a served adapter has an effect: vLLM has been seen to silently serve the base without the adapter."""

import math
from typing import Any

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.adapter_effect import PROBE_TEXT, require_effect
from pytest_llmeval.models.http.exchange import in_words
from pytest_llmeval.models.vllm.server import VllmServer

__all__ = ["check_effect"]

_TIMEOUT_S = 120.0


def check_effect(server: VllmServer, *, base: str, adapter: str, where: str) -> None:
    """Raise ModelError if the log probabilities of a short text equal those of the base, or are not finite.

    Args:
        server: the server of both.
        base: the base's model name on the server.
        adapter: the adapter's model name on the server.
        where: the adapter, for messages.
    """
    with_it, without = (_logprobs(server, name, where) for name in (adapter, base))
    require_effect(
        where,
        is_finite=all(map(math.isfinite, with_it)),
        is_same=with_it == without,
        as_base="vLLM gives a text the likelihood that the base gives it; was it trained, and does vLLM serve its"
        " target_modules for this base?",
    )


def _logprobs(server: VllmServer, name: str, where: str) -> list[float]:
    """Return the log probabilities of all tokens of the text but the first, and of one generated token."""
    body: dict[str, Any] = {"model": name, "prompt": PROBE_TEXT, "echo": True, "logprobs": 1}
    body |= {"max_tokens": 1, "temperature": 0, "seed": 0}
    reply = server.ask("/v1/completions", body, _TIMEOUT_S)
    try:
        assert reply is not None
        found = reply[1]["choices"][0]["logprobs"]["token_logprobs"][1:]
        return [math.nan if value is None else float(value) for value in found]
    except (AssertionError, TypeError, KeyError, IndexError, ValueError):
        ended = f" ({server.end})" if server.end else ""
        raise ModelError(
            f"{where}: vLLM does not report likelihoods for {name!r}, so its effect is not known:"
            f" {in_words(reply)}{ended}; its log is {server.log}"
        ) from None
