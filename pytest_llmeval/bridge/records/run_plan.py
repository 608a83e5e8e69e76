"""The plan of what a session records: decided before anything is opened, and unchanged until it ends."""

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
    """The session, the evals that it collected, and the rules that judge them."""

    config: pytest.Config
    settings: Settings
    facts: CollectionFacts
    """What was collected and is to run."""
    rules: Thresholds
    """The rules; empty if there is no file."""
    resumed: Resumed | None
    """The run that is resumed; None for a new one."""
    rescored: Rescored | None
    """The run whose answers are scored again; None if models are asked."""

    earlier: Resumed | Rescored | None
    """The run that is resumed or scored again, if any; this session may have only a part of its cases."""
    asks_judges: bool
    """Whether judges may be asked."""

    @property
    def other_judges(self) -> Sequence[str]:
        """Judges that differ from those of the run whose answers are scored again: it holds no verdict of theirs."""
        return self.rescored.other_judges(self.facts) if self.rescored is not None else ()
