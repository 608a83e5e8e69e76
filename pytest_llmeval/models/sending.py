"""How far the attempt under way has come: whether its request can have reached anybody."""

from contextvars import ContextVar

__all__ = ["SENDING", "Sending", "is_connecting", "note_connecting", "note_sent"]


class Sending:
    """An attempt; its deadline tells a server that was not reached from one that is slow."""

    __slots__ = ("is_connecting",)

    def __init__(self) -> None:
        self.is_connecting = False
        """Whether a transport waits for its connection, so that nothing was sent yet."""


SENDING: ContextVar[Sending | None] = ContextVar("SENDING", default=None)
"""The attempt that runs in this context."""


def note_connecting() -> None:
    """Note that nothing is sent before there is a connection."""
    _note(is_connecting=True)


def note_sent() -> None:
    """Note that the request is sent from now on."""
    _note(is_connecting=False)


def is_connecting() -> bool:
    """Whether the attempt of this context has sent nothing yet."""
    sending = SENDING.get()
    return sending is not None and sending.is_connecting


def _note(*, is_connecting: bool) -> None:
    sending = SENDING.get()
    if sending is not None:
        sending.is_connecting = is_connecting
