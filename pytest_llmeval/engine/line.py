"""Client of the engine for a process that runs cases: its connection to the engine of the session.

``switchboard`` is the server at the other end; ``frames`` defines the messages between them.
"""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_llmeval.core.calls import ask_name
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.loop import pause
from pytest_llmeval.core.types import Ask, Response
from pytest_llmeval.engine import frames

__all__ = ["Line"]

_CONNECT_STEP_S = 0.02


class Line:
    """Asks the engine over its socket. All methods run on one event loop."""

    def __init__(self, path: Path, on_stop: Callable[[str], None]) -> None:
        """Prepare; the connection is made with the first ask.

        Args:
            path: path of the engine's socket; the engine may come up later than this process.
            on_stop: called with the reason once no further case is to start.
        """
        self._path = path
        self._on_stop = on_stop
        self._numbers = itertools.count()
        self._pending: dict[int, asyncio.Future[frames.Frame]] = {}
        self._opening: asyncio.Task[asyncio.StreamWriter] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._is_lost = False

    async def ask(self, ask: Ask) -> Response:
        """Return the answer to ``ask``.

        Raises:
            CallError: there is no answer, the request holds values that JSON cannot, or the engine is gone.
        """
        ask_name(ask)
        return frames.to_response(await self._answer({"ask": frames.from_ask(ask)}))

    def peek(self, ask: Ask) -> Response | None:
        """Return None: only the engine's process knows which answers are there already."""
        return None

    async def claim(self, total: int, most: int) -> list[int]:
        """Return the next places whose responses to request ahead; an empty list when all are given out."""
        try:
            places: list[int] = (await self._request({"claim": most, "total": total}))["places"]
        except CallError:
            return []
        return places

    async def ahead(self, ask: Ask, place: int) -> None:
        """Start the call of a claimed place without waiting for it; raise CallError as ``ask`` does."""
        ask_name(ask)
        frames.write(await self._writer(), {"ask": frames.from_ask(ask), "ahead": True, "place": place})

    async def release(self, place: int) -> None:
        """Make room for another place: this one's case will not ask for its response."""
        with contextlib.suppress(CallError):
            frames.write(await self._writer(), {"release": place})

    async def answer_ahead(self, ask: Ask, place: int) -> Response | None:
        """Return the answer to a call that a case will make; None if it comes too late; raise CallError as ``ask``."""
        ask_name(ask)
        answer = await self._answer({"ask": frames.from_ask(ask), "ahead": True, "place": place})
        return None if answer is None else frames.to_response(answer)

    async def begin(self, start: str, place: int | None) -> None:
        """Tell the engine that a case begins, and its place if it has one; do nothing if the engine is gone."""
        with contextlib.suppress(CallError):
            frames.write(await self._writer(), {"begin": start, "place": place})

    async def begin_ahead(self, start: str) -> None:
        """Tell the engine that a case begins before its turn, as ``begin`` does."""
        with contextlib.suppress(CallError):
            frames.write(await self._writer(), {"begin": start})

    async def _answer(self, frame: frames.Frame) -> Any:
        """Return the engine's answer to ``frame``; raise CallError if that is an error."""
        reply = await self._request(frame)
        if "error" in reply:
            raise frames.to_error(reply["error"])
        return reply["response"]

    async def _request(self, frame: frames.Frame) -> frames.Frame:
        writer = await self._writer()
        number = next(self._numbers)
        reply: asyncio.Future[frames.Frame] = asyncio.get_running_loop().create_future()
        self._pending[number] = reply
        try:
            frames.write(writer, {**frame, "id": number})
            return await reply
        finally:
            del self._pending[number]

    async def _writer(self) -> asyncio.StreamWriter:
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._connect())
        writer = await asyncio.shield(self._opening)
        if self._is_lost:
            raise _lost()
        return writer

    async def _connect(self) -> asyncio.StreamWriter:
        parent = os.getppid()
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path)
                break
            except OSError:
                if os.getppid() != parent:  # no time limit, as models may load for long; only the engine's end counts
                    raise _lost() from None
                await pause(_CONNECT_STEP_S)
        self._listening = asyncio.get_running_loop().create_task(self._listen(reader))
        return writer

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while (frame := await frames.read(reader)) is not None:
            if "stop" in frame:
                self._on_stop(frame["stop"])
            elif (reply := self._pending.get(frame["id"])) is not None and not reply.done():
                reply.set_result(frame)
        self._is_lost = True
        for reply in self._pending.values():
            if not reply.done():
                reply.set_exception(_lost())
        self._on_stop("the process that makes the calls is gone")


def _lost() -> CallError:
    message = "the process that makes the calls is gone"
    return CallError(message, kind=ErrorKind.INTERRUPTED, attempts=0)
