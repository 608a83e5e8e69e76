"""How far the attempt under way has come: whether its request can have reached anybody."""

from contextvars import ContextVar

__all__ = ["SENDING", "Sending", "is_connecting", "note_connecting", "note_sent"]


class Sending:
    """An attempt; its deadline tells a server that was not reached from one that is slow."""

    __slots__ = ("is_connecting",)

    def __init__(self) -> None:
        self.is_connecting = False
        """Whether a transport waits for its connection, so that nothing was sent yet."""


SENDING: ContextVar[Sending] = ContextVar("SENDING")
"""The attempt that runs in this context; whoever asks outside of one notes it for nobody."""


def note_connecting() -> None:
    """Note that nothing is sent before there is a connection."""
    SENDING.get(Sending()).is_connecting = True


def note_sent() -> None:
    """Note that the request is sent from now on."""
    SENDING.get(Sending()).is_connecting = False


def is_connecting() -> bool:
    """Whether the attempt of this context has sent nothing yet."""
    return SENDING.get(Sending()).is_connecting
