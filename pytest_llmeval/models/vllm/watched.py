"""A transport that knows how its server ended."""

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.models.attempt_error import AttemptError
from pytest_llmeval.models.transport import Answer, Transport
from pytest_llmeval.models.vllm.server import VllmServer

__all__ = ["WatchedTransport"]


class WatchedTransport:
    """Asks a server of this session; implements ``transport.Transport``. One that has ended is not asked again."""

    def __init__(self, transport: Transport, server: VllmServer) -> None:
        self._transport = transport
        self._server = server

    async def post(self, body: bytes) -> Answer:
        """Return the answer to one request; raise AttemptError where no whole one came."""
        self._check()
        try:
            return await self._transport.post(body)
        except AttemptError:
            self._check()
            raise

    async def aclose(self) -> None:
        """Close the connections that no other model uses."""
        await self._transport.aclose()

    def _check(self) -> None:
        """Raise the fault that no other attempt mends where the server has ended."""
        if self._server.end is not None:
            message = f"the server of vLLM is gone: {self._server.end}; its log is {self._server.log}"
            raise AttemptError(ErrorKind.CONNECTION, message) from None
