"""The error of one attempt at a call, raised before it is decided whether to retry."""

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Usage

__all__ = ["AttemptError"]


class AttemptError(Exception):
    """One attempt at a call gave no usable answer.

    Attributes:
        retryable: whether another attempt may help.
        retry_after_s: seconds that the server asks to wait, at least 0; None if it does not say.
        param: parameter that the server does not accept.
        usage: tokens of an unusable answer, which may have to be paid for; None if there was no answer.
        may_be_own: whether what looks like a refused key may be a refusal of this request alone.
        is_unsent: whether the request never reached the server.
        counts_anew: whether the server has answered other calls since it last refused this one, so that attempts are
            counted from this one on.
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
        """Become an error of this request alone: the key is valid, and the server refuses the ``messages``."""
        self.kind = ErrorKind.BAD_REQUEST
        self.message += "; other requests of this key are answered, so it is this one that is refused"
        self.param = "messages"
        self.may_be_own = False

    def be_last(self, why: str) -> None:
        """Become an error that is not retried, for the reason ``why``."""
        self.retryable = False
        self.message += f"; {why}, so it is not tried again"
