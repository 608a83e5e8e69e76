"""Escalation: runs the same command again in a child process, for two more epochs, if a rule is undecided."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pytest_llmeval.bridge.records.call_sums import CallSum
from pytest_llmeval.bridge.records.run_plan import RunPlan
from pytest_llmeval.core.child import run_captured
from pytest_llmeval.core.gate.judging import GateResult
from pytest_llmeval.core.parent import ESCALATED, ESCALATED_CALLS
from pytest_llmeval.core.rules import MORE_EPOCHS
from pytest_llmeval.core.text import printable
from pytest_llmeval.store.records import Run

__all__ = ["Escalation", "is_escalated"]

_REPORTS = {"xmlpath": "--junitxml=", "htmlpath": "--html="}
"""Reports of the session that the child must not overwrite, as it has only the new epochs."""


def is_escalated(run_id: str, environ: Mapping[str, str]) -> bool:
    """Return whether this process is the child that takes a second look at the run."""
    return environ.get(ESCALATED) == run_id


class Escalation:
    """The second look at a run."""

    def __init__(self, plan: RunPlan) -> None:
        self._config = plan.config
        self._settings = plan.settings
        self._rules = plan.rules
        self.calls = CallSum()
        """How the calls of the second look were answered; all 0 until it has ended."""

    def is_due(self, result: GateResult) -> bool:
        """Whether the run could pass but for inconclusive rules in suites that escalate."""
        return result.verdict == "inconclusive" and bool(self._undecided(result))

    def begins(self, result: GateResult) -> str:
        """Return the line that says that the second look begins, and why."""
        undecided = self._undecided(result)
        rules = "1 rule is" if undecided == 1 else f"{undecided} rules are"
        return f"llmeval: {rules} inconclusive: asking for {MORE_EPOCHS} epochs more, in a process of its own"

    def tell(self, run_id: str, calls: CallSum) -> None:
        """In the child, write how its calls were answered for the waiting parent."""
        path = self._settings.environ.get(ESCALATED_CALLS)
        if path and is_escalated(run_id, self._settings.environ):
            calls.write(Path(path))

    def _undecided(self, result: GateResult) -> int:
        """Return the number of rules that more epochs may decide."""
        suites = self._rules.suites
        return sum(
            each.verdict == "inconclusive"
            and not each.is_open
            and suites[each.suite].settings.on_inconclusive == "escalate"
            for each in result.verdicts
        )

    def obstacle(self, run: Run, spent_usd: float) -> str | None:
        """Return why no second look may be taken at a judged run; None if it may."""
        limit = self._settings.max_cost_usd
        if run.settings.get("escalated"):
            return "it had its second look"
        if run.settings.get("shards"):
            return "its shards were joined"
        if run.settings.get("partial"):
            return "the run is partial"
        if run.settings.get("rescored") is not None:
            return "no model is asked"
        if self._settings.cache == "only":
            return "no model is asked with --cache only"
        if limit is not None and spent_usd >= limit:
            return "--max-cost is used up"
        return None

    def run(self, run: Run, spent_usd: float) -> tuple[int, str]:
        """Run the same command for two more epochs of ``run``; return its exit status and the end of its output."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            calls = Path(folder, "calls.json")
            try:
                ended, printed = run_captured(
                    self._command(run, spent_usd),
                    cwd=self._config.invocation_params.dir,
                    environ={**self._settings.environ, ESCALATED: run.id, ESCALATED_CALLS: str(calls)},
                )
            finally:
                self.calls = CallSum.read(calls)
        return ended.returncode, printable(printed)

    def _command(self, run: Run, spent_usd: float) -> list[str]:
        given = list(map(str, self._config.invocation_params.args))
        end = given.index("--") if "--" in given else len(given)
        more = [f"--llmeval-resume={run.id}", f"--llmeval-epochs={self._settings.epochs + MORE_EPOCHS}"]
        if self._settings.max_cost_usd is not None:
            more.append(f"--llmeval-max-cost={self._settings.max_cost_usd - spent_usd:.9f}")
        more += [flag for name, flag in _REPORTS.items() if self._config.getoption(name, None)]
        return [sys.executable, "-m", "pytest", *given[:end], *more, *given[end:]]
