"""What can go wrong in one attempt at a call, before it is known whether there will be another."""

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Usage

__all__ = ["AttemptError"]


class AttemptError(Exception):
    """One attempt gave no usable answer.

    ``retryable`` says whether another attempt may help, ``retry_after_s`` how long the server asks to wait,
    in seconds (at least 0; None where it does not say), ``param`` which parameter it does not take, ``usage`` the
    tokens of an answer that was made, and may be paid for, and is none to use (None where none was made),
    ``may_be_own`` whether a refusal of the key may be one of this request alone, ``is_unsent`` whether the request
    reached nobody, ``counts_anew`` whether the server has answered others since it refused this call the last time, so
    that tries are counted from this one on.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        retryable: bool = False,
        retry_after_s: float | None = None,
        param: str | None = None,
        usage: Usage | None = None,
        may_be_own: bool = False,
        is_unsent: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.param = param
        self.usage = usage
        self.may_be_own = may_be_own
        self.is_unsent = is_unsent
        self.counts_anew = False

    def be_own(self) -> None:
        """Become an error of this request, whose ``messages`` are refused: its key is good."""
        self.kind = ErrorKind.BAD_REQUEST
        self.message += "; other requests of this key are answered, so it is this one that is refused"
        self.param = "messages"
        self.may_be_own = False

    def be_last(self, why: str) -> None:
        """Become an error after which there is no other attempt."""
        self.retryable = False
        self.message += f"; {why}, so it is not tried again"
