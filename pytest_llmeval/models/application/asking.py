"""Answer an application's requests with the case's model, for clients in the process and for the endpoint."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pytest_llmeval.core.loop import refuse_to_block
from pytest_llmeval.core.protocols import Model
from pytest_llmeval.core.text import shown_value
from pytest_llmeval.core.types import Message, Response
from pytest_llmeval.models.application.embeddings import EMBEDDINGS_PATH, EmbeddingsClient
from pytest_llmeval.models.application.posted import Posted, Sent

__all__ = ["Api", "Asked", "Asking", "fixture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request translated into a chat."""

    messages: list[Message]
    """All messages, in order."""
    params: dict[str, Any]
    """Parameters of the model's call."""
    answer: Callable[[Response, str], Sent]
    """Returns a response, of a model with this name, in the form in which the API would send it."""


class Api(Protocol):
    """The server side of a vendor's API."""

    def read(self, posted: Posted) -> Asked:
        """Return the request as a chat; raise CaseError if it asks for anything but one answer of a model."""


@runtime_checkable
class _OfCase(Protocol):
    """A model that knows its case."""

    def check_asking(self) -> None:
        """Raise CaseError if another case is asking, or the model's own case has ended."""

    def refuse(self, error: Exception) -> None:
        """Make the case an error, even if the exception is caught later."""


def fixture(model: Model) -> Model:
    """Return ``model``; raise TypeError if it is not our fixture but, say, a model's name or a project's fixture."""
    if callable(getattr(model, "generate_sync", None)):  # other libraries have a ``generate`` too
        return model
    own = "where the project has a fixture `model` of its own, ours is `llmeval_model`"
    raise TypeError(
        f"a client takes the fixture `model`, found {shown_value(model)}; --model names what it asks; {own}"
    )


class Asking:
    """Answers requests with the model of one case. A failure makes the case an error, even if the caller catches it."""

    def __init__(self, model: Model, api: Api, embeddings: EmbeddingsClient | None = None) -> None:
        """Prepare.

        Args:
            model: the ``model`` fixture.
            api: the API that the application uses.
            embeddings: makes requests for embeddings, which the case's model cannot answer; None refuses them.
        """
        self._model = fixture(model)
        self._api = api
        self._embeddings = embeddings
        self._failed: dict[tuple[str, bytes], Exception] = {}
        """Exceptions of failed requests, by path and body."""

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    def answer_sync(self, posted: Posted) -> Sent:
        """Return the answer to a request; raise as ``model.generate_sync`` and ``Api.read`` do."""
        with self._told(posted):
            if (embeddings := self._embeddings_for(posted)) is not None:
                refuse_to_block()
                return embeddings.answer_sync(posted)
            asked = self._api.read(posted)
            return asked.answer(self._model.generate_sync(asked.messages, **asked.params), self.name)

    async def answer(self, posted: Posted) -> Sent:
        """Return the answer to a request, asynchronously; raise as ``answer_sync`` does."""
        with self._told(posted):
            if (embeddings := self._embeddings_for(posted)) is not None:
                return await embeddings.answer(posted)
            asked = self._api.read(posted)
            return asked.answer(await self._model.generate(asked.messages, **asked.params), self.name)

    def _embeddings_for(self, posted: Posted) -> EmbeddingsClient | None:
        """Return the embeddings client if this is a request for embeddings; None otherwise, or without a client.

        Raises:
            CaseError: as ``model.generate`` does, for a case that may not ask here.
        """
        if self._embeddings is None or posted.method != "POST" or not posted.path.endswith(EMBEDDINGS_PATH):
            return None
        if isinstance(self._model, _OfCase):
            self._model.check_asking()
        return self._embeddings

    def refuse(self, error: Exception) -> None:
        """Report an error to the case; without this, a case whose application catches it would still be scored."""
        if isinstance(self._model, _OfCase):
            self._model.refuse(error)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Report every exception raised within to the case."""
        try:
            yield
        except Exception as error:
            self.refuse(error)
            raise

    @contextmanager
    def _told(self, posted: Posted) -> Iterator[None]:
        """Report every exception raised within to the case; raise that of a failed request again when it is retried."""
        with self.telling():
            try:
                if posted.is_retry and (posted.path, posted.body) in self._failed:
                    raise self._failed[posted.path, posted.body]
                yield
            except Exception as error:
                self._failed[posted.path, posted.body] = error
                raise
