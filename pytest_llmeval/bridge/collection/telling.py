"""What an xdist worker tells the controller of its collection, on a report: nothing else travels before tests run."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_llmeval.bridge.collection.facts import CollectionFacts

__all__ = ["tell", "told_on"]

_FACTS = "llmeval_facts"


def tell(config: pytest.Config, facts: "CollectionFacts") -> None:
    """Send the facts of this worker's collection."""
    report = pytest.CollectReport(nodeid="", outcome="skipped", longrepr=("llmeval", 0, facts.to_json()), result=[])
    setattr(report, _FACTS, facts.to_json())
    config.hook.pytest_collectreport(report=report)


def told_on(report: pytest.CollectReport) -> str | None:
    """Return the facts that a report brings, as they travel; None for any other report."""
    text: str | None = getattr(report, _FACTS, None)
    return text
