"""The engine of a session, in the process that the user started: how it is made, and how it ends."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.bridge.casework.runtime import Runtime
from pytest_llmeval.bridge.config.model_setup import ModelHosts
from pytest_llmeval.bridge.records.run_plan import RunPlan
from pytest_llmeval.bridge.sockets import note_crash, remove, sweep
from pytest_llmeval.core.errors import ErrorKind, StoreError
from pytest_llmeval.core.loop import pause
from pytest_llmeval.core.parent import PARENT
from pytest_llmeval.core.protocols import Backend
from pytest_llmeval.engine.budget import Budget
from pytest_llmeval.engine.engine import Engine
from pytest_llmeval.engine.keeping import CallCounts
from pytest_llmeval.engine.limiter import Limiter, Limits
from pytest_llmeval.engine.places import Places
from pytest_llmeval.engine.switchboard import Switchboard
from pytest_llmeval.models.keys import known_secrets
from pytest_llmeval.models.local.host import LOCAL_ACCOUNT
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.redaction import Redactor
from pytest_llmeval.store.journal import Orphan, SqliteJournal
from pytest_llmeval.store.recorded import RecordedCalls
from pytest_llmeval.store.records import Run

__all__ = ["EngineRoom"]

_DRAIN_S = 2.0
_PARENT_STEP_S = 0.5


@dataclass(slots=True, kw_only=True)
class _Running:
    """The objects that answer calls from ``start`` to ``close``."""

    run: Run
    engine: Engine
    journal: SqliteJournal
    recorded: RecordedCalls | None
    """The calls of the run that is scored again; None if this session makes calls."""
    switchboard: Switchboard | None = None
    """The socket server for xdist workers; None without them."""
    watch: asyncio.Task[None] | None = None
    """The task that ends the session with its parent; referenced here because the event loop keeps no strong
    reference."""


class EngineRoom:
    """Starts the engine, opens it to xdist workers, and closes it so that answers that were paid for are kept."""

    def __init__(
        self,
        plan: RunPlan,
        models: Mapping[str, NamedModel],
        runtime: Runtime,
        *,
        socket: Path | None,
        parent: int,
    ) -> None:
        """Prepare; nothing is opened before ``start``.

        Args:
            plan: what the session records.
            models: all models that are asked, by name.
            runtime: of this process; its asks go to the engine once the engine has started.
            socket: path for the workers, in a folder that is made for it; None without xdist.
            parent: id of the process that started this one; it may have ended since.
        """
        settings = plan.settings
        self.redactor = Redactor(known_secrets(settings.environ, models.values()))
        """Knows the secrets of the environment, and of each model once it is opened."""
        self._plan = plan
        self._models = models
        self._runtime = runtime
        self._socket = socket
        self._parent = parent
        self._hosts = ModelHosts(settings)
        self.limiter = Limiter(
            Limits(
                max_connections=settings.max_connections,
                rpm=settings.rpm,
                tpm=settings.tpm,
                patience_s=settings.timeout_s,
                most={LOCAL_ACCOUNT: 1},  # its server handles one at a time; waiting there would use up timeouts
            )
        )
        """Counts the requests sent, and their results."""
        self._budget = Budget(settings.max_cost_usd)
        self.counts = CallCounts()
        """Counts of how calls were answered; kept for the summary after the engine is closed."""
        self._running: _Running | None = None
        self._left: Orphan | None = None
        """The journal, from the end of all calls until the database has absorbed it."""

    def start_models(self, report: Callable[[str], None]) -> None:
        """Start the models of this machine that are asked; raise ModelError if one does not start."""
        self._hosts.start(self._asked(), report)

    def start(
        self, run: Run, *, resumed: bool, on_fault: Callable[[StoreError], None], on_begin: Callable[[str], None]
    ) -> None:
        """Start answering calls.

        Args:
            run: whose calls are made; its row is in the database.
            resumed: whether earlier sessions of the run may have answers.
            on_fault: called on the event loop when answers cannot be stored any more.
            on_begin: called on the event loop for each case that begins in a worker.

        Raises:
            StoreError: the journal cannot be written, or the socket for the workers cannot be made.
        """
        db, rescored = self._plan.settings.db, self._plan.rescored
        journal = SqliteJournal(db, run)
        if resumed:
            journal.open_history()
        recorded = RecordedCalls(db, rescored.run.id) if rescored is not None else None
        running = _Running(
            run=run, engine=self._engine(journal, recorded, on_fault), journal=journal, recorded=recorded
        )
        self._running = running
        try:
            self._runtime.loop.run(self._open_to_all(running, on_begin))
        except OSError as error:
            raise StoreError(f"{self._socket}: the socket for the workers cannot be created: {error}") from None

    @property
    def spent_usd(self) -> float:
        """US dollars that the answers of this session cost; 0 without ``--max-cost``, as nothing is counted then."""
        return self._budget.spent_usd

    def stop_soon(self, kind: ErrorKind, reason: str) -> None:
        """Make no further call, and let no worker start a case; may be called in any thread, and does not wait."""
        running = self._running
        if running is None:
            return

        def stop() -> None:
            running.engine.stop(kind, reason)
            if running.switchboard is not None:
                running.switchboard.broadcast_stop(reason)

        self._runtime.loop.call_soon(stop)

    def note_crash(self) -> None:
        """Let every worker know from now on that one of them died."""
        if self._socket is not None:
            note_crash(self._socket)

    def drain(self) -> None:
        """Wait a moment for answers that are paid for already."""
        if self._running is not None:
            self._runtime.loop.run(self._running.engine.drain(_DRAIN_S))

    def close(self) -> None:
        """End all calls; if an interrupt cuts that short, calling this again ends the rest."""
        running = self._running
        if running is None:
            return
        self._runtime.loop.run(self._close(running))
        running.journal.close()
        if running.recorded is not None:
            running.recorded.close()
        self._left, self._running = Orphan(path=running.journal.path, run=running.run), None

    def hand_over(self, absorb: Callable[[Orphan], None]) -> None:
        """Let the database absorb the journal, by calling ``absorb``, once all calls have ended."""
        if self._left is not None:
            absorb(self._left)
            self._left = None

    def end_models(self) -> None:
        """End the models of this machine, each even if the end of another one fails."""
        self._hosts.stop()

    def _asked(self) -> list[NamedModel]:
        if self._plan.rescored is None:
            return list(self._models.values())
        return [juror.model for juror in self._runtime.judges.jurors] if self._plan.asks_judges else []

    def _engine(
        self, journal: SqliteJournal, recorded: RecordedCalls | None, on_fault: Callable[[StoreError], None]
    ) -> Engine:
        settings = self._plan.settings
        window = 2 * settings.max_connections * (2 if self._socket is not None else 1)
        return Engine(
            open_model=self._open,
            journal=journal,
            limiter=self.limiter,
            budget=self._budget,
            places=Places(window),
            cache=settings.cache,
            judge_cache=settings.judge_cache,
            recorded=recorded,
            asks_judges=self._plan.asks_judges,
            other_judges=self._plan.other_judges,
            on_fault=on_fault,
            redact=self.redactor,
        )

    async def _open_to_all(self, running: _Running, on_begin: Callable[[str], None]) -> None:
        """Open the engine to this process and to its workers; called on the event loop."""
        settings, engine = self._plan.settings, running.engine
        if self._socket is None and settings.makes_calls:  # tests of this process may patch the HTTP clients
            engine.open(model.name for model in self._asked())
        self.counts = engine.counts
        self._runtime.asker = engine
        if self._socket is not None:
            sweep(self._socket)
            self._socket.parent.mkdir(mode=0o700)
            running.switchboard = Switchboard(engine, self._socket, on_begin=on_begin)
            await running.switchboard.open()
        if settings.environ.get("GITHUB_ACTIONS") == "true" or settings.environ.get(PARENT) == str(self._parent):
            running.watch = asyncio.get_running_loop().create_task(_end_with_parent(self._parent))

    def _open(self, name: str) -> Backend:
        """Return the backend of a model, under its limits, and with secrets kept out of messages."""
        return self._hosts.open(self._models[name], self.limiter.slots, self.redactor)

    async def _close(self, running: _Running) -> None:
        running.engine.stop(ErrorKind.INTERRUPTED, "the session has ended")
        await running.engine.drain(_DRAIN_S)  # -x leaves calls in flight, for example
        if running.switchboard is not None:
            await running.switchboard.aclose()
        await running.engine.aclose()
        if self._socket is not None:
            remove(self._socket)


async def _end_with_parent(parent: int) -> None:
    """End this session when its parent goes, such as the training that it measures.

    GitHub Actions signals a cancelled job to the step's shell alone, which ends 7.5 s later, and everything else 2.5 s
    after that: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-cancellation
    """
    while os.getppid() == parent:
        await pause(_PARENT_STEP_S)
    os.kill(os.getpid(), signal.SIGTERM)
