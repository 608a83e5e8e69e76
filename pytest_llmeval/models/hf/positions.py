"""Context lengths: the most tokens of a row, alone and in a batch with other rows."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["context_tokens", "shared_positions"]

_ANY = 2**31


def context_tokens(config: Any) -> int:
    """Return the most tokens of a prompt and its answer together: max_position_embeddings.

    A scaling factor of rotary positions is not applied on top: if yarn or longrope have no factor, transformers takes
    the number to be that of the scaled model (modeling_rope_utils), and other files give it before or after the
    scaling.

    Args:
        config: configuration of a transformers model.
    """
    size = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(size) if size else _ANY


def shared_positions(config: Any) -> int:
    """Return the most tokens of a row in a batch, in which each row goes on until the last has ended.

    A table of position embeddings ends with the context, and one row beyond it fails the whole batch. Rotary positions
    have no end, but two kinds of them ("longrope", "dynamic") change for all rows once one exceeds some length.
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
    """Return all parameter sets of rotary positions: one, or one for each type of layer."""
    own = [value for value in parameters.values() if isinstance(value, Mapping)]
    return own or [parameters]
