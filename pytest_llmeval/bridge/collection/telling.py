"""What an xdist worker tells the controller of its collection, on a report: nothing else travels before tests run."""

from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.core.ids import digest

if TYPE_CHECKING:
    from pytest_llmeval.bridge.collection.facts import CollectionFacts

__all__ = ["tell", "told_on"]

_FACTS = "llmeval_facts"


def tell(config: pytest.Config, facts: "CollectionFacts") -> None:
    """Send the facts of this worker's collection."""
    told = facts.to_json()
    reason = digest(told)  # of the reports of one reason xdist hands on the first
    report = pytest.CollectReport(nodeid="", outcome="skipped", longrepr=("llmeval", 0, reason), result=[])
    setattr(report, _FACTS, told)
    config.hook.pytest_collectreport(report=report)


def told_on(report: pytest.CollectReport) -> str | None:
    """Return the facts that a report brings, as they travel; None for any other report."""
    text: str | None = getattr(report, _FACTS, None)
    return text
