"""Evals of language models as pytest tests."""

import importlib
from typing import TYPE_CHECKING, Any

from pytest_llmeval.version import __version__

if TYPE_CHECKING:
    from pytest_llmeval.core.errors import CallError, CaseError, ErrorKind, LlmevalError, ScorerError, UserError
    from pytest_llmeval.core.likelihood import Likelihood
    from pytest_llmeval.core.protocols import Model
    from pytest_llmeval.core.types import Message, Request, Response, Sample, Score, ToolCall, Usage
    from pytest_llmeval.models.application.anthropic_client import anthropic_client, async_anthropic_client
    from pytest_llmeval.models.application.endpoint import Endpoint, model_endpoint
    from pytest_llmeval.models.application.openai_client import async_openai_client, openai_client
    from pytest_llmeval.scorers import ScoreBook, Scored, scorer

__all__ = [
    "CallError",
    "CaseError",
    "Endpoint",
    "ErrorKind",
    "Likelihood",
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
    "ToolCall",
    "Usage",
    "UserError",
    "__version__",
    "anthropic_client",
    "async_anthropic_client",
    "async_openai_client",
    "model_endpoint",
    "openai_client",
    "scorer",
]

_CLIENTS = {
    "Endpoint": "endpoint",
    "anthropic_client": "anthropic_client",
    "async_anthropic_client": "anthropic_client",
    "async_openai_client": "openai_client",
    "model_endpoint": "endpoint",
    "openai_client": "openai_client",
}
"""Modules of ``models.application`` by the public names in them; each has imports that the other names do not need."""
_HOMES = ("core.types", "core.protocols", "core.errors", "core.likelihood", "scorers")


def __getattr__(name: str) -> Any:
    """Import a public name on first use: pytest imports this package in every session, with evals or not."""
    if name in __all__:
        for home in (f"models.application.{_CLIENTS[name]}",) if name in _CLIENTS else _HOMES:
            module = importlib.import_module(f"{__name__}.{home}")
            if name in module.__all__:
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
