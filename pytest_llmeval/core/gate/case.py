"""What the gate needs to know of a finished case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.stats.intervals import total
from pytest_llmeval.core.types import Call, CaseRecord, Outcome

__all__ = ["LOST_KINDS", "JudgedCase"]

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
    """An :class:`ErrorKind`; None unless ``outcome`` is ``error``."""
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
    input_digest: str | None = None
    """sha256 in hex over the row's input and target; a row is the same in two runs where id and digest agree."""
    cluster: str | None = None
    """Rows with equal values are dependent; None for a row that is independent of all others."""
    digests: Mapping[str, str | None] = field(default_factory=dict)
    """The digest of the scorer behind each score, by score name."""
    judge_ids: Mapping[str, str | None] = field(default_factory=dict)
    """What identifies the judge behind each score, by score name; None, or no entry, for a scorer without one."""

    @classmethod
    def from_record(cls, record: CaseRecord) -> "JudgedCase":
        """Return what the gate needs of a stored case.

        A case with any cached answer stays out of latency as a whole: its other calls alone say too little.
        """
        asked = [call for call in record.calls if call.role == "model"]
        return cls(
            suite=record.key.suite,
            model=record.key.model,
            sample_id=record.key.sample_id,
            epoch=record.key.epoch,
            slices=record.slices,
            outcome=record.outcome,
            error_kind=record.error_kind,
            scores={score.name: score.value for score in record.scores},
            passed={score.name: score.passed for score in record.scores},
            statuses={score.name: score.status for score in record.scores},
            latency_s=_sum([call.latency_s for call in asked]) if asked else None,
            cost_usd=_sum([_cost(call) for call in record.calls]),
            input_tokens=_count([call.input_tokens for call in asked]),
            output_tokens=_count([call.output_tokens for call in asked]),
            cached=any(call.cached for call in asked),
            input_digest=record.input_digest,
            cluster=record.cluster,
            digests={score.name: score.scorer_digest for score in record.scores},
            judge_ids={score.name: score.judge_id for score in record.scores},
        )


def _cost(call: Call) -> float | None:
    return 0.0 if call.cached else call.cost_usd


def _sum(values: Sequence[float | None]) -> float | None:
    """Return the sum; None where a part is unknown."""
    known = [value for value in values if value is not None]
    return total(known) if len(known) == len(values) else None


def _count(values: Sequence[int | None]) -> int | None:
    """Return the sum; None where a part is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
