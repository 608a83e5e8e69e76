"""From the facts of a collection to a run: what is wrong ends the session, else cases run here and are recorded."""

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmeval.bridge.collection.only_shown import Unasked
from pytest_llmeval.bridge.config.refused_modes import refused_modes
from pytest_llmeval.bridge.stages.prepared_once import PreparedOnce
from pytest_llmeval.bridge.workers import Workers, has_dealt, is_worker, send_facts
from pytest_llmeval.core.parent import parent_pid
from pytest_llmeval.core.text import printable

if TYPE_CHECKING:
    from pytest_llmeval.bridge.collection.facts import CollectionFacts
    from pytest_llmeval.bridge.preparation import Preparation
    from pytest_llmeval.bridge.wiring import Wiring

__all__ = ["RunStart"]


class RunStart:
    """Acts on the facts of a collection: in the process that collected, and in the one that the user started.

    The former runs the cases and the latter records them; without xdist they are one.
    """

    def __init__(self, config: pytest.Config, prepared: PreparedOnce, workers: Workers) -> None:
        self._config = config
        self._prepared = prepared
        self._workers = workers
        self._parent = parent_pid()  # early: it may end while modules are imported and models started
        self._wiring: Wiring | None = None
        self.facts: CollectionFacts | None = None
        """Those on which this process, which the user started, acts; None before, and in a worker."""
        self.html: Any = None
        """What pytest-html gathers for its page; None where it writes none."""

    def act_on(self, facts: "CollectionFacts", session: pytest.Session, items: list[pytest.Item]) -> None:
        """Record a run and run its cases, or raise UsageError; a worker has its controller do the former."""
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
        elif self._prepared.made is not None:
            self._wired(self._prepared.made).register_runner(session)

    def act_on_workers(self, text: str) -> None:
        """Record a run as soon as the first worker has collected; of the others require the same cases.

        Args:
            text: the facts of a worker, as JSON.
        """
        from pytest_llmeval.bridge.collection.facts import CollectionFacts

        if has_dealt(self._config):  # whether this worker has the same tests as the dead one is for xdist to judge
            return
        facts = CollectionFacts.from_json(text)
        if self.facts is None:
            self._begin(facts)
        else:
            self.facts.require_order_of(facts)

    def close(self) -> None:
        """End what ran in the background."""
        if self._wiring is not None:
            self._wiring.close()

    def _begin(self, facts: "CollectionFacts") -> None:
        self.facts = facts
        makes_run = facts.is_run and not facts.count_only
        if facts.is_run:
            facts.problems += refused_modes(self._config, only_shows=facts.count_only)
            facts.problems += [self._workers.unreachable] if self._workers.unreachable else []
        prepared = self._prepared.get() if makes_run else None
        # Under xdist the controller prepares only now: somebody else may have taken up the run that goes on, say.
        if problems := facts.problems or (self._prepared.problems() if makes_run else []):
            raise pytest.UsageError(printable("\n".join(problems)))
        if prepared is not None:
            self._wired(prepared).register_recorder(facts, self.html)

    def _wired(self, prepared: "Preparation") -> "Wiring":
        if self._wiring is None:
            from pytest_llmeval.bridge.wiring import Wiring

            self._wiring = Wiring(prepared, socket=self._workers.socket, parent=self._parent)
        return self._wiring
