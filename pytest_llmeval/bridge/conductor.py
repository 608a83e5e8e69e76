"""The conductor: which evals of a session run, what is wrong with them, and who runs and records them.

In a session without evals only it and NotFound look for any. Where cases are to run it registers a CaseRunner in the
process that runs them, and a Recorder in the process that the user started (under xdist, the controller).
"""

from collections import Counter
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmeval.bridge.casework.fixtures import give_way, notes_of_shadowed
from pytest_llmeval.bridge.casework.items import (
    cases_in,
    function_of,
    made_of,
    odd_place,
    param_of,
    suite_named,
    suite_of,
)
from pytest_llmeval.bridge.collection.broken_modules import BrokenModules
from pytest_llmeval.bridge.collection.last_failed import passed_over
from pytest_llmeval.bridge.collection.mark_expressions import holds_for
from pytest_llmeval.bridge.collection.not_found import NotFound
from pytest_llmeval.bridge.collection.only_shown import Unasked, only_shows
from pytest_llmeval.bridge.collection.selection import Selection
from pytest_llmeval.bridge.collection.tally import Tally
from pytest_llmeval.bridge.collection.telling import tell, told_on
from pytest_llmeval.bridge.config.async_modes import drop_backend, drop_trio
from pytest_llmeval.bridge.config.options import OPTIONS, said_of
from pytest_llmeval.bridge.config.refused_modes import refused_modes
from pytest_llmeval.bridge.execution.worker_queue import is_worker, outlive, scheduler
from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.parent import parent_pid
from pytest_llmeval.core.text import printable

if TYPE_CHECKING:
    from pytest_llmeval.bridge.collection.facts import CollectionFacts
    from pytest_llmeval.bridge.preparation import Preparation
    from pytest_llmeval.bridge.wiring import Wiring

__all__ = ["Conductor"]

_SOCKET = "llmeval_socket"
_TOLD = "llmeval_told"


class Conductor:
    """Watches collection; see the module."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.selection = Selection(config)
        self._broken = BrokenModules(config, self.selection)
        self._caseless, self._generated = set[str](), set[str]()
        not_found = NotFound(config, self.selection, self._found_wrong, evals=self._generated)
        config.pluginmanager.register(not_found, "llmeval-not-found")
        self.is_worker = is_worker(config)
        self._parent = parent_pid()  # early: it may end while modules are imported and models started
        self.facts: CollectionFacts | None = None
        self._socket = Path(socket) if (socket := getattr(config, "workerinput", {}).get(_SOCKET)) else None
        self._preparation: Preparation | None = None
        self._wrong: list[str] = []
        """What is wrong with the settings: where anything is, nothing can be prepared."""
        self._wiring: Wiring | None = None
        self._apart = ""
        self._html: Any = None
        self._waiting = Counter[str]()
        self._misplaced: dict[str, str] = {}
        self._notes: list[str] = []
        self.tally = Tally()
        self._name: Callable[[object, str], str | None] | None = None
        self._is_taken = self._has_refused = self.names_only = False
        self._taken: dict[str, str] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker where it will reach the engine (no file is made yet), and which cases are meant."""
        from pytest_llmeval.bridge.records.sockets import new_socket, why_not_reached

        self._apart = self._apart or why_not_reached(node)
        self._socket = self._socket or new_socket()
        node.workerinput[_SOCKET] = str(self._socket)
        outlive(node)
        has_baseline = self._is_said("baseline") and self.selection.may_meet_evals
        if (has_baseline or self._is_said("resume", "rescore")) and (prepared := self._prepared()) is not None:
            node.workerinput[_TOLD] = prepared.told

    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str, obj: object) -> None:
        """Take from an eval what a mode of anyio added to it: a backend is no parameter of one."""
        drop_backend(self.config, collector, obj)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> Generator[None, object, object]:
        """Make the cases of a marked function that was asked for, before anybody adds parameter sets."""
        marker = metafunc.definition.get_closest_marker("llmeval")
        if marker is not None:
            self._generate(metafunc, marker)
        try:
            return (yield)
        finally:
            self._name = None

    def _generate(self, metafunc: pytest.Metafunc, marker: pytest.Mark) -> None:
        self._generated.add(metafunc.definition.nodeid)
        waits = self._waits(metafunc.definition)
        if waits or self.names_only:
            (self.tally.waiting if waits else self.tally.unnamed).add(suite_named(marker, metafunc))
            return
        from pytest_llmeval.bridge.collection.parameter_sets import value_name

        prepared, where = self._prepared(), metafunc.definition.nodeid
        if prepared is None or not prepared.maker.parametrize(metafunc, marker):
            self._caseless.add(where)
        if prepared is not None:
            self._name = partial(value_name, config=self.config, where=where, problems=prepared.maker.problems)

    @pytest.hookimpl(trylast=True)
    def pytest_make_parametrize_id(self, val: object, argname: str) -> str | None:
        """Name a value of an eval's parameter set where pytest would by its place; leave all other tests to pytest."""
        return self._name(val, argname) if self._name is not None else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Leave out what nobody asked for, then let everybody else select, then see what is left."""
        self._find_misplaced(items)
        if self._preparation is not None:
            self._has_refused = self._preparation.refuse_secrets(items)
            self._drop_unrecorded(items, self._preparation)
            self.tally.meet(cases_in(items))
        self._drop_uncalled(items)
        self._select_as_begun(items)
        result = yield
        cut = self._preparation.maker.cut_by() if self._preparation is not None else ""
        self._notes += [*self._broken.settle(items), *self.selection.misnamed(items, cut)]
        if self._preparation is not None or self._wrong or self._waiting or self._misplaced or self._notes:
            drop_trio(items)
            self._drop_unmatched_last_failed(items)
            self._drop_finished(items)
            self._conclude(session, items)
        self.selection.dropped.clear()
        return result

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Count the cases that ``-m`` left out or that it must ask for: they make no run partial."""
        self.selection.note_deselected(items)
        for item, param in cases_in(items):
            if not self.is_meant(item):
                self.tally.no_cut[suite_of(item, param)] += 1

    def is_meant(self, item: pytest.Item) -> bool:
        """Whether ``-m``, that of the run that goes on where one does, asks for a case."""
        earlier = self._preparation.earlier if self._preparation is not None else None
        expression = self.config.getoption("markexpr", "") if earlier is None else earlier.run.markexpr
        return holds_for(expression, item) and not self.selection.row_attack_waits(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected; take, in the controller, what a worker's collection found."""
        text = told_on(report)
        if text is None and report.outcome != "passed":
            self.selection.note_uncollected(report)
        if text is None or self.is_worker:
            return
        report.outcome, report.longrepr = "passed", None  # the terminal and JUnit would count a module that was skipped
        from pytest_llmeval.bridge.collection.facts import CollectionFacts

        take = self._begin if self.facts is None else self.facts.require_order_of
        dealt = scheduler(self.config)
        if not getattr(dealt, "collection_is_completed", False):  # else in place of a worker that died: xdist judges it
            take(CollectionFacts.from_json(text))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Look where evals are to be collected."""
        if self.selection.may_meet_evals:
            from pytest_llmeval.bridge.records.interrupts import Interrupts

            Interrupts.watch(self.config)
        give_way(session)
        self.selection.widen_testpaths()
        self._broken.watch()

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        """Keep what pytest-html gathers for its page."""
        self._html = report

    def pytest_unconfigure(self) -> None:
        """End what ran in the background."""
        if self._wiring is not None:
            self._wiring.close()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say in one line how many evals wait, and in one how many trainings."""
        facts = self.facts
        is_shown = facts is not None and facts.is_run and not facts.count_only  # by the recorder, with its notes
        for note in facts.notes if facts is not None and not is_shown else ():
            terminalreporter.write_line(printable(f"llmeval: {note}"))
        for told in self.selection.waiting_lines(facts.waiting if facts is not None else {}, attacks=not is_shown):
            terminalreporter.write_line(printable(f"llmeval: {told}"))

    def _prepared(self) -> "Preparation | None":
        """Return what the evals need; None where the settings are wrong."""
        if self._preparation is None and not self._wrong:
            from pytest_llmeval.bridge.preparation import Preparation

            try:
                self._preparation = Preparation(self.config, told=getattr(self.config, "workerinput", {}).get(_TOLD))
            except SettingsError as error:
                self._wrong = [str(error)]
        return self._preparation

    def _found_wrong(self) -> list[str] | None:
        return self._preparation.found_wrong if self._preparation is not None else self._wrong or None

    def _wired(self, prepared: "Preparation") -> "Wiring":
        if self._wiring is None:
            from pytest_llmeval.bridge.wiring import Wiring

            self._wiring = Wiring(prepared, socket=self._socket, parent=self._parent)
        return self._wiring

    def _is_said(self, *names: str) -> bool:
        """Whether anything was said of one of these options, wherever; asked before anything is imported."""
        options = (option for option in OPTIONS if option.name in names)
        return any(self.config.getoption(each.key) or any(said_of(each, self.config)) for each in options)

    def _waits(self, item: pytest.Item) -> bool:
        """Whether a marked function was not asked for, be it by ``-m`` of the run that a person goes on with."""
        may_run = self.config.getoption("llmeval_resume") or not self.selection.waits(item)
        if may_run and not self._is_taken and self._is_said("resume", "rescore"):
            self._take_over()
        if not self.selection.waits(item):
            return False
        folder = None if self.selection.attack_waits(item) else self.selection.waits_in(item)
        self._waiting[str(folder or "")] += 1
        return True

    def _take_over(self) -> None:
        """Learn what stands for ``-m`` and ``-k`` where the session goes on with a run."""
        self._is_taken = True
        prepared = self._prepared()
        if prepared is not None and (resumed := prepared.resumed) is not None:
            from pytest_llmeval.bridge.collection.taken_selection import taken_selection

            self._taken = taken_selection(self.config, resumed.run)
            self.selection.ask_by_mark(self._taken["markexpr"], attacks=resumed.run.markexpr)

    def _select_as_begun(self, items: list[pytest.Item]) -> None:
        """Let pytest select, where a run goes on and cases of it may be here, by what the run was selected by."""
        if any(cases_in(items)):
            for key, expression in self._taken.items():
                setattr(self.config.option, key, expression)

    def _find_misplaced(self, items: list[pytest.Item]) -> None:
        """Find marked tests that can have no case, as nobody asks plugins what to make of their functions."""
        for item in items:
            place = odd_place(item)
            if not place or function_of(item.nodeid) in self._generated:
                continue
            if self._waits(item):
                self._generated.add(function_of(item.nodeid))
            else:
                told = f"{item.nodeid}: marker llmeval needs a plain function or class, found {place}"
                self._misplaced[item.nodeid] = told

    def _drop_unrecorded(self, items: list[pytest.Item], prepared: "Preparation") -> None:
        """Leave out, before anybody selects, the cases that the run which is scored again has not finished."""
        rescored = prepared.rescored
        if rescored is None:
            return
        from pytest_llmeval.bridge.casework.cases import key_of

        keys = {item: key_of(item, param) for item, param in cases_in(items)}
        self._drop(items, [item for item, key in keys.items() if not rescored.holds(key)])
        self.tally.no_cut.clear()
        held = [key for key in keys.values() if rescored.holds(key)]
        self.tally.held.update(key.suite for key in held)
        self._notes += rescored.notes(held)

    def _drop_uncalled(self, items: list[pytest.Item]) -> None:
        """Deselect waiting evals, waiting training, and ordinary tests that only our own widening brought in."""
        if not (self._waiting or self._preparation or self.selection.has_more_to_drop):
            return
        uncalled = [item for item in items if self._is_uncalled(item)]
        self._waiting.update(self.selection.told_trainings(uncalled))
        self._drop(items, uncalled)

    def _drop(self, items: list[pytest.Item], dropped: list[pytest.Item]) -> None:
        """Deselect some of ``items``."""
        if gone := set(dropped):
            items[:] = [item for item in items if item not in gone]
            self.config.hook.pytest_deselected(items=dropped)

    def _drop_unmatched_last_failed(self, items: list[pytest.Item]) -> None:
        """Run no eval where ``--lf`` knows failed ones of these files and none of them is here (another model, say)."""
        cases = list(cases_in(items))
        if self.selection.misses_last_failed(cases):
            self._drop(items, [item for item, _ in cases])
            self._notes.append("--lf: none of these evals failed last time (other --model or --epochs?); none was run")

    def _drop_finished(self, items: list[pytest.Item]) -> None:
        """Leave out the cases that ended in an earlier session of a resumed run."""
        resumed = self._preparation.resumed if self._preparation is not None else None
        if resumed is None:
            return
        ended = [case for case in cases_in(items) if resumed.has_ended(*case)]
        for item, param in ended:
            self.tally.has_ended(item, param)
        self._drop(items, [item for item, _ in ended])

    def _is_uncalled(self, item: pytest.Item) -> bool:
        if param_of(item) is not None:
            return self.selection.row_attack_waits(item)
        if item.get_closest_marker("llmeval") is not None and made_of(item) in self._generated:
            return not self._is_caseless(item)
        return self.selection.training_waits(item) or self.selection.is_foreign(item)

    def _is_caseless(self, item: pytest.Item) -> bool:
        """Whether ``item`` stands for a function that was asked for and of which there is no case."""
        return param_of(item) is None and (made_of(item) in self._caseless or item.nodeid in self._misplaced)

    def _selects_eval(self, facts: "CollectionFacts", items: list[pytest.Item]) -> bool:
        """Whether a case, a function that would have given some (any, where nothing is) or unread rows are left."""
        is_left = any(map(self._is_caseless, items)) if items else bool(self._caseless)
        is_unread = self._preparation.maker.has_unread if self._preparation is not None else bool(self._wrong)
        is_asked = is_unread and self.selection.asks_by_marks_alone
        return facts.is_run or self._has_refused or is_left or is_asked

    def _conclude(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Gather the facts of this collection and act on them, here or in the controller."""
        facts, prepared = self._gather(items), self._preparation
        if facts.problems and not self._selects_eval(facts, items):
            facts.pass_over_problems(tells=not self.selection.only_trains(items))
        if not facts.problems:
            self._drop(items, [item for item in items if self._is_caseless(item)])
            if self._broken.leave_no_run(session, facts) and self.is_worker:
                self._drop(items, [item for item, _ in cases_in(items)])
        if prepared is not None and facts.count_only and facts.selected and not facts.problems:
            from pytest_llmeval.bridge.forecasting.forecast import foretold

            facts.notes += foretold(items, prepared)
        if not self.is_worker:
            self._begin(facts)
        elif facts.worth_telling:
            if facts.problems:
                items.clear()
            tell(self.config, facts)
        if prepared is not None and facts.is_run and not facts.problems and not facts.count_only:
            self._wired(prepared).register_runner(session)
        elif facts.is_run and facts.count_only:
            self.config.pluginmanager.register(Unasked(), "llmeval-unasked")

    def _gather(self, items: list[pytest.Item]) -> "CollectionFacts":
        from pytest_llmeval.bridge.collection.facts import CollectionFacts

        facts = CollectionFacts(waiting=dict(self._waiting), notes=[*self._notes], count_only=only_shows(self.config))
        facts.problems += [self._misplaced[item.nodeid] for item in items if item.nodeid in self._misplaced]
        facts.problems += self._wrong
        if self._preparation is None:
            return facts
        from pytest_llmeval.bridge.collection.parameter_sets import each_once
        from pytest_llmeval.bridge.execution.other_loops import notes_of_marks

        chosen, doubled = each_once(cases_in(items))
        facts.problems += doubled
        facts.suites = self.tally.suites(chosen, self._preparation)
        facts.unrun = self.tally.unrun(facts.suites, self._preparation)
        firsts = [*reversed({suite_of(item, param): item for item, param in reversed(chosen)}.values())]
        shadowed = (note for item in firsts for note in notes_of_shadowed(item))
        unselected = [*self.tally.unselected(facts.suites, self._preparation), *passed_over(self.config)]
        facts.unselected = unselected if facts.is_run else []
        facts.notes = list(dict.fromkeys([*facts.notes, *shadowed, *notes_of_marks(firsts), *facts.unselected]))
        facts.tell_early(self._preparation.maker.notes(chosen, asks=self._preparation.rescored is None))
        facts.all_collected = self.selection.covers_all()
        facts.others = sorted(self.tally.read(self._preparation).keys() - facts.suites.keys())
        self._preparation.complete(facts, self.tally)
        return facts

    def _begin(self, facts: "CollectionFacts") -> None:
        self.facts = facts
        facts.problems += refused_modes(self.config, only_shows=facts.count_only) if facts.is_run else []
        facts.problems += [self._apart] if facts.is_run and self._apart else []
        makes_run = facts.is_run and not facts.count_only
        prepared = self._prepared() if makes_run else None
        # In the second place: the run that is resumed was taken up by somebody else meanwhile, say.
        if problems := facts.problems or (self._found_wrong() if makes_run else None):
            raise pytest.UsageError(printable("\n".join(problems)))
        if prepared is not None:
            self._wired(prepared).register_recorder(facts, self._html)
