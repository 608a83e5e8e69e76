"""The model of a case, asked in place of a vendor's server, whatever the way in which a request comes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pytest_llmeval.core.protocols import Model
from pytest_llmeval.core.text import shown_value
from pytest_llmeval.core.types import Message, Response
from pytest_llmeval.models.application.embeddings import EMBEDDINGS_PATH, EmbeddingsClient
from pytest_llmeval.models.application.posted import Posted, Sent

__all__ = ["Api", "Asked", "Asking", "fixture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for, told as a chat."""

    messages: list[Message]
    """From the first to the last."""
    params: dict[str, Any]
    """Those that are sent."""
    answer: Callable[[Response, str], Sent]
    """Returns a response as the API would send it, from a model of that name."""


class Api(Protocol):
    """How a vendor's clients speak to its server."""

    def read(self, posted: Posted) -> Asked:
        """Return what a request asks for; raise CaseError where that is no one answer of a model."""


@runtime_checkable
class _OfCase(Protocol):
    """A model that knows its case."""

    def refuse(self, error: Exception) -> None:
        """Make the case an error, whatever becomes of the exception."""


def fixture(model: Model) -> Model:
    """Return ``model``; raise TypeError where it asks nothing: the name of one, say, or a project's own fixture."""
    if callable(getattr(model, "generate_sync", None)):  # other libraries have a ``generate``, too
        return model
    own = "where the project has a fixture `model` of its own, ours is `llmeval_model`"
    raise TypeError(
        f"a client takes the fixture `model`, found {shown_value(model)}; --model names what it asks; {own}"
    )


class Asking:
    """Asks the model of one case. What fails makes the case an error, also where whoever asks catches it."""

    def __init__(self, model: Model, api: Api, embeddings: EmbeddingsClient | None = None) -> None:
        """Prepare.

        Args:
            model: the fixture.
            api: that the application speaks.
            embeddings: makes the requests for these, which no model of a case answers.
        """
        self._model = fixture(model)
        self._api = api
        self._embeddings = embeddings
        self._failed: dict[tuple[str, bytes], Exception] = {}
        """What came of the requests that failed, by path and body."""

    @property
    def name(self) -> str:
        """The model's."""
        return self._model.name

    def answer_sync(self, posted: Posted) -> Sent:
        """Return the answer to a request; raise what ``model.generate_sync`` raises, and CaseError as ``Api.read``."""
        with self._told(posted):
            if (embeddings := self._embeddings_for(posted)) is not None:
                return embeddings.answer_sync(posted)
            asked = self._api.read(posted)
            return asked.answer(self._model.generate_sync(asked.messages, **asked.params), self.name)

    async def answer(self, posted: Posted) -> Sent:
        """Return the answer, awaited."""
        with self._told(posted):
            if (embeddings := self._embeddings_for(posted)) is not None:
                return await embeddings.answer(posted)
            asked = self._api.read(posted)
            return asked.answer(await self._model.generate(asked.messages, **asked.params), self.name)

    def _embeddings_for(self, posted: Posted) -> EmbeddingsClient | None:
        """Return who makes a request for embeddings; None for any other, and where nobody does."""
        return self._embeddings if posted.method == "POST" and posted.path.endswith(EMBEDDINGS_PATH) else None

    def refuse(self, error: Exception) -> None:
        """Tell the case of an error: who catches it would be scored else."""
        if isinstance(self._model, _OfCase):
            self._model.refuse(error)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell the case of all that is raised."""
        try:
            yield
        except Exception as error:
            self.refuse(error)
            raise

    @contextmanager
    def _told(self, posted: Posted) -> Iterator[None]:
        """Tell the case of all that is raised. A request that has failed meets the same where it is made once more."""
        with self.telling():
            try:
                if posted.is_retry and (posted.path, posted.body) in self._failed:
                    raise self._failed[posted.path, posted.body]
                yield
            except Exception as error:
                self._failed[posted.path, posted.body] = error
                raise
