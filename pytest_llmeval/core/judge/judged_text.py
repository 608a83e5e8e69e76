"""What a judge judged of a case: mostly the model's response, else what its test passed on."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from pytest_llmeval.core.judge.fence import as_shown, unfenced
from pytest_llmeval.core.types import Call, CaseKey

__all__ = ["judged_text", "judged_texts", "shown_to_judge"]

_ANSWER = "ANSWER"


class _Case(Protocol):
    """A finished case, as stores keep it."""

    @property
    def id(self) -> str: ...

    @property
    def key(self) -> CaseKey: ...

    @property
    def response(self) -> str | None: ...


def shown_to_judge(calls: Iterable[Call]) -> Mapping[str, str]:
    """Return the texts that the judge of a case was shown, by their names; none where its calls were not kept."""
    for call in calls:
        messages = call.request.get("messages") if call.role == "judge" else None
        if isinstance(messages, list) and len(messages) > 1 and isinstance(messages[1], Mapping):
            parts = unfenced(str(messages[1].get("content")))
            if _ANSWER in parts:
                return parts
    return {}


def judged_text(response: str | None, calls: Iterable[Call]) -> str | None:
    """Return the answer that was judged: ``response`` where the judge was shown that, or nobody knows what it was.

    Args:
        response: of the case.
        calls: of the case.
    """
    shown = shown_to_judge(calls).get(_ANSWER)
    return response if shown is None or (response is not None and as_shown(response) == shown) else shown


def judged_texts(
    cases: Sequence[_Case], calls_of: Callable[[str], Iterable[Call]], *, samples: Collection[str] = ()
) -> dict[str, str | None]:
    """Return the answers that were judged, by the ids of the cases: of rows that have several, which they tell apart.

    Args:
        cases: of a run, or of several.
        calls_of: from the id of a case to its calls.
        samples: ids of rows whose answers are returned though they have one.
    """
    many = Counter(_row(case) for case in cases)
    return {
        case.id: judged_text(case.response, calls_of(case.id))
        for case in cases
        if many[_row(case)] > 1 or case.key.sample_id in samples
    }


def _row(case: _Case) -> tuple[str, str, str]:
    return case.key.suite, case.key.model, case.key.sample_id
