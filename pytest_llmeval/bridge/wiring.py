"""The plugin objects that run and record the cases of a session, made and registered."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.judges import Judges
from pytest_llmeval.bridge.casework.juror import Juror
from pytest_llmeval.bridge.casework.runtime import Runtime
from pytest_llmeval.bridge.collection.facts import CollectionFacts
from pytest_llmeval.bridge.preparation import Preparation
from pytest_llmeval.bridge.workers import is_worker
from pytest_llmeval.core.judge.forms import Forms
from pytest_llmeval.core.text import printable

__all__ = ["make_runtime", "register_recorder", "register_runner"]


def make_runtime(prepared: Preparation) -> Runtime:
    """Return the runtime of this process's cases; all calls fail until a recorder or a runner is registered."""
    settings = prepared.settings
    jurors = tuple(
        Juror(
            model=judge,
            forms=Forms(binds_nonce=judge.spec.kind in ("local", "hf"), own=judge.params),
            only_recorded=not prepared.asks_judges,
        )
        for judge in prepared.judges.values()
    )
    judges = Judges(jurors=jurors, panel=settings.judge_panel, probe=settings.judge_probe)
    return Runtime(settings.rootdir, judges, max_connections=settings.max_connections)


def register_runner(prepared: Preparation, runtime: Runtime, session: pytest.Session, socket: Path | None) -> None:
    """Register the object that runs the cases of ``session``; a worker reaches the engine through ``socket``."""
    from pytest_llmeval.bridge.execution.running import CaseRunner
    from pytest_llmeval.bridge.sockets import has_crashed
    from pytest_llmeval.engine.line import Line

    def stop(reason: str) -> None:
        """Start no further case in this worker."""
        session.shouldstop = f"llmeval: {reason}"

    line = None
    if is_worker(prepared.config):
        assert socket is not None
        runtime.asker = line = Line(socket, stop)
    runner = CaseRunner(
        prepared.config,
        runtime,
        thresholds=prepared.thresholds,
        max_connections=prepared.settings.max_connections,
        secrets=prepared.secrets,
        line=line,
        has_crashed=lambda: socket is not None and has_crashed(socket),
    )
    prepared.config.pluginmanager.register(runner, "llmeval-runner")


def register_recorder(
    prepared: Preparation, runtime: Runtime, facts: CollectionFacts, *, socket: Path | None, parent: int, html: Any
) -> None:
    """Register the objects that make the calls of the run and record it, in the process that the user started.

    Args:
        prepared: the settings, rules and models of the session.
        runtime: of this process.
        facts: of the collection.
        socket: through which xdist workers reach the engine; None without xdist.
        parent: id of the process that started this one.
        html: the object in which pytest-html gathers its page; None if it writes none.
    """
    from pytest_llmeval.bridge.display.brevity import Brevity
    from pytest_llmeval.bridge.display.case_letters import CaseLetters
    from pytest_llmeval.bridge.display.progress import write_line
    from pytest_llmeval.bridge.display.unwritten import UnwrittenReports
    from pytest_llmeval.bridge.records.engine_room import EngineRoom
    from pytest_llmeval.bridge.records.recording import Recorder
    from pytest_llmeval.bridge.records.run_plan import RunPlan

    config = prepared.config
    # Tests may change the environment while calls are made.
    settings = replace(prepared.settings, environ=dict(prepared.settings.environ))
    plan = RunPlan(
        config=config,
        settings=settings,
        facts=facts,
        rules=prepared.thresholds,
        resumed=prepared.resumed,
        rescored=prepared.rescored,
        earlier=prepared.earlier,
        asks_judges=prepared.asks_judges,
    )
    room = EngineRoom(plan, prepared.asked, runtime, socket=socket, parent=parent)
    recorder = Recorder(plan, room)
    config.pluginmanager.register(UnwrittenReports(), "llmeval-unwritten")
    if html is not None:
        from pytest_llmeval.bridge.display.html_report import take_over

        take_over(config, html, recorder.parts)  # before the recorder, so that its hook ends after the recorder's
    config.pluginmanager.register(recorder, "llmeval-recorder")
    config.pluginmanager.register(CaseLetters(config, recorder.begun), "llmeval-letters")
    config.pluginmanager.register(Brevity(config), "llmeval-brevity")
    if config.pluginmanager.hasplugin("dsession"):
        recorder.begin()
    for note in facts.early:
        write_line(config, printable(f"llmeval: {note}"))
