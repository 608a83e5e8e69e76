"""The texts that a judge was shown for each score of a case: mostly the model's response, else what the test passed."""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pytest_llmeval.core.judge.fence import as_shown, unfenced
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import Call

__all__ = ["SCORES", "UNSURE", "JudgedTexts", "Shown", "judged_of", "judged_texts", "texts_of"]

SCORES = "scores"
"""Key in a judge's ``Call.detail`` for the names of the scores made from the call; older versions did not store it."""
UNSURE = (
    "a judge was shown several texts of a case, and the run does not tell which score is of which, as an older version"
    " recorded it; `llmeval rescore RUN --judge-model SPEC` makes one that tells"
)
_ANSWER = "ANSWER"


class Shown(NamedTuple):
    """The texts that a judge was shown for some scores of a case."""

    names: tuple[str, ...]
    """Names of the scores."""
    parts: Mapping[str, str]
    """Texts by their labels, such as ``ANSWER``; empty if the judge's calls were not kept."""
    answer: str | None
    """Text that was judged; the response as the model wrote it if that is what the judge was shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTexts:
    """All texts that the judge of one case was shown."""

    response: str | None
    """Response of the case; taken to be the judged text if the calls do not show it."""
    by_score: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Texts by label for each score that a call names."""
    every: Sequence[Mapping[str, str]] = ()
    """Texts by label of every call, in the order of the calls."""
    is_row_told: bool = True
    """Whether the judge's calls were kept for all compared cases of the row."""

    def answer(self, name: str) -> str | None:
        """Return the answer that was judged for a score; the first one if there are several candidates."""
        return self.answers(name)[0]

    def answers(self, name: str) -> list[str | None]:
        """Return the answers that may have been judged for a score: several if the calls do not say which."""
        shown = [self.by_score[name]] if name in self.by_score else self.every
        return list(dict.fromkeys(self._answer(each) for each in shown)) or [self.response]

    def beside(self, name: str) -> frozenset[tuple[str, str]] | None:
        """Return the texts that the judge was shown with the answer; None unless known for all cases of the row."""
        parts = self._parts(name)
        known = bool(parts) and self.is_row_told
        return frozenset((label, text) for label, text in parts.items() if label != _ANSWER) if known else None

    @property
    def has_one(self) -> bool:
        """Whether at most one answer of the case was judged, even if for several scores."""
        return len({each[_ANSWER] for each in self.every}) < 2

    def is_known(self, name: str) -> bool:
        """Return whether it is known which texts the judge was shown for a score."""
        return name in self.by_score or all(_agree(one, other) for one in self.every for other in self.every)

    def shown(self, names: Iterable[str]) -> list[Shown]:
        """Return what the judge was shown for ``names``, with scores that saw the same texts together.

        Texts count as the same if no label has two different texts; a label missing on one side makes no difference.
        """
        found: list[Shown] = []
        for name in names:
            parts = self._parts(name)
            place = next((at for at, each in enumerate(found) if _agree(each.parts, parts)), None)
            if place is None:
                found.append(Shown((name,), parts, self.answer(name)))
            else:
                each = found[place]
                found[place] = Shown((*each.names, name), {**parts, **each.parts}, each.answer)
        return found

    def _parts(self, name: str) -> Mapping[str, str]:
        return self.by_score.get(name) or (self.every[0] if self.every else {})

    def _answer(self, parts: Mapping[str, str]) -> str | None:
        is_response = self.response is not None and as_shown(self.response) == parts[_ANSWER]
        return self.response if is_response else parts[_ANSWER]


def texts_of(response: str | None, calls: Iterable[Call]) -> JudgedTexts:
    """Return the texts that the judge of a case was shown.

    Args:
        response: response of the case.
        calls: calls of the case.
    """
    by_score: dict[str, Mapping[str, str]] = {}
    every: list[Mapping[str, str]] = []
    for call in calls:
        messages = call.request.get("messages") if call.role == "judge" else None
        if isinstance(messages, list) and len(messages) > 1 and isinstance(messages[1], Mapping):
            parts = unfenced(str(messages[1].get("content")))
            if _ANSWER in parts:
                every.append(parts)
                by_score |= dict.fromkeys(call.detail.get(SCORES, ()), parts)
    return JudgedTexts(response=response, by_score=by_score, every=every)


def judged_of(case: StoredCase, texts: JudgedTexts | None, name: str) -> Hashable:
    """Return a key for what was judged for a score: the answer and the texts shown with it.

    The latter are the question, and the reference if the judge was shown one; or the row's input digest if the judge's
    calls were not kept.

    Args:
        case: the case.
        texts: texts that the judge was shown; None if unknown.
        name: name of the score.
    """
    if texts is None:
        return case.response, case.input_digest
    beside = texts.beside(name)
    return texts.answer(name), case.input_digest if beside is None else beside


def judged_texts(
    cases: Sequence[StoredCase], calls_of: Callable[[str], Iterable[Call]], *, samples: Collection[str] = ()
) -> dict[str, JudgedTexts]:
    """Return the texts that were judged, by case id, for rows with several cases, whose answers must be told apart.

    Args:
        cases: cases of one run, or of several.
        calls_of: returns the calls of a case by its id.
        samples: ids of rows to include even if they have a single case.
    """
    many = Counter(_row(case) for case in cases)
    compared = [case for case in cases if many[_row(case)] > 1 or case.key.sample_id in samples]
    found = {case.id: texts_of(case.response, calls_of(case.id)) for case in compared}
    unsupported = {_row(case) for case in compared if not found[case.id].every}
    return {case.id: replace(found[case.id], is_row_told=_row(case) not in unsupported) for case in compared}


def _agree(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return all(other[name] == text for name, text in one.items() if name in other)


def _row(case: StoredCase) -> tuple[str, str, str]:
    return case.key.suite, case.key.model, case.key.sample_id
