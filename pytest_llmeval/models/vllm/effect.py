"""Whether a served adapter has an effect: vLLM has served some as the base alone, with no word of it."""

import math
from typing import Any

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.vllm.server import VllmServer

__all__ = ["check_effect"]

_TEXT = "The quick brown fox jumps over the lazy dog. 1 + 1 = 2"
_TIMEOUT_S = 120.0


def check_effect(server: VllmServer, *, base: str, adapter: str, where: str) -> None:
    """Raise ModelError where the likelihoods of a short text are those of the base, or no numbers.

    Args:
        server: serves both.
        base: what the base is asked as.
        adapter: what the adapter is asked as.
        where: the adapter, for messages.
    """
    with_it, without = (_logprobs(server, name, where) for name in (adapter, base))
    if not all(map(math.isfinite, with_it)):
        raise ModelError(f"{where}: with it the model's logits are not finite; its training broke")
    if with_it == without:
        raise ModelError(
            f"{where}: it changes nothing, vLLM gives a text the likelihood that the base gives it; was it trained, and"
            " does vLLM serve its target_modules for this base? As a control, an untrained adapter is taken with"
            " ?untrained=yes"
        )


def _logprobs(server: VllmServer, name: str, where: str) -> list[float]:
    """Return the logarithms of the probabilities of all tokens of a text but the first, and of one token after it."""
    body: dict[str, Any] = {"model": name, "prompt": _TEXT, "echo": True, "logprobs": 1}
    body |= {"max_tokens": 1, "temperature": 0, "seed": 0}
    reply = server.ask("/v1/completions", body, _TIMEOUT_S)
    try:
        assert reply is not None
        found = reply[1]["choices"][0]["logprobs"]["token_logprobs"][1:]
        return [math.nan if value is None else float(value) for value in found]
    except (AssertionError, TypeError, KeyError, IndexError, ValueError):
        said = "no answer" if reply is None else f"status {reply[0]}, {reply[1]!r:.300}"
        ended = f" ({server.end})" if server.end else ""
        raise ModelError(
            f"{where}: vLLM does not tell likelihoods of {name!r}, so its effect is not known: {said}{ended}; its log"
            f" is {server.log}"
        ) from None
