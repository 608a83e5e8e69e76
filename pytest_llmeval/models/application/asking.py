"""The model of a case, asked in place of a vendor's server, whatever the way in which a request comes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.protocols import Model
from pytest_llmeval.core.strict_json import NotJsonError, parse
from pytest_llmeval.core.text import shown_value
from pytest_llmeval.core.types import Message, Response

__all__ = ["Api", "Asked", "Asking", "Posted", "Sent", "as_event", "fixture", "is_retry", "json_body"]

_RETRIES = "x-stainless-retry-count"
"""The header in which vendors' clients say how often they have tried a request before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A request, as an application's client makes it."""

    method: str
    path: str
    """Of its URL."""
    body: bytes
    is_retry: bool
    """Whether the client says that it has made it before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What comes back, under status 200."""

    text: str
    """In ASCII."""
    content_type: str = "application/json"

    @classmethod
    def events(cls, events: Iterator[str]) -> "Sent":
        """Return a stream of events, all of them at once."""
        return cls(text="".join(events), content_type="text/event-stream")


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


def is_retry(headers: Mapping[str, str]) -> bool:
    """Return whether a client says that it has made a request with such headers before."""
    return headers.get(_RETRIES, "0") != "0"


def json_body(posted: Posted) -> dict[str, Any]:
    """Return the JSON object that a request holds; raise CaseError where it holds none."""
    try:
        body = parse(posted.body)
    except NotJsonError as error:
        raise CaseError(f"{posted.method} {posted.path}: the body is no JSON: {error}", kind=ErrorKind.CODE) from None
    if not isinstance(body, dict):
        raise CaseError(f"{posted.method} {posted.path}: the body is no JSON object", kind=ErrorKind.CODE)
    return body


def as_event(text: str, name: str | None = None) -> str:
    """Return one event of a stream."""
    return f"data: {text}\n\n" if name is None else f"event: {name}\ndata: {text}\n\n"


class Asking:
    """Asks the model of one case. What fails makes the case an error, also where whoever asks catches it."""

    def __init__(self, model: Model, api: Api) -> None:
        """Prepare.

        Args:
            model: the fixture.
            api: that the application speaks.
        """
        self._model = fixture(model)
        self._api = api
        self._failed: dict[tuple[str, bytes], Exception] = {}
        """What came of the requests that failed, by path and body."""

    @property
    def name(self) -> str:
        """The model's."""
        return self._model.name

    def answer_sync(self, posted: Posted) -> Sent:
        """Return the answer to a request; raise what ``model.generate_sync`` raises, and CaseError as ``Api.read``."""
        with self._told(posted):
            asked = self._api.read(posted)
            return asked.answer(self._model.generate_sync(asked.messages, **asked.params), self.name)

    async def answer(self, posted: Posted) -> Sent:
        """Return the answer, awaited."""
        with self._told(posted):
            asked = self._api.read(posted)
            return asked.answer(await self._model.generate(asked.messages, **asked.params), self.name)

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
