"""The engine's side of the connections from processes that run cases."""

import asyncio
import contextlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from pytest_llmeval.core.errors import CallError
from pytest_llmeval.engine import frames
from pytest_llmeval.engine.engine import Engine

__all__ = ["Switchboard"]


class Switchboard:
    """Answers the xdist workers of a session over a socket that only their user can open."""

    def __init__(self, engine: Engine, path: Path) -> None:
        """Prepare.

        Args:
            engine: answers the asks.
            path: of the socket, in a folder of its own.
        """
        self._engine = engine
        self._path = path
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Accept connections from now on."""
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    def broadcast_stop(self, reason: str) -> None:
        """Tell every process to start no further case."""
        for writer in self._writers:
            frames.write(writer, {"stop": reason})

    async def aclose(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for writer in list(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one process until it is gone; the calls that it caused go on, others may want them."""
        self._writers.add(writer)
        claimed: set[int] = set()
        try:
            while (frame := await frames.read(reader)) is not None:
                self._spawn(self._handle(frame, writer, claimed))
        except asyncio.CancelledError:
            pass  # the session ends
        finally:
            self._writers.discard(writer)
            self._engine.turns.give_back(sorted(claimed))
            writer.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, frame: frames.Frame, writer: asyncio.StreamWriter, claimed: set[int]) -> None:
        if "claim" in frame:
            places = await self._engine.turns.claim(frame["total"], frame["claim"])
            claimed.update(places)
            self._reply(writer, {"id": frame["id"], "places": places})
            return
        ask = frames.to_ask(frame["ask"])
        if frame.get("ahead"):
            claimed.discard(frame["place"])
            await self._engine.ahead(ask, frame["place"])
            return
        try:
            answer = {"response": frames.from_response(await self._engine.ask(ask))}
        except CallError as error:
            answer = {"error": frames.from_error(error)}
        self._reply(writer, {"id": frame["id"], **answer})

    @staticmethod
    def _reply(writer: asyncio.StreamWriter, frame: frames.Frame) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # its process is gone
            frames.write(writer, frame)
