"""Server through which processes that run cases reach the engine; ``line`` is the client."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.types import Ask
from pytest_llmeval.engine import frames
from pytest_llmeval.engine.engine import Engine

__all__ = ["Switchboard"]


class Switchboard:
    """Answers the xdist workers of a session over a Unix socket that only the user who runs it can open."""

    def __init__(self, engine: Engine, path: Path, *, on_begin: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            engine: answers the asks.
            path: path of the socket, in a folder of its own.
            on_begin: called on the event loop with the message of a process whose case begins.
        """
        self._engine = engine
        self._path = path
        self._on_begin = on_begin
        self._server: asyncio.Server | None = None
        self._told: list[frames.Frame] = []
        """Messages for every process; one that connects later gets them too."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Accept connections from now on."""
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    def broadcast_stop(self, reason: str) -> None:
        """Tell every process to start no further case."""
        frame = {"stop": reason}
        if frame not in self._told:
            self._told.append(frame)
            for writer in self._writers:
                frames.write(writer, frame)

    async def aclose(self) -> None:
        """Close the server and all connections."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one process until it is gone; the calls that it caused go on, as others may want their answers."""
        self._keep(asyncio.current_task())
        self._writers.add(writer)
        claimed: set[int] = set()
        running: int | None = None
        for told in self._told:
            frames.write(writer, told)
        try:
            while (frame := await frames.read(reader)) is not None:
                if "begin" in frame:
                    self._on_begin(frame["begin"])
                    running = frame.get("place", running)
                elif "release" in frame:
                    claimed.discard(frame["release"])
                    await self._engine.release(frame["release"])
                else:
                    self._spawn(self._handle(frame, writer, claimed))
        except asyncio.CancelledError:
            pass  # the session ends
        finally:
            self._writers.discard(writer)
            if running is not None:  # if it died before it asked, nobody else will ask for this case
                self._engine.places.take(running)
            self._engine.places.give_back(sorted(claimed))
            writer.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._keep(asyncio.get_running_loop().create_task(work))

    def _keep(self, task: "asyncio.Task[Any] | None") -> None:
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, frame: frames.Frame, writer: asyncio.StreamWriter, claimed: set[int]) -> None:
        if "claim" in frame:
            places = await self._engine.claim(frame["total"], frame["claim"])
            if writer not in self._writers:  # its process died while the claim waited for room
                self._engine.places.give_back(places)
                return
            claimed.update(places)
            self._reply(writer, {"id": frame["id"], "places": places})
            return
        ask = frames.to_ask(frame["ask"])
        if frame.get("ahead"):
            claimed.discard(frame["place"])
        if "id" not in frame:  # nobody waits
            await self._engine.ahead(ask, frame["place"])
            return
        try:
            answer = {"response": await self._answer(ask, frame)}
        except CallError as error:
            answer = {"error": frames.from_error(error)}
        self._reply(writer, {"id": frame["id"], **answer})

    async def _answer(self, ask: Ask, frame: frames.Frame) -> Any:
        if not frame.get("ahead"):
            return frames.from_response(await self._engine.ask(ask))
        response = await self._engine.answer_ahead(ask, frame["place"])
        return None if response is None else frames.from_response(response)

    @staticmethod
    def _reply(writer: asyncio.StreamWriter, frame: frames.Frame) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # its process is gone
            frames.write(writer, frame)
