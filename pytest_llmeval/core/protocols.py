"""Interfaces on the way of a model call: the ``model`` fixture, the engine that makes calls, and a model's backend."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from pytest_llmeval.core.types import Ask, Message, Request, Response

if TYPE_CHECKING:
    from pytest_llmeval.core.costs import Prices
    from pytest_llmeval.core.likelihood import Likelihood

__all__ = ["Asker", "Backend", "Model"]


class Backend(Protocol):
    """One model that can be called. A backend owns its transport and its retries; it records nothing."""

    name: str
    """Name shown in node ids and tables; never a URL."""
    spec: str
    """Spec that the backend was made from, without secrets."""
    account: str
    """Account whose rate limits apply to the requests, shared by all models of one server and key; not a secret."""

    prices: "Prices | None"
    """Prices of tokens; None if unknown."""

    def identity(self, request: Request) -> Mapping[str, Any]:
        """Return everything that determines the answer: provider, address, model, revision, the request as sent."""
        ...

    async def complete(self, request: Request) -> Response:
        """Return the answer to ``request``; raise CallError when the retries are used up."""
        ...

    async def aclose(self) -> None:
        """Close the connections; the backend must not be used afterwards."""
        ...


class Model(Protocol):
    """The interface of the ``model`` fixture."""

    @property
    def name(self) -> str:
        """The model's name, as shown in node ids."""
        ...

    @property
    def responses(self) -> tuple[Response, ...]:
        """Responses that the case has received so far, in the order of its calls, whichever client made them."""
        ...

    async def generate(self, messages: str | list[Message] | None = None, **params: Any) -> Response:
        """Return the model's answer; None sends the case's own prompt, other messages are sent unchanged."""
        ...

    def generate_sync(self, messages: str | list[Message] | None = None, **params: Any) -> Response:
        """Return the model's answer, like ``generate``, in a test that is not async."""
        ...

    async def logprob(self, target: str, messages: str | list[Message] | None = None) -> "Likelihood":
        """Return the log-likelihood of ``target`` as the model's answer; only ``hf:`` models support this."""
        ...

    def logprob_sync(self, target: str, messages: str | list[Message] | None = None) -> "Likelihood":
        """Return the log-likelihood of ``target``, like ``logprob``, in a test that is not async."""
        ...


class Asker(Protocol):
    """Answers asks: the engine itself, or a connection to it from another process."""

    async def ask(self, ask: Ask) -> Response:
        """Return the answer; raise CallError if there is none."""
        ...

    def peek(self, ask: Ask) -> Response | None:
        """Return the answer if it is available at once, else None; may be called from any thread."""
        ...

    async def claim(self, total: int, most: int) -> list[int]:
        """Return the next places below ``total``, at most ``most`` of them, whose responses to request ahead."""
        ...

    async def ahead(self, ask: Ask, place: int) -> None:
        """Start the call of a claimed place."""
        ...

    async def release(self, place: int) -> None:
        """Give up a place whose case will not ask for its response, so that another one can be claimed."""
        ...

    async def answer_ahead(self, ask: Ask, place: int) -> Response | None:
        """Return the answer to a call that the case at ``place`` will make; None if it has already made the call.

        Raises:
            CallError: there is no answer.
        """
        ...
