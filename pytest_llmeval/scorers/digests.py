"""The digest that tells whether two scores came from one scorer with one set of settings."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.sources import settings_text, source_text
from pytest_llmeval.scorers.registry import Scorer

__all__ = ["scorer_digest"]


def scorer_digest(scorer: Scorer, settings: Mapping[str, Any]) -> str:
    """Return the sha256 in hex over what decides a scorer's values.

    For a shipped scorer that is its name and version, for a user's its name, version and source (decorators included,
    what it calls not; of an object or a partial what it holds, too), for both the settings, defaults filled in.
    """
    return digest(f"{_identity(scorer)}\n{settings_text(settings)}")


@cache
def _identity(scorer: Scorer) -> str:
    if scorer.shipped:
        return f"shipped {scorer.name} {scorer.version}"
    return f"user {scorer.name} {scorer.version}\n{source_text(scorer.function)}"
