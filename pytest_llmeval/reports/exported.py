"""The cases of a stored run as exports take them: one after another, each with its calls and labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.types import Call
from pytest_llmeval.store.protocol import StoreReader
from pytest_llmeval.store.records import EarlierOutcome, Label, StoredCase

__all__ = ["ExportedCase", "exported_cases", "response_in", "said_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCase:
    """One case with all that belongs to it."""

    case: StoredCase
    calls: Sequence[Call]
    """In their order; those of attempts that came to nothing too."""
    labels: Sequence[Label]
    """What people said of it."""
    earlier: Sequence[EarlierOutcome] = ()
    """What it came to before it ran again, in order."""

    @property
    def response(self) -> str | None:
        """What the model said last, as ``response_in`` says."""
        return response_in(self.case, self.calls)


def response_in(case: StoredCase, calls: Sequence[Call]) -> str | None:
    """Return what the model said last in a case; None where it said nothing.

    NUL and lone surrogates are as they were said: the column of the case has them as escapes.
    """
    said = [call for call in calls if call.role == "model" and call.response == case.response]
    return said_in(said[-1]) if said else case.response


def said_in(call: Call) -> str | None:
    """Return what a call was answered, NUL and lone surrogates included; None for one without an answer."""
    text = call.detail.get("text", call.response)
    return text if isinstance(text, str) else call.response


def exported_cases(store: StoreReader, run_id: str) -> Iterator[ExportedCase]:
    """Yield the cases of a run in the order of recording; one at a time is held."""
    labels = grouped(store.labels(run_id), lambda label: label.case_id)
    earlier = grouped(store.earlier_outcomes(run_id), lambda each: each.case_id)
    for case in store.cases(run_id):
        yield ExportedCase(
            case=case,
            calls=store.calls(case.id),
            labels=labels.get(case.id, ()),
            earlier=earlier.get(case.id, ()),
        )
