"""Which cases passed only when they ran again, in a sentence."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from pytest_llmeval.core.gate.case import NEVER_ASKED, JudgedCase
from pytest_llmeval.core.ids import case_id
from pytest_llmeval.core.text import and_more, counted, one_line
from pytest_llmeval.store.records import EarlierOutcome

__all__ = ["rerun_sentences"]

_MOST = 3


def rerun_sentences(run_id: str, earlier: Iterable[EarlierOutcome], cases: Iterable[JudgedCase]) -> list[str]:
    """Return a sentence with the first cases that passed after a rerun; none without any.

    Args:
        run_id: of the run.
        earlier: what its cases came to before.
        cases: what they came to in the end.
    """
    before: dict[str, Counter[str]] = defaultdict(Counter)
    for each in earlier:
        if each.outcome == "missed" or (each.outcome == "error" and each.error_kind not in NEVER_ASKED):
            before[each.case_id][each.error_kind or each.outcome] += 1
    if not before:
        return []
    passed = (case for case in cases if case.outcome == "passed")
    ids = ((case, case_id(run_id, case.suite, case.model, case.sample_id, case.epoch)) for case in passed)
    told = [
        f"{one_line(case.sample_id, 60)} of {one_line(case.suite, 60)} (before: {_counts(before[own])})"
        for case, own in ids
        if own in before
    ]
    if not told:
        return []
    return [f"{counted(len(told), 'case')} passed after a rerun: {and_more(told, _MOST)}"]


def _counts(kinds: Counter[str]) -> str:
    """Return what a case came to before, each with how often it did."""
    return ", ".join(one_line(kind) + (f" {count} times" if count > 1 else "") for kind, count in kinds.items())
