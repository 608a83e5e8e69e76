"""Progress of the attempt under way: whether its request can have reached the server."""

from contextvars import ContextVar

__all__ = ["SENDING", "Sending", "is_connecting", "note_connecting", "note_sent"]


class Sending:
    """State of an attempt, by which a timeout tells an unreachable server from a slow one."""

    __slots__ = ("is_connecting",)

    def __init__(self) -> None:
        self.is_connecting = False
        """Whether the transport still waits for a connection, so that nothing has been sent yet."""


SENDING: ContextVar[Sending] = ContextVar("SENDING")
"""The attempt that runs in this context; without one, notes have no effect."""


def note_connecting() -> None:
    """Note that the attempt waits for a connection and has sent nothing yet."""
    SENDING.get(Sending()).is_connecting = True


def note_sent() -> None:
    """Note that the attempt has a connection and begins to send the request."""
    SENDING.get(Sending()).is_connecting = False


def is_connecting() -> bool:
    """Return whether the attempt of this context waits for a connection and has sent nothing yet."""
    return SENDING.get(Sending()).is_connecting
