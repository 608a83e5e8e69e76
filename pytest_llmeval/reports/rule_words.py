"""What a rule is about and why it does not simply pass, in words that terminal, Markdown and HTML share."""

from typing import Protocol

from pytest_llmeval.core.text import one_line

__all__ = ["metric_name", "model_words", "reason_words"]


class _Measured(Protocol):
    @property
    def metric(self) -> str: ...

    @property
    def slice(self) -> str | None: ...


class _Judged(_Measured, Protocol):
    @property
    def model(self) -> str | None: ...

    @property
    def rule(self) -> str | None: ...

    @property
    def verdict(self) -> str | None: ...

    @property
    def reason(self) -> str | None: ...


def metric_name(found: _Measured) -> str:
    """Return ``metric``, or ``metric [slice]`` where it is about a slice."""
    name = one_line(found.metric)
    return f"{name} [{one_line(found.slice)}]" if found.slice is not None else name


def model_words(model: str | None, *, many: bool) -> str:
    """Return on which model something is; nothing where there is only one."""
    return f" on {one_line(model, 40)}" if many and model else ""


def reason_words(found: _Judged, *, many: bool = False) -> str:
    """Return ``verdict: metric [slice] rule on model: reason``, ``note`` for a pass. The reason is as given.

    Args:
        found: what a rule came to.
        many: whether it is one of several models.
    """
    word = "note" if found.verdict == "pass" else (found.verdict or "").replace("_", " ")
    return f"{word}: {metric_name(found)} {found.rule}{model_words(found.model, many=many)}: {found.reason}"
