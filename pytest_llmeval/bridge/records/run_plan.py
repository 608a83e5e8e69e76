"""What a session records: decided before anything is opened, and the same until it ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from pytest_llmeval.bridge.collection.facts import CollectionFacts
from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.bridge.records.rescoring import Rescored
from pytest_llmeval.bridge.records.resuming import Resumed
from pytest_llmeval.core.rules import Thresholds

__all__ = ["RunPlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """The session, the evals that it collected, and what they are judged by."""

    config: pytest.Config
    settings: Settings
    facts: CollectionFacts
    """What is to run."""
    rules: Thresholds
    """None of them where there is no file."""
    resumed: Resumed | None
    """The run that goes on; None for a new one."""
    rescored: Rescored | None
    """The run whose answers are scored again; None where models are asked."""

    earlier: Resumed | Rescored | None
    """The one of these two that there is, if any; this session may hold a part of its cases only."""
    asks_judges: bool
    """Whether judges are asked."""

    @property
    def other_judges(self) -> Sequence[str]:
        """Judges that are others than in the run whose answers are scored again: it holds no verdict of theirs."""
        return self.rescored.other_judges(self.facts) if self.rescored is not None else ()
