"""The conductor: what this plugin does from the start of a session until its cases run, hook by hook.

In a session without evals, only its helpers that look for evals do any work. Where cases are to run, a ``CaseRunner``
is registered in the process that runs them, and a ``Recorder`` in the process that the user started (under xdist, the
controller).
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmeval.bridge.casework.fixtures import give_way
from pytest_llmeval.bridge.casework.items import cases_in
from pytest_llmeval.bridge.collection.broken_modules import BrokenModules
from pytest_llmeval.bridge.collection.ignored_folders import IgnoredPaths
from pytest_llmeval.bridge.collection.only_shown import only_shows
from pytest_llmeval.bridge.collection.selection import Selection
from pytest_llmeval.bridge.collection.waiting import waiting_lines
from pytest_llmeval.bridge.config.async_modes import drop_trio
from pytest_llmeval.bridge.config.options import is_set
from pytest_llmeval.bridge.stages.deselecting import Deselection
from pytest_llmeval.bridge.stages.earlier_selection import EarlierSelection
from pytest_llmeval.bridge.stages.made_suites import MadeSuites
from pytest_llmeval.bridge.stages.marked_functions import MarkedFunctions
from pytest_llmeval.bridge.stages.not_found import NotFound
from pytest_llmeval.bridge.stages.prepared_once import PreparedOnce
from pytest_llmeval.bridge.stages.run_start import RunStart
from pytest_llmeval.bridge.stages.tally import Tally
from pytest_llmeval.bridge.stages.unnamed_classes import UnnamedClasses
from pytest_llmeval.bridge.training.items import TrainingItems
from pytest_llmeval.bridge.workers import Workers, facts_on, is_worker
from pytest_llmeval.core.text import printable

if TYPE_CHECKING:
    from pytest_llmeval.bridge.collection.facts import CollectionFacts

__all__ = ["Conductor"]


class Conductor:
    """The plugin object whose hooks decide the order of the steps; helpers that it makes do the work."""

    def __init__(self, config: pytest.Config) -> None:
        """Make the helpers; nothing is registered yet."""
        self._config = config
        self._selection = Selection(config)
        self._tally = Tally()
        self._workers = Workers(config)
        self._prepared = PreparedOnce(config, self._workers.meant_runs)
        self._earlier = EarlierSelection(config, self._selection, self._prepared)
        self._functions = MarkedFunctions(self._selection, self._earlier, self._prepared, self._tally)
        self._broken = BrokenModules(config, self._selection)
        self._deselection = Deselection(
            config, self._selection, self._earlier, self._functions, self._prepared, self._tally
        )
        self._start = RunStart(config, self._prepared, self._workers)

    def register(self) -> None:
        """Register this object, and those of its helpers that have hooks."""
        manager = self._config.pluginmanager
        manager.register(NotFound(self._config, self._selection, self._prepared, self._functions), "llmeval-not-found")
        manager.register(self._functions, "llmeval-marked-functions")
        manager.register(self, "llmeval-conductor")
        manager.register(IgnoredPaths(self._selection.ignored), "llmeval-ignored-paths")
        names_nodes = any("::" in argument for argument in self._config.args)
        if names_nodes:
            manager.register(UnnamedClasses(self._functions), "llmeval-unnamed-classes")
        if names_nodes or self._config.getoption("lf", False):
            manager.register(MadeSuites(self._tally, self._earlier), "llmeval-made-suites")
        manager.register(TrainingItems(self._config, self._selection), "llmeval-training")

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        """Keep the object in which pytest-html gathers its page."""
        self._start.html = report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Look for evals in the folders that are to be collected."""
        if self._selection.may_meet_evals:
            from pytest_llmeval.bridge.records.interrupts import Interrupts

            Interrupts.watch(self._config)
        give_way(session)
        self._selection.widen_testpaths()
        self._broken.watch()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a starting xdist worker the path of the engine's socket, and which earlier runs are meant.

        A worker that looked up the newest run itself might find the run of this session.
        """
        has_baseline = is_set(self._config, "baseline") and self._selection.may_meet_evals
        means_runs = has_baseline or is_set(self._config, "resume", "rescore")
        prepared = self._prepared.get() if means_runs else None
        self._workers.tell(node, prepared.meant_runs if prepared is not None else None)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Deselect what nobody asked for, let other plugins select, then act on what is left."""
        self._functions.find_misplaced(items)
        self._deselection.before_others(items)
        if any(cases_in(items)):
            self._earlier.put_in_place()
        result = yield
        self._deselection.notes += self._broken.settle(items)
        self._deselection.note_misnamed(items)
        if self._has_met_any:
            drop_trio(items)
            self._deselection.after_others(items)
            facts = self._facts_of(items)
            self._settle(facts, session, items)
            self._start.act_on(facts, session, items)
        self._deselection.forget()
        return result

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Count the deselected cases; those that ``-m`` left out, or would have to select, make no run partial."""
        self._deselection.note(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected; in the controller, take the facts that a worker collected."""
        text = facts_on(report)
        if text is None and report.outcome != "passed":
            self._selection.note_uncollected(report)
        if text is not None and not is_worker(self._config):
            report.outcome, report.longrepr = "passed", None  # else a module is counted as skipped
            self._start.act_on_workers(text)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print one line about the evals that wait to be asked for, and one about the trainings."""
        facts = self._start.facts
        is_shown = facts is not None and facts.is_run and not facts.count_only  # by the recorder, with its notes
        for note in facts.notes if facts is not None and not is_shown else ():
            terminalreporter.write_line(printable(f"llmeval: {note}"))
        waiting = facts.waiting if facts is not None else {}
        for told in waiting_lines(self._config, self._selection, waiting, attacks=not is_shown):
            terminalreporter.write_line(printable(f"llmeval: {told}"))

    def pytest_unconfigure(self) -> None:
        """End the event loops of the runtime, and what still runs on them."""
        self._start.close()

    @property
    def _has_met_any(self) -> bool:
        """Whether an eval was found, or there is something else to report."""
        has_eval = self._prepared.was_asked or self._tally.waiting or self._functions.misplaced
        return bool(has_eval or self._deselection.notes)

    def _facts_of(self, items: list[pytest.Item]) -> "CollectionFacts":
        from pytest_llmeval.bridge.collection.facts import CollectionFacts

        facts = CollectionFacts(
            waiting=dict(self._tally.waiting),
            notes=[*self._deselection.notes],
            problems=[*self._functions.problems_of(items), *self._prepared.settings_problems],
            count_only=only_shows(self._config),
        )
        if self._prepared.made is not None:
            from pytest_llmeval.bridge.stages.gathering import add_evals

            add_evals(facts, items, self._selection, self._tally, self._prepared.made)
        return facts

    def _settle(self, facts: "CollectionFacts", session: pytest.Session, items: list[pytest.Item]) -> None:
        """Ignore problems if no eval is left, deselect functions without cases, forecast a run that is only shown."""
        if facts.problems and not self._selects_eval(facts, items):
            facts.pass_over_problems(tells=not self._selection.only_trains(items))
        if facts.problems:
            return
        self._deselection.drop(items, self._functions.caseless_among(items))
        if self._broken.leave_no_run(session, facts) and is_worker(self._config):
            self._deselection.drop_cases(items)
        if self._prepared.made is not None and facts.count_only and facts.selected:
            from pytest_llmeval.bridge.forecasting.forecast import forecast_lines

            facts.notes += forecast_lines(items, self._prepared.made)

    def _selects_eval(self, facts: "CollectionFacts", items: list[pytest.Item]) -> bool:
        """Whether evals are selected: cases, functions for which no case could be made, or rows that cannot be read.

        If no item is left at all, any function without a case counts, wherever it stands.
        """
        is_left = bool(self._functions.caseless_among(items) if items else self._functions.caseless)
        made = self._prepared.made
        is_unread = made.maker.has_unread if made is not None else bool(self._prepared.settings_problems)
        is_asked = is_unread and self._selection.asks_by_marks_alone
        return facts.is_run or self._deselection.has_refused or is_left or is_asked
