"""Check that an adapter changes its base model, by the logits after a short text; shared by all kinds of models."""

from pytest_llmeval.core.errors import ModelError

__all__ = ["PROBE_TEXT", "require_effect"]

PROBE_TEXT = "The quick brown fox jumps over the lazy dog. 1 + 1 = 2"


def require_effect(
    where: str,
    *,
    is_finite: bool,
    is_same: bool,
    as_base: str = "the logits are those of the base; was it trained?",
) -> None:
    """Raise ModelError if an adapter has no effect, or breaks the model.

    Args:
        where: the adapter, for messages.
        is_finite: whether all logits with the adapter are finite.
        is_same: whether they equal those of the base.
        as_base: part of the message for an adapter without effect.
    """
    if not is_finite:
        raise ModelError(f"{where}: with it the model's logits are not finite; its training broke")
    if is_same:
        raise ModelError(
            f"{where}: it changes nothing, {as_base} As a control, an untrained adapter is taken with ?untrained=yes"
        )
