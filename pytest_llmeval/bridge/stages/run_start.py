"""From the facts of a collection to a run: problems end the session, else cases run here and are recorded."""

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmeval.bridge.collection.only_shown import Unasked
from pytest_llmeval.bridge.config.refused_modes import refused_modes
from pytest_llmeval.bridge.stages.prepared_once import PreparedOnce
from pytest_llmeval.bridge.workers import Workers, has_dealt, is_worker, send_facts
from pytest_llmeval.core.parent import parent_pid
from pytest_llmeval.core.text import printable

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.runtime import Runtime
    from pytest_llmeval.bridge.collection.facts import CollectionFacts
    from pytest_llmeval.bridge.preparation import Preparation

__all__ = ["RunStart"]


class RunStart:
    """Acts on the facts of a collection, in the process that collected and in the one that the user started.

    The former runs the cases and the latter records them; without xdist they are the same process.
    """

    def __init__(self, config: pytest.Config, prepared: PreparedOnce, workers: Workers) -> None:
        self._config = config
        self._prepared = prepared
        self._workers = workers
        self._parent = parent_pid()  # early: it may end while modules are imported and models started
        self._runtime: Runtime | None = None
        self.facts: CollectionFacts | None = None
        """The facts on which this process, which the user started, acts; None before that, and in a worker."""
        self.html: Any = None
        """The object in which pytest-html gathers its page; None if it writes none."""

    def act_on(self, facts: "CollectionFacts", session: pytest.Session, items: list[pytest.Item]) -> None:
        """Record a run and run its cases, or raise UsageError; a worker leaves the recording to its controller."""
        if not is_worker(self._config):
            self._begin(facts)
        elif facts.worth_telling:
            if facts.problems:
                items.clear()
            send_facts(self._config, facts.to_json())
        if not facts.is_run or facts.problems:
            return
        if facts.count_only:
            self._config.pluginmanager.register(Unasked(), "llmeval-unasked")
        elif (prepared := self._prepared.made) is not None:
            from pytest_llmeval.bridge.wiring import register_runner

            register_runner(prepared, self._runtime_for(prepared), session, self._workers.socket)

    def act_on_workers(self, text: str) -> None:
        """Start recording once the first worker has sent its facts, as JSON; require the same cases of the others."""
        from pytest_llmeval.bridge.collection.facts import CollectionFacts

        if has_dealt(self._config):  # xdist checks that this worker has the dead one's tests
            return
        facts = CollectionFacts.from_json(text)
        if self.facts is None:
            self._begin(facts)
        else:
            self.facts.require_order_of(facts)

    def close(self) -> None:
        """End the event loops of the runtime, and what still runs on them."""
        if self._runtime is not None:
            self._runtime.close()

    def _begin(self, facts: "CollectionFacts") -> None:
        self.facts = facts
        makes_run = facts.is_run and not facts.count_only
        if facts.is_run:
            facts.problems += refused_modes(self._config, only_shows=facts.count_only)
            facts.problems += [self._workers.unreachable] if self._workers.unreachable else []
        prepared = self._prepared.get() if makes_run else None
        # Under xdist the controller prepares only now: another session may have resumed the run, for example.
        if problems := facts.problems or (self._prepared.problems_before_selection if makes_run else []):
            raise pytest.UsageError(printable("\n".join(problems)))
        if prepared is not None:
            from pytest_llmeval.bridge.wiring import register_recorder

            runtime, socket = self._runtime_for(prepared), self._workers.socket
            register_recorder(prepared, runtime, facts, socket=socket, parent=self._parent, html=self.html)

    def _runtime_for(self, prepared: "Preparation") -> "Runtime":
        """Return the ``Runtime`` that the recorder and the runner of this process share, made once."""
        if self._runtime is None:
            from pytest_llmeval.bridge.wiring import make_runtime

            self._runtime = make_runtime(prepared)
        return self._runtime
