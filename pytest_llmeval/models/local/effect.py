"""Check that an adapter on the embedded server changes the model's probabilities."""

from typing import Any
from urllib.parse import urlsplit

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.adapter_effect import PROBE_TEXT, require_effect
from pytest_llmeval.models.http.exchange import exchange, in_words
from pytest_llmeval.models.local.server import LocalServer, slot_of

__all__ = ["check_effect"]

_LIKELIEST = 100
_TIMEOUT_S = 60.0


def check_effect(server: LocalServer, adapter: int, count: int, where: str) -> None:
    """Raise ModelError if the likeliest tokens after a short text equal those of the base, or have no probabilities.

    The engine is deterministic and skips an adapter that is switched off. So equal numbers mean that the adapter adds
    nothing that a 32-bit sum would hold.

    Args:
        server: the server with the adapter.
        adapter: index of the adapter, from 0.
        count: number of adapters on the server.
        where: beginning of messages.
    """
    with_it, base = (_likeliest(server, slot_of(each, count), where) for each in (adapter, None))
    is_finite = all(logprob is not None for _, logprob in with_it)
    require_effect(where, is_finite=is_finite, is_same=with_it == base)


def _likeliest(server: LocalServer, slot: dict[str, Any], where: str) -> list[tuple[int, float | None]]:
    """Return the 100 likeliest tokens, each with the logarithm of its probability."""
    body = {
        "prompt": PROBE_TEXT,
        "n_predict": 1,
        "n_probs": _LIKELIEST,
        "temperature": 0,
        "cache_prompt": False,
        **slot,
    }
    port = urlsplit(server.base_url).port
    assert port is not None
    reply = exchange(port, "/completion", key=server.api_key, body=body, timeout_s=_TIMEOUT_S)
    try:
        assert reply is not None
        found = reply[1]["completion_probabilities"][0]["top_logprobs"]
        return [(token["id"], token["logprob"]) for token in found]
    except (AssertionError, TypeError, KeyError, IndexError):
        message = "the embedded server does not report likelihoods, so its effect is not known"
        raise ModelError(f"{where}: {message}: {in_words(reply)}") from None
