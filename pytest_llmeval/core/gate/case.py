"""What the gate needs to know of a finished case."""

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
"""Errors of the infrastructure, which say nothing of the answer; behind any other kind a bad one may hide."""
MONEY_KINDS: frozenset[str] = frozenset({ErrorKind.BUDGET, ErrorKind.AUTH, ErrorKind.QUOTA})
"""Errors that end the calls of a run; in any suite they make it unmeasurable."""
NOT_ANSWERED = MONEY_KINDS | {ErrorKind.NOT_CACHED}
"""Those, and an answer that ``--cache only`` did not find."""
NEVER_ASKED = NOT_ANSWERED | {ErrorKind.INTERRUPTED, ErrorKind.STORAGE}
"""Errors that befall all the cases left alike: they had not run by then."""
_OF_OWN_CODE: frozenset[str] = frozenset({ErrorKind.CODE, ErrorKind.SCORER})

XPASSED = "xpassed"
"""In place of the kind of an error: the case had to fail and passed, so it is judged by nobody and fails its run."""
STRICT_XPASS = "[XPASS(strict)]"
"""How pytest begins what it says of such a test: of a skipped case it is the error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCase:
    """What the gate needs to know of one finished case."""

    suite: str
    model: str
    sample_id: str
    epoch: int = 1
    """From 1."""
    slices: tuple[str, ...] = ()
    outcome: Outcome
    error_kind: str | None = None
    """An :class:`ErrorKind`; of a skipped case that passed where it had to fail ``XPASSED``; None of all others."""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    """Finite values by score name; None where there is no value."""
    passed: Mapping[str, bool | None] = field(default_factory=dict)
    """Whether each score reached its pass mark; None, or no entry, where nothing was demanded."""
    statuses: Mapping[str, str] = field(default_factory=dict)
    """``scored``, ``none`` (no judge) or ``error`` (the scorer broke) by score name."""
    latency_s: float | None = None
    """Seconds, summed over the model's calls; None where one is unknown and where there was no call."""
    cost_usd: float | None = None
    """Of all calls, the judge's too; None where a price is unknown, 0 without calls."""
    input_tokens: int | None = None
    """Summed over the model's calls; None where one is unknown, 0 without calls."""
    output_tokens: int | None = None
    """As ``input_tokens``."""
    cached: bool = False
    """Whether an answer of the model came from the cache, so that the latency is not this run's."""
    judge_cached: bool = False
    """Whether an answer of a judge came from the cache, so that the judges' part of the cost is not this run's."""
    judge_cost_usd: float | None = None
    """The judges' part of ``cost_usd``; None where it is not known."""
    input_digest: str | None = None
    """sha256 in hex over the row's input and target; a row is the same in two runs where id and digest agree."""
    cluster: str | None = None
    """Rows with equal values are dependent; None for a row that is independent of all others."""
    digests: Mapping[str, str | None] = field(default_factory=dict)
    """The digest of the scorer behind each score, by score name."""
    judge_ids: Mapping[str, str | None] = field(default_factory=dict)
    """What identifies the judge behind each score, by score name; None, or no entry, for a scorer without one."""


def in_order(cases: Iterable[JudgedCase]) -> list[JudgedCase]:
    """Return cases by sample and epoch: they come as they ended, and no number may hang on that."""
    return sorted(cases, key=lambda case: (case.sample_id, case.epoch, case.suite, case.model))


def broke_behind_answer(error_kind: str | None, latency_s: float | None) -> bool:
    """Return whether a case broke by the user's own code, and behind a call that was answered."""
    return error_kind in _OF_OWN_CODE and latency_s is not None


def records_calls(metric: str, cases: Sequence[JudgedCase]) -> bool:
    """Return whether a call that ``metric`` is about is recorded of ``cases``; True where none of them finished, too.

    What a test calls itself, without the fixtures, is recorded nowhere: zeros of such cases say nothing. A case that
    makes no call among others that do costs nothing, and its zeros are right. A judged score is taken for a call.
    """
    is_finished = any(case.outcome in ("passed", "missed") for case in cases)
    return not is_finished or any(_records_call(metric, case) for case in cases)


def _records_call(metric: str, case: JudgedCase) -> bool:
    if case.latency_s is None and case.error_kind == ErrorKind.WORKER_CRASHED:  # what it did is not known
        return False
    by_judges = metric == "cost_usd" and (case.cost_usd != 0 or any(case.judge_ids.values()))
    return case.latency_s is not None or case.input_tokens != 0 or by_judges
