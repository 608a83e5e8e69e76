"""Checks before a session begins whether it has enough rows for its rules."""

from pytest_llmeval.bridge.casework.cases import CaseParam
from pytest_llmeval.bridge.collection.readings import Reading
from pytest_llmeval.core.gate.power import hopeless
from pytest_llmeval.core.gate.sizes import SizeCount
from pytest_llmeval.core.planning.margins import has_margins, unjudgeable
from pytest_llmeval.core.rules import REGRESSION_KINDS, Thresholds
from pytest_llmeval.store.baselines import FoundBaseline

__all__ = ["Sizes"]


class Sizes:
    """Counts the rows of suites with rules on a change."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._count = SizeCount.of(thresholds)
        self._suites = {
            named
            for name, suite in thresholds.suites.items()
            if any(rule.kind in REGRESSION_KINDS for rule in suite.rules)
            for named in (name, name.partition("[")[0])  # of the function, which may have its own bracket
        }

    def matter(self, suite: str) -> bool:
        """Whether the rows of a suite, or of one of its parameter sets, need to be counted."""
        return suite in self._suites

    def add(self, suite: str, param: CaseParam, reading: Reading) -> None:
        """Count a case of ``suite`` that is to run, by the slices and the cluster of its row."""
        if param.sample_id in reading.parts:
            slices, cluster = reading.parts[param.sample_id]
            self._count.add(suite, param.model, param.sample_id, slices, cluster, epoch=param.epoch)

    def notes(self) -> list[str]:
        """Return a note for each rule that no number of bad answers could break with so few rows."""
        return hopeless(self._thresholds, self._count.sizes())

    @property
    def need_a_baseline(self) -> bool:
        """Whether ``problems`` may return any."""
        return has_margins(self._thresholds)

    def problems(self, found: FoundBaseline) -> list[str]:
        """Return a message for each ``mode: noninferior`` that has too few rows."""
        return unjudgeable(self._thresholds, self._count.sizes(), found.baseline())
