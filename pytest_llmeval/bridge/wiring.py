"""The objects that run and record the cases of a session: made, registered and ended."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.calls import Calls
from pytest_llmeval.bridge.casework.judge import Judges
from pytest_llmeval.bridge.casework.juror import Juror
from pytest_llmeval.bridge.collection.facts import CollectionFacts
from pytest_llmeval.bridge.preparation import Preparation
from pytest_llmeval.bridge.workers import is_worker
from pytest_llmeval.core.judge.forms import Forms
from pytest_llmeval.core.text import printable

__all__ = ["Wiring"]


class Wiring:
    """What a process needs to run cases, and the one that the user started to record them."""

    def __init__(self, prepared: Preparation, *, socket: Path | None, parent: int) -> None:
        """Prepare; nothing is registered yet.

        Args:
            prepared: what the session needs.
            socket: through which xdist workers reach the engine; None without xdist.
            parent: the process that started this one.
        """
        self._prepared = prepared
        self._config = prepared.config
        self._socket = socket
        self._parent = parent
        settings = prepared.settings
        self._calls = Calls(settings.rootdir, _panel(prepared), max_connections=settings.max_connections)

    def register_runner(self, session: pytest.Session) -> None:
        """Let the cases of ``session`` run in this process."""
        from pytest_llmeval.bridge.execution.running import CaseRunner
        from pytest_llmeval.bridge.sockets import has_crashed
        from pytest_llmeval.engine.line import Line

        def stop(reason: str) -> None:
            """Start no further case in this worker."""
            session.shouldstop = f"llmeval: {reason}"

        line = None
        if is_worker(self._config):
            assert self._socket is not None
            self._calls.asker = line = Line(self._socket, stop)
        runner = CaseRunner(
            self._config,
            self._calls,
            thresholds=self._prepared.thresholds,
            max_connections=self._prepared.settings.max_connections,
            secrets=self._prepared.secrets,
            line=line,
            has_crashed=lambda: self._socket is not None and has_crashed(self._socket),
        )
        self._config.pluginmanager.register(runner, "llmeval-runner")

    def register_recorder(self, facts: CollectionFacts, html: Any) -> None:
        """Make the calls of the run and record it in this process, which the user started.

        Args:
            facts: of the collection.
            html: what pytest-html gathers for its page; None where it writes none.
        """
        from pytest_llmeval.bridge.display.brevity import Brevity
        from pytest_llmeval.bridge.display.case_letters import CaseLetters
        from pytest_llmeval.bridge.display.progress import write_line
        from pytest_llmeval.bridge.display.unwritten import UnwrittenReports
        from pytest_llmeval.bridge.records.engine_room import EngineRoom
        from pytest_llmeval.bridge.records.recording import Recorder

        prepared, rescored = self._prepared, self._prepared.rescored
        # Tests may change the environment while calls are made.
        settings = replace(prepared.settings, environ=dict(prepared.settings.environ))
        room = EngineRoom(
            settings,
            prepared.asked,
            self._calls,
            socket=self._socket,
            parent=self._parent,
            answers_of=rescored.run.id if rescored is not None else None,
            asks_judges=prepared.asks_judges,
            other_judges=rescored.other_judges(facts) if rescored is not None else (),
        )
        recorder = Recorder(
            self._config,
            settings,
            facts,
            room=room,
            thresholds=prepared.thresholds,
            resumed=prepared.resumed,
            rescored=rescored,
        )
        self._config.pluginmanager.register(UnwrittenReports(), "llmeval-unwritten")
        if html is not None:
            from pytest_llmeval.bridge.display.html_report import take_over

            take_over(self._config, html, recorder.parts)  # before it, to end after it
        self._config.pluginmanager.register(recorder, "llmeval-recorder")
        self._config.pluginmanager.register(CaseLetters(self._config, recorder.begun), "llmeval-letters")
        self._config.pluginmanager.register(Brevity(self._config), "llmeval-brevity")
        if self._config.pluginmanager.hasplugin("dsession"):
            recorder.begin()
        for note in facts.early:
            write_line(self._config, printable(f"llmeval: {note}"))

    def close(self) -> None:
        """End the loops, and with them whatever still runs there."""
        self._calls.bodies.close()
        self._calls.loop.close()
        self._calls.prompts.close()


def _panel(prepared: Preparation) -> Judges:
    jurors = tuple(
        Juror(
            model=judge,
            forms=Forms(binds_nonce=judge.spec.kind in ("local", "hf"), own=judge.params),
            only_recorded=not prepared.asks_judges,
        )
        for judge in prepared.judges.values()
    )
    return Judges(jurors=jurors, panel=prepared.settings.judge_panel, probe=prepared.settings.judge_probe)
