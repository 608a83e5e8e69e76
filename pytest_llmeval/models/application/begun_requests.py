"""Requests to an endpoint until their answers are with a client: who asks once more is not asked for again."""

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
    """A request whose answer is not delivered."""

    task: asyncio.Task[Sent]
    client: web.BaseRequest
    """Who waits for it, or did last."""


class BegunRequests:
    """What becomes of each request."""

    def __init__(self, answer: Callable[[Posted], Coroutine[Any, Any, Sent]]) -> None:
        """Prepare.

        Args:
            answer: asks the model, and is paid for.
        """
        self._answer = answer
        self._undelivered: dict[tuple[str, bytes], list[_Begun]] = {}
        """By path and body, in the order in which their last clients came."""

    async def answered(self, posted: Posted, client: web.BaseRequest) -> Sent:
        """Return the answer, or raise what its making does; one that its client gave up is for who asks again."""
        equal = self._undelivered.setdefault((posted.path, posted.body), [])
        begun = self._given_up(equal, client) if posted.is_retry and equal else self._begin(posted, client)
        equal.append(begun)
        await asyncio.wait([begun.task])
        await pause(0)  # by then it is known of a client that has hung up
        if begun.client is client and not _has_hung_up(client):
            equal.remove(begun)
        return begun.task.result()

    def _begin(self, posted: Posted, client: web.BaseRequest) -> _Begun:
        return _Begun(task=asyncio.create_task(self._answer(posted)), client=client)

    def _given_up(self, equal: list[_Begun], client: web.BaseRequest) -> _Begun:
        """Take out the oldest of some requests whose client has gone: of equal ones each was to have an answer.

        Where none has, something between here and the client holds the connection: it is the oldest one.
        """
        begun = next((each for each in equal if _has_hung_up(each.client)), equal[0])
        equal.remove(begun)
        begun.client = client
        return begun

    def cancel(self) -> None:
        """Give up what is not answered."""
        for equal in self._undelivered.values():
            for begun in equal:
                begun.task.cancel()


def _has_hung_up(client: web.BaseRequest) -> bool:
    return client.transport is None or client.transport.is_closing()
