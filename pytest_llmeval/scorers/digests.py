"""The digest that identifies a scorer together with its settings."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.sources import settings_text, source_text
from pytest_llmeval.scorers.registry import Scorer

__all__ = ["scorer_digest"]


def scorer_digest(scorer: Scorer, settings: Mapping[str, Any]) -> str:
    """Return the sha256, in hex, of everything that decides a scorer's values.

    A shipped scorer enters with its name and version; a user's scorer with its name, version and source. The source
    includes decorators, and what an object or a partial holds, but not the functions that it calls. The settings enter
    for both, with their defaults filled in.
    """
    return digest(f"{_identity(scorer)}\n{settings_text(settings)}")


@cache
def _identity(scorer: Scorer) -> str:
    if scorer.shipped:
        return f"shipped {scorer.name} {scorer.version}"
    return f"user {scorer.name} {scorer.version}\n{source_text(scorer.function)}"
