"""The server: one process, on an address of this machine unless more is asked for."""

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
        app: what answers.
        host: a name or an address of this machine.
        port: to listen on; None takes the usual one where it is free, else any.
        ready: is told the address of the first page.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    listening = _listening(host, port)
    with listening:
        number = listening.getsockname()[1]
        ready(f"http://{f'[{host}]' if ':' in host else host}:{number}/")
        config = uvicorn.Config(app, log_level="error", access_log=False, server_header=False, lifespan="on")
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn has ended what went on, and raises it again
            uvicorn.Server(config).run(sockets=[listening])


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
