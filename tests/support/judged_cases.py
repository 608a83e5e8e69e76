"""What the gate needs of a case, taken from it field by field: stores, which read it in other ways, say the same."""

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.store.records import stored_case

__all__ = ["judged_record", "to_judged"]


def judged_record(record: CaseRecord) -> JudgedCase:
    """Return what the gate needs of a finished case."""
    return to_judged(stored_case("r", record))


def to_judged(case: StoredCase) -> JudgedCase:
    """Return what the gate needs of a stored case."""
    return JudgedCase(
        suite=case.key.suite,
        model=case.key.model,
        sample_id=case.key.sample_id,
        epoch=case.key.epoch,
        slices=case.slices,
        outcome=case.outcome,
        error_kind=case.error_kind,
        scores={score.name: score.value for score in case.scores},
        passed={score.name: score.passed for score in case.scores},
        statuses={score.name: score.status for score in case.scores},
        latency_s=case.latency_s,
        cost_usd=case.cost_usd,
        input_tokens=case.input_tokens,
        output_tokens=case.output_tokens,
        cached=case.cached,
        judge_cached=case.judge_cached,
        judge_cost_usd=case.judge_cost_usd,
        input_digest=case.input_digest,
        cluster=case.cluster,
        digests={score.name: score.scorer_digest for score in case.scores},
        judge_ids={score.name: score.judge_id for score in case.scores},
    )
