"""Who is asked, and through whom: a model's backend, the fixture of a test, and the engine between them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from pytest_llmeval.core.types import Ask, Message, Request, Response

if TYPE_CHECKING:
    from pytest_llmeval.core.costs import Prices
    from pytest_llmeval.core.likelihood import Likelihood

__all__ = ["Asker", "Backend", "Model"]


class Backend(Protocol):
    """One model that can be asked. It owns its transport and its retries; it records nothing."""

    name: str
    """The name that stands in node ids and tables; never a URL."""
    spec: str
    """The spec that it was made from, without secrets."""
    account: str
    """Whose limits its requests count against: the same for all models that share a server and key; no secret."""

    prices: "Prices | None"
    """What tokens cost; None where it is not known."""

    def identity(self, request: Request) -> Mapping[str, Any]:
        """Return all that decides the answer to ``request``: provider, address, model, revision, what is sent."""
        ...

    async def complete(self, request: Request) -> Response:
        """Return the answer to ``request``; raise CallError once the retries are used up."""
        ...

    async def aclose(self) -> None:
        """Close connections; the backend is not used afterwards."""
        ...


class Model(Protocol):
    """What the ``model`` fixture offers to a test."""

    @property
    def name(self) -> str:
        """The model's name, as it stands in node ids."""
        ...

    @property
    def responses(self) -> tuple[Response, ...]:
        """What the case was answered so far, in the order in which it asked, by whatever took it to the model."""
        ...

    async def generate(self, messages: str | list[Message] | None = None, **params: Any) -> Response:
        """Return the model's answer; None sends the case's own prompt, anything else is sent as it is."""
        ...

    def generate_sync(self, messages: str | list[Message] | None = None, **params: Any) -> Response:
        """Return the model's answer, from a test that is not async."""
        ...

    async def logprob(self, target: str, messages: str | list[Message] | None = None) -> "Likelihood":
        """Return how likely the model finds ``target`` as the answer; only ``hf:`` models can tell."""
        ...

    def logprob_sync(self, target: str, messages: str | list[Message] | None = None) -> "Likelihood":
        """Return that likelihood, from a test that is not async."""
        ...


class Asker(Protocol):
    """Answers asks: the engine, or the way to it from another process."""

    async def ask(self, ask: Ask) -> Response:
        """Return the answer; raise CallError where there is none."""
        ...

    def peek(self, ask: Ask) -> Response | None:
        """Return the answer where it can be had at once, from any thread."""
        ...

    async def claim(self, total: int, most: int) -> list[int]:
        """Return the next places of ``total``, at most ``most``, whose responses are to be requested ahead."""
        ...

    async def ahead(self, ask: Ask, place: int) -> None:
        """Begin the call of a place that was claimed."""
        ...

    async def release(self, place: int) -> None:
        """Make room for another place: the case of this one will not ask for its response."""
        ...

    async def answer_ahead(self, ask: Ask, place: int) -> Response | None:
        """Return the answer to a call that a case at a place will make; None where it has made it already.

        Raises:
            CallError: there is none.
        """
        ...
