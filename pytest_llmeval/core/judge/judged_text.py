"""What a judge judged of a case, by score: mostly the model's response, else what its test passed on."""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pytest_llmeval.core.judge.fence import as_shown, unfenced
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import Call

__all__ = ["SCORES", "UNSURE", "JudgedTexts", "Shown", "judged_of", "judged_texts", "texts_of"]

SCORES = "scores"
"""In the detail of a judge's call the names of the scores that come of it; older versions did not tell."""
UNSURE = (
    "a judge was shown several texts of a case, and the run does not tell which score is of which, as an older version"
    " recorded it; `llmeval rescore RUN --judge-model SPEC` makes one that tells"
)
_ANSWER = "ANSWER"


class Shown(NamedTuple):
    """What a judge was shown for some scores of a case."""

    names: tuple[str, ...]
    """Of the scores."""
    parts: Mapping[str, str]
    """The texts by their names, such as ``ANSWER``; none where its calls were not kept."""
    answer: str | None
    """The one that was judged: the response itself where the judge was shown that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTexts:
    """What the judge of one case was shown."""

    response: str | None
    """Of the case: what was judged where nobody knows what it was."""
    by_score: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The texts by their names, of each score whose calls say that it comes of them."""
    every: Sequence[Mapping[str, str]] = ()
    """Those of every call, in the order of the calls."""
    is_row_told: bool = True
    """Whether the calls of all cases of its row that are compared were kept."""

    def answer(self, name: str) -> str | None:
        """Return the answer that was judged for a score; the first of several that it may have been."""
        return self.answers(name)[0]

    def answers(self, name: str) -> list[str | None]:
        """Return the answers that may have been judged for a score: several where the calls do not tell which."""
        shown = [self.by_score[name]] if name in self.by_score else self.every
        return list(dict.fromkeys(self._answer(each) for each in shown)) or [self.response]

    def beside(self, name: str) -> frozenset[tuple[str, str]] | None:
        """Return what the judge was shown for a score beside the answer; None where not all calls of its row tell."""
        parts = self._parts(name)
        known = bool(parts) and self.is_row_told
        return frozenset((label, text) for label, text in parts.items() if label != _ANSWER) if known else None

    @property
    def has_one(self) -> bool:
        """Whether one answer of the case was judged, be it for several scores."""
        return len({each[_ANSWER] for each in self.every}) < 2

    def is_known(self, name: str) -> bool:
        """Return whether it is known what the judge was shown for a score."""
        return name in self.by_score or all(_agree(one, other) for one in self.every for other in self.every)

    def shown(self, names: Iterable[str]) -> list[Shown]:
        """Return what the judge was shown for scores, each once; a text that it was not shown makes no difference."""
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
    """Return what the judge of a case was shown.

    Args:
        response: of the case.
        calls: of the case.
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
    """Return what tells what a judge judged of a row for a score from others: the answer, and what it was beside.

    That is the question, and the reference if the judge was shown one; where its calls were not kept, the row.

    Args:
        case: the case.
        texts: what its judge was shown; None where that is not known.
        name: of the score.
    """
    if texts is None:
        return case.response, case.input_digest
    beside = texts.beside(name)
    return texts.answer(name), case.input_digest if beside is None else beside


def judged_texts(
    cases: Sequence[StoredCase], calls_of: Callable[[str], Iterable[Call]], *, samples: Collection[str] = ()
) -> dict[str, JudgedTexts]:
    """Return what was judged, by the ids of the cases: of rows that have several, which their answers tell apart.

    Args:
        cases: of a run, or of several.
        calls_of: from the id of a case to its calls.
        samples: ids of rows whose answers are returned though they have one.
    """
    many = Counter(_row(case) for case in cases)
    compared = [case for case in cases if many[_row(case)] > 1 or case.key.sample_id in samples]
    found = {case.id: texts_of(case.response, calls_of(case.id)) for case in compared}
    untold = {_row(case) for case in compared if not found[case.id].every}
    return {case.id: replace(found[case.id], is_row_told=_row(case) not in untold) for case in compared}


def _agree(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return all(other[name] == text for name, text in one.items() if name in other)


def _row(case: StoredCase) -> tuple[str, str, str]:
    return case.key.suite, case.key.model, case.key.sample_id
