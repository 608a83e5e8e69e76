"""Requests to an endpoint whose answers are not yet delivered, so that a client's retry causes no second call."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from pytest_llmeval.core.loop import pause
from pytest_llmeval.models.application.posted import Posted, Sent

__all__ = ["BegunRequests"]


@dataclass(eq=False, slots=True)
class _Begun:
    """A request whose answer has not been delivered."""

    task: asyncio.Task[Sent]
    client: web.BaseRequest
    """The client's request that waits for the answer, or was the last to do so."""


class BegunRequests:
    """The requests of an endpoint from their arrival to the delivery of their answers."""

    def __init__(self, answer: Callable[[Posted], Coroutine[Any, Any, Sent]]) -> None:
        """Prepare.

        Args:
            answer: calls the model, which may cost money.
        """
        self._answer = answer
        self._undelivered: dict[tuple[str, bytes], list[_Begun]] = {}
        """Undelivered requests by path and body, in the order of arrival of their last clients."""

    async def answered(self, posted: Posted, client: web.BaseRequest) -> Sent:
        """Return the answer, or raise its exception; a retry gets the answer of a request that its client gave up."""
        equal = self._undelivered.setdefault((posted.path, posted.body), [])
        begun = self._given_up(equal, client) if posted.is_retry and equal else self._begin(posted, client)
        equal.append(begun)
        await asyncio.wait([begun.task])
        await pause(0)  # lets the loop notice a client that has hung up
        if begun.client is client and not _has_hung_up(client):
            equal.remove(begun)
        return begun.task.result()

    def _begin(self, posted: Posted, client: web.BaseRequest) -> _Begun:
        return _Begun(task=asyncio.create_task(self._answer(posted)), client=client)

    def _given_up(self, equal: list[_Begun], client: web.BaseRequest) -> _Begun:
        """Take the oldest of equal requests whose client has gone, as each of the others still awaits its own answer.

        If none has gone, something between server and client holds the connection open, and the oldest one is taken.
        """
        begun = next((each for each in equal if _has_hung_up(each.client)), equal[0])
        equal.remove(begun)
        begun.client = client
        return begun

    def cancel(self) -> None:
        """Cancel the requests that are not answered yet."""
        for equal in self._undelivered.values():
            for begun in equal:
                begun.task.cancel()


def _has_hung_up(client: web.BaseRequest) -> bool:
    return client.transport is None or client.transport.is_closing()
