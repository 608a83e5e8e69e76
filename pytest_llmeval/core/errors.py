"""The exception hierarchy of this package.

    LlmevalError
    ├── UserError                something a person wrote is wrong: exit status 4, no traceback
    │   ├── DatasetError         a dataset or one of its rows
    │   ├── ThresholdsError      thresholds.yaml
    │   ├── ModelError           a model spec, models.yaml, a key or an extra that is missing
    │   ├── SettingsError        an option, ini key or environment variable
    │   ├── PromptError          a prompt file or template
    │   ├── RubricError          a rubric
    │   └── StoreError           the database cannot be used
    └── CaseError                one case has no verdict; ``kind`` says why
        ├── CallError            the model or judge gave no usable answer
        ├── JudgeError           the judge gave no valid verdict
        └── ScorerError          a scorer raised or returned something that is not a score

A miss (the answer is not good enough) is not in this hierarchy: it is an AssertionError or a failed score. Neither is
``AttemptError``, the failure of one attempt at a call: the last attempt's becomes a CallError.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llmeval.core.types import Score, Usage

__all__ = [
    "CallError",
    "CaseError",
    "DatasetError",
    "ErrorKind",
    "JudgeError",
    "LlmevalError",
    "ModelError",
    "PromptError",
    "RubricError",
    "ScorerError",
    "SettingsError",
    "StoreError",
    "ThresholdsError",
    "UserError",
]


class ErrorKind(StrEnum):
    """Why a case has no verdict. The values are stable: they are stored in the database and shown in reports."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    REDIRECT = "redirect"
    SERVER_ERROR = "server_error"
    MALFORMED_RESPONSE = "malformed_response"
    TRUNCATED_STREAM = "truncated_stream"
    TOO_LARGE = "too_large"
    FILTERED = "filtered"
    SCORER = "scorer"
    JUDGE = "judge"
    CODE = "code"
    WORKER_CRASHED = "worker_crashed"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"
    NOT_CACHED = "not_cached"
    STORAGE = "storage"


class LlmevalError(Exception):
    """Base of every error that this package raises on purpose."""


class UserError(LlmevalError):
    """Something a person wrote is wrong; the message says where, what was found and what to do."""


class DatasetError(UserError):
    """A dataset, or one of its rows, cannot be used."""


class ThresholdsError(UserError):
    """thresholds.yaml cannot be used."""


class ModelError(UserError):
    """A model is not available: unknown spec, missing key, missing extra, missing weights."""


class SettingsError(UserError):
    """An option, an ini key or an environment variable has an invalid value."""


class PromptError(UserError):
    """A prompt file or template cannot be used."""


class RubricError(UserError):
    """A rubric cannot be used."""


class StoreError(UserError):
    """The database file cannot be used: not ours, of a newer version, or not writable."""


class CaseError(LlmevalError):
    """One case has no verdict; ``kind`` says why, with a value that is stored in the database."""

    def __init__(self, message: str, *, kind: ErrorKind) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        """Support copy and pickle, which by default would call the class without its keyword arguments."""
        return _made_again, (type(self), *self.args), vars(self)


def _made_again(kind: type[CaseError], *args: object) -> CaseError:
    """Return an error without its attributes, which the caller sets afterwards."""
    return kind.__new__(kind, *args)


class CallError(CaseError):
    """A model or judge call that failed after its retries.

    ``attempts`` is the number of requests sent, ``latency_s`` the seconds spent in the last one, ``param`` the
    parameter that the error is about, ``usages`` the tokens of each unusable answer, as far as the server reported
    them, ``cost_usd`` the cost of those answers (None if unknown), ``cached`` whether the failure comes from an
    earlier run, so that nothing was sent this time.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        attempts: int = 1,
        latency_s: float | None = None,
        param: str | None = None,
        usages: "tuple[Usage, ...]" = (),
        cost_usd: float | None = None,
        cached: bool = False,
    ) -> None:
        super().__init__(message, kind=kind)
        self.attempts = attempts
        self.latency_s = latency_s
        self.param = param
        self.usages = usages
        self.cost_usd = cost_usd
        self.cached = cached


class JudgeError(CaseError):
    """A judge gave no valid verdict even when asked again, or a panel was split evenly.

    ``scores`` are the scores of a split panel: without values, but with the votes.
    """

    def __init__(self, message: str, *, scores: "tuple[Score, ...]" = ()) -> None:
        super().__init__(message, kind=ErrorKind.JUDGE)
        self.scores = scores


class ScorerError(CaseError):
    """A scorer raised, or returned something that is not a score."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind=ErrorKind.SCORER)
