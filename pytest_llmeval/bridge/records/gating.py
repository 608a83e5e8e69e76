"""The gate of a session: its rules, and the baseline that they compare with."""

import collections
from collections.abc import Mapping
from dataclasses import replace

from pytest_llmeval.bridge.records.run_plan import RunPlan
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.judging import GateResult, apply_gate
from pytest_llmeval.reports.against import against_lines
from pytest_llmeval.reports.judge_drift import judge_warnings
from pytest_llmeval.reports.rule_words import inconclusive_words, ungated_words
from pytest_llmeval.reports.run_view import RunCases
from pytest_llmeval.store.baseline_choice import BaselineChoice, choose_again, choose_baseline
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.trust import trust_in

__all__ = ["Gating"]


class Gating:
    """Chooses the baseline when the run begins, and applies the gate when it has ended."""

    def __init__(self, plan: RunPlan) -> None:
        self._rules = plan.rules
        self._settings = plan.settings
        self._choice = BaselineChoice()
        self._unjudged: list[str] = []
        self._ungated: list[str] = []

    def choose(self, store: SqliteStore, run: Run) -> Run:
        """Choose the baseline of ``run``, and return the run with a note of it.

        Raises:
            StoreError: a baseline that a person named does not exist, or a file cannot be read.
        """
        self._choice = self._chosen(store, run)
        if run.settings.get("shard"):
            self._choice = BaselineChoice(why_none="a shard is not judged")
        if self._choice.found is not None and self._choice.found.kind == "file":
            collections.deque(self._choice.found.judged(), maxlen=0)  # read to its end before anything is spent
        return self._choice.noted_in(run)

    def _chosen(self, store: SqliteStore, run: Run) -> BaselineChoice:
        """Return the choice for ``run``; a resumed run keeps the one it has."""
        root = self._settings.rootdir
        if "baseline" in run.settings:
            return choose_again(run, None, self._rules, reader=store, root=root)
        choice = choose_baseline(self._settings.baseline, self._rules, reader=store, root=root)
        return choice.for_run(run, store.runs)

    def apply(
        self,
        store: SqliteStore,
        run: Run,
        cases: RunCases,
        expected: Mapping[tuple[str, str], int],
        *,
        asks_again: bool,
    ) -> GateResult:
        """Return the gate's result for ``cases``; for one shard of several it is empty.

        If the baseline cannot be read any more, for example because its file was removed after the run began, rules on
        a change are not judged, and the run is unmeasurable unless another rule fails.
        """
        if run.settings.get("shard"):
            return GateResult(verdicts=(), verdict="none")
        trust = trust_in(store, self._rules)
        self._ungated = ungated_words(self._rules, cases.judged)

        def applied() -> GateResult:
            return apply_gate(
                self._rules,
                cases.judged,
                collected=expected,
                baseline=self._choice.to_judge(run),
                no_baseline=self._choice.why_none,
                trust=trust,
                first_look=run.first_look,
                asks_again=asks_again,
            )

        try:
            return applied()
        except StoreError as error:
            self._choice = BaselineChoice(why_none=str(error))
            without = applied()
            self._unjudged = [
                "so the status is 10, unless something failed",
                f"once that is fixed: {self._settings.llmeval('gate', run.id)}",
            ]
            return replace(without, verdict="fail" if without.verdict == "fail" else "unmeasurable")

    def lines(self, store: SqliteStore, run: Run, cases: RunCases) -> list[str]:
        """Return lines on the baseline or why there is none, on a changed judge, and on undecided rules that fail."""
        warnings = judge_warnings(run, store.answering(run), self._choice.found)
        verdicts = store.verdicts(run.id)
        where = {"db_option": self._settings.db_option, "to_root": self._settings.to_root}
        against = against_lines(self._choice, run, verdicts, cases.judged, **where)
        strict = inconclusive_words(verdicts, self._rules)
        return [*self._unjudged, *against, *(f"warning: {each}" for each in warnings), *self._ungated, *strict]
