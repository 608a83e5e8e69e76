"""The one tree of this package's errors.

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
        ├── JudgeError           the judge's answers were no verdicts
        └── ScorerError          a scorer raised or returned something that is not a score

A miss (the answer is not good enough) is no error of this tree: it is an AssertionError or a failed score. Nor is what
goes wrong in one attempt at a call, an ``AttemptError``: the last one becomes a CallError.
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
    """Why a case has no verdict. The words are stable: they stand in the database and in reports."""

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
    """Something a person wrote is wrong; the message names where, what was found and what to do."""


class DatasetError(UserError):
    """A dataset, or one of its rows, cannot be used."""


class ThresholdsError(UserError):
    """thresholds.yaml cannot be used."""


class ModelError(UserError):
    """A model cannot be had: unknown spec, missing key, missing extra, missing weights."""


class SettingsError(UserError):
    """An option, an ini key or an environment variable has a value that makes no sense."""


class PromptError(UserError):
    """A prompt file or template cannot be used."""


class RubricError(UserError):
    """A rubric cannot be used."""


class StoreError(UserError):
    """The database file cannot be used: foreign, newer, or not writable."""


class CaseError(LlmevalError):
    """One case has no verdict; ``kind`` says why, in a word that stands in the database."""

    def __init__(self, message: str, *, kind: ErrorKind) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what copy and pickle make it of; by themselves they would call it without its keywords."""
        return _made_again, (type(self), *self.args), vars(self)


def _made_again(kind: type[CaseError], *args: object) -> CaseError:
    """Return an error that is yet to be given its fields."""
    return kind.__new__(kind, *args)


class CallError(CaseError):
    """A model or judge call that failed after its retries.

    ``attempts`` is the number of requests sent, ``latency_s`` the seconds spent in the last one, ``param`` the
    parameter that the error is about, ``usages`` the tokens of each answer that was none to use, as far as the server
    told, ``cost_usd`` what those cost (None where that is not known), ``cached`` whether it is the failure of an
    earlier run, told again: nothing was sent now.
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
    """A judge gave no valid verdict, though it was asked again, or a panel was split evenly.

    ``scores`` are those that would have come of a split panel: without a value, with its votes.
    """

    def __init__(self, message: str, *, scores: "tuple[Score, ...]" = ()) -> None:
        super().__init__(message, kind=ErrorKind.JUDGE)
        self.scores = scores


class ScorerError(CaseError):
    """A scorer raised, or returned something that is not a score."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind=ErrorKind.SCORER)
