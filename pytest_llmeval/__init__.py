"""Evals of language models as pytest tests."""

from typing import TYPE_CHECKING, Any

from pytest_llmeval.core.errors import CallError, CaseError, ErrorKind, LlmevalError, ScorerError, UserError
from pytest_llmeval.core.types import Message, Model, Request, Response, Sample, Score, Usage
from pytest_llmeval.version import __version__

if TYPE_CHECKING:
    from pytest_llmeval.scorers import ScoreBook, Scored, scorer

__all__ = [
    "CallError",
    "CaseError",
    "ErrorKind",
    "LlmevalError",
    "Message",
    "Model",
    "Request",
    "Response",
    "Sample",
    "Score",
    "ScoreBook",
    "Scored",
    "ScorerError",
    "Usage",
    "UserError",
    "__version__",
    "scorer",
]


def __getattr__(name: str) -> Any:
    """Import the scorers only where they are used: pytest imports this package in every session."""
    if name in ("ScoreBook", "Scored", "scorer"):
        from pytest_llmeval import scorers

        return getattr(scorers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
