"""Messages between the engine and the processes that run cases: JSON objects, each preceded by its length."""

import asyncio
from dataclasses import fields
from json import dumps, loads  # by name: a user's test may patch json.dumps
from typing import Any

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.judge.recorded import rubric_of
from pytest_llmeval.core.judge.verdict import Wanted
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import Ask, CaseKey, Request, Response, ToolCall, Usage

__all__ = ["from_ask", "from_error", "from_response", "read", "to_ask", "to_error", "to_response", "write"]

Frame = dict[str, Any]
_LENGTH_BYTES = 4
_OF_ERRORS = ("attempts", "latency_s", "param", "cost_usd", "cached")


async def read(reader: asyncio.StreamReader) -> Frame | None:
    """Return the next message; None at the end of the connection, whether it was closed or broke."""
    try:
        size = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
        frame: Frame = loads(await reader.readexactly(size))
    except (asyncio.IncompleteReadError, OSError):
        return None
    return frame


def write(writer: asyncio.StreamWriter, frame: Frame) -> None:
    """Send a message."""
    data = dumps(frame, allow_nan=False).encode("ascii")
    writer.write(len(data).to_bytes(_LENGTH_BYTES) + data)


def from_ask(ask: Ask) -> Frame:
    """Return an ask as a message; its request holds only JSON values, as ``ask_name`` has checked."""
    told = {each.name: getattr(ask, each.name) for each in fields(ask)}
    request = {"messages": ask.request.messages, "params": ask.request.params}
    return {**told, "case": plain(ask.case), "request": request, "wanted": plain(ask.wanted)}


def to_ask(frame: Frame) -> Ask:
    """Return the ask that a message holds."""
    request, wanted = frame["request"], frame["wanted"]
    return Ask(
        **{
            **frame,
            "case": CaseKey(**frame["case"]),
            "request": Request(messages=tuple(request["messages"]), params=request["params"]),
            "wanted": wanted and Wanted(**{**wanted, "rubric": rubric_of(wanted["rubric"])}),
        }
    )


def from_response(response: Response) -> Frame:
    """Return a response as a message."""
    frame: Frame = plain(response)
    return frame


def to_response(frame: Frame) -> Response:
    """Return the response that a message holds."""
    tool_calls = tuple(ToolCall(**each) for each in frame["tool_calls"])
    lost = tuple(Usage(**each) for each in frame["lost"])
    return Response(**{**frame, "usage": Usage(**frame["usage"]), "tool_calls": tool_calls, "lost": lost})


def from_error(error: CallError) -> Frame:
    """Return an error as a message."""
    return {"message": str(error), "kind": str(error.kind), **{name: getattr(error, name) for name in _OF_ERRORS}}


def to_error(frame: Frame) -> CallError:
    """Return the error that a message holds."""
    return CallError(frame["message"], kind=ErrorKind(frame["kind"]), **{name: frame[name] for name in _OF_ERRORS})
