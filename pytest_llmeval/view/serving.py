"""The server of ``llmeval view``: a single process, on an address of this machine unless another is given."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

import uvicorn

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.view.guard import Guard

__all__ = ["serve"]

_USUAL_PORT = 8765


def serve(app: Guard, host: str, port: int | None, *, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C.

    Args:
        app: the application.
        host: a name or an address of this machine.
        port: the port to listen on; None takes 8765 if it is free, otherwise any free one.
        ready: called with the URL of the first page once the server responds there.

    Raises:
        SettingsError: if the address cannot be listened on.
    """
    listening = _listening(host, port)
    with listening:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"
        config = uvicorn.Config(app, log_level="error", access_log=False, server_header=False, lifespan="on")
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn has shut down, and raises it again
            _Server(config, ready=lambda: ready(address)).run(sockets=[listening])


class _Server(uvicorn.Server):
    """A server that calls ``ready`` once it responds and Ctrl-C stops it.

    Before that, Python raises KeyboardInterrupt, which may get lost: raised in the callback of a weak reference, it is
    printed and goes no further.
    """

    def __init__(self, config: uvicorn.Config, *, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to respond, then call ``ready`` in a thread, as it may wait for a browser that sends requests."""
        await super().startup(sockets=sockets)
        await asyncio.to_thread(self._ready)


def _listening(host: str, port: int | None) -> socket.socket:
    ports = (_USUAL_PORT, 0) if port is None else (port,)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for each in ports:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, each))
            made.listen()
            return made
        except OSError as error:
            made.close()
            if each == ports[-1]:
                raise SettingsError(f"{host}, port {each}: cannot be listened on: {error.strerror or error}") from None
    raise AssertionError  # the last one was returned or raised
