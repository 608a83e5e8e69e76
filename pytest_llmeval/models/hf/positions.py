"""How many tokens a model reads, alone and as a row beside others."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["context_tokens", "shared_positions"]

_ANY = 2**31


def context_tokens(config: Any) -> int:
    """Return the most tokens of a prompt and its answer together, by max_position_embeddings.

    What scales rotary positions is not counted on top: transformers takes the number for that of the scaled model where
    yarn or longrope have no factor (modeling_rope_utils), and other files have it before or after the scaling.

    Args:
        config: of a transformers model.
    """
    size = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(size) if size else _ANY


def shared_positions(config: Any) -> int:
    """Return the most tokens that a row may have beside others, where each goes on until the last has ended.

    A table of positions ends with the context, and one row behind it fails all. Rotary positions have no end, but two
    kinds of them turn otherwise for all rows once one is longer than some length.
    """
    text = config.get_text_config()
    if not getattr(text, "rope_parameters", None):
        return context_tokens(config)
    return min(_bound(rope, context_tokens(config)) for rope in _ropes(text.rope_parameters))


def _bound(rope: Mapping[str, Any], context: int) -> int:
    if rope.get("rope_type") == "longrope":
        return int(rope.get("original_max_position_embeddings") or context)
    return context if rope.get("rope_type") == "dynamic" else _ANY


def _ropes(parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the parameters of rotary positions, of which each type of layer may have its own."""
    own = [value for value in parameters.values() if isinstance(value, Mapping)]
    return own or [parameters]
