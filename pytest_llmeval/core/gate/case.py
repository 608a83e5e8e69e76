"""A finished case as the gate sees it, and the classes of errors that the gate tells apart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Outcome

__all__ = [
    "LOST_KINDS",
    "MONEY_KINDS",
    "NEVER_ASKED",
    "NOT_ANSWERED",
    "STRICT_XPASS",
    "XPASSED",
    "JudgedCase",
    "broke_behind_answer",
    "in_order",
    "records_calls",
]

LOST_KINDS: frozenset[str] = frozenset(
    {
        ErrorKind.CONNECTION,
        ErrorKind.RATE_LIMITED,
        ErrorKind.QUOTA,
        ErrorKind.WORKER_CRASHED,
        ErrorKind.BUDGET,
        ErrorKind.AUTH,
        ErrorKind.INTERRUPTED,
        ErrorKind.NOT_CACHED,
        ErrorKind.SERVER_ERROR,
        ErrorKind.STORAGE,
    }
)
"""Infrastructure errors, which say nothing about the answer. Behind an error of any other kind may be a bad answer."""
MONEY_KINDS: frozenset[str] = frozenset({ErrorKind.BUDGET, ErrorKind.AUTH, ErrorKind.QUOTA})
"""Errors that stop all further calls of a run; in any suite they make the run unmeasurable."""
NOT_ANSWERED = MONEY_KINDS | {ErrorKind.NOT_CACHED}
"""``MONEY_KINDS``, and the error for an answer that ``--cache only`` did not find."""
NEVER_ASKED = NOT_ANSWERED | {ErrorKind.INTERRUPTED, ErrorKind.STORAGE}
"""Errors that all remaining cases of a run get alike, because calls had stopped before they ran."""
_OF_OWN_CODE: frozenset[str] = frozenset({ErrorKind.CODE, ErrorKind.SCORER})

XPASSED = "xpassed"
"""``error_kind`` of a case that passed under a strict xfail mark. The gate does not judge it, and it fails its run."""
STRICT_XPASS = "[XPASS(strict)]"
"""Start of pytest's message about such a test, which is stored as the ``error`` of the case, a skipped one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCase:
    """One finished case, reduced to what the gate needs."""

    suite: str
    model: str
    sample_id: str
    epoch: int = 1
    """From 1."""
    slices: tuple[str, ...] = ()
    outcome: Outcome
    error_kind: str | None = None
    """An :class:`ErrorKind` for an error, ``XPASSED`` for a strict xfail that passed, None for all other cases."""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    """Finite values by score name; None for a score without a value."""
    passed: Mapping[str, bool | None] = field(default_factory=dict)
    """Whether each score reached its pass mark; None, or no entry, for a score without a pass mark."""
    statuses: Mapping[str, str] = field(default_factory=dict)
    """``scored``, ``none`` (no judge) or ``error`` (the scorer failed), by score name."""
    latency_s: float | None = None
    """Seconds, summed over the model's calls; None if one of them is unknown or there was no call."""
    cost_usd: float | None = None
    """Cost in USD of all calls, including the judges'; None if a price is unknown, 0 without calls."""
    input_tokens: int | None = None
    """Tokens, summed over the model's calls; None if one count is unknown, 0 without calls."""
    output_tokens: int | None = None
    """Same as ``input_tokens``, for the answers."""
    cached: bool = False
    """Whether an answer of the model came from the cache, so that the latency is not this run's."""
    judge_cached: bool = False
    """Whether an answer of a judge came from the cache, so that the judges' part of the cost is not this run's."""
    judge_cost_usd: float | None = None
    """The judges' part of ``cost_usd``; None if unknown."""
    input_digest: str | None = None
    """sha256 in hex of the row's input and target; rows of two runs are the same if both id and digest agree."""
    cluster: str | None = None
    """Name of a group of dependent rows, shared by its rows; None for a row that is independent of all others."""
    digests: Mapping[str, str | None] = field(default_factory=dict)
    """Scorer digest of each score, by score name."""
    judge_ids: Mapping[str, str | None] = field(default_factory=dict)
    """Judge id of each score, by score name; None, or no entry, for a scorer without a judge."""


def in_order(cases: Iterable[JudgedCase]) -> list[JudgedCase]:
    """Return cases sorted by sample and epoch: results must not depend on the order in which cases finished."""
    return sorted(cases, key=lambda case: (case.sample_id, case.epoch, case.suite, case.model))


def broke_behind_answer(error_kind: str | None, latency_s: float | None) -> bool:
    """Return whether the user's own code raised after a call had been answered."""
    return error_kind in _OF_OWN_CODE and latency_s is not None


def records_calls(metric: str, cases: Sequence[JudgedCase]) -> bool:
    """Return whether any case has a recorded call that counts for ``metric``, or no case has finished.

    Calls that a test makes without the fixtures are not recorded, so the zeros of such cases are meaningless. But if
    other cases do make calls, a case without any really costs nothing. A judged score counts as a call.
    """
    is_finished = any(case.outcome in ("passed", "missed") for case in cases)
    return not is_finished or any(_records_call(metric, case) for case in cases)


def _records_call(metric: str, case: JudgedCase) -> bool:
    if case.latency_s is None and case.error_kind == ErrorKind.WORKER_CRASHED:  # its calls are unknown
        return False
    by_judges = metric == "cost_usd" and (case.cost_usd != 0 or any(case.judge_ids.values()))
    return case.latency_s is not None or case.input_tokens != 0 or by_judges
