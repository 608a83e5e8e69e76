"""Whether an adapter changes what its base says: each way to run one looks at the numbers after a short text."""

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
    """Raise ModelError where an adapter has no effect, or breaks the model.

    Args:
        where: the adapter, for messages.
        is_finite: whether what the model computes with it are numbers.
        is_same: whether they are those of the base.
        as_base: what is said of it then.
    """
    if not is_finite:
        raise ModelError(f"{where}: with it the model's logits are not finite; its training broke")
    if is_same:
        raise ModelError(
            f"{where}: it changes nothing, {as_base} As a control, an untrained adapter is taken with ?untrained=yes"
        )
