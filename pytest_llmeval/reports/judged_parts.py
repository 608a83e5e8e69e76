"""The texts that a judge was shown, for people to read: the row's own texts wherever they are what was quoted."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_llmeval.core.judge.fence import as_shown, is_perhaps_altered
from pytest_llmeval.core.judge.shown import shown_input, shown_reference
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import Call
from pytest_llmeval.reports.exported import parsed_target, shown_response
from pytest_llmeval.reports.row_texts import asked_messages

__all__ = ["QUOTED", "ReadParts", "read_parts"]

QUOTED = (
    'Some of this is shown as it was quoted for the judge: a blank behind "<" or "[", and marks like [U+200B], may have'
    " been put in. They are not part of it, and no fault."
)


class ReadParts(NamedTuple):
    """The texts that a judge was shown, in the form for people."""

    texts: Mapping[str, str]
    """Texts, by the names that they have in the judge's prompt."""
    is_quoted: bool
    """Whether quoting may have inserted characters into one of the texts, so that readers need the note ``QUOTED``."""


def read_parts(parts: Mapping[str, str], case: StoredCase, calls: Sequence[Call]) -> ReadParts:
    """Return the form for people of ``parts``, the texts that a judge was shown.

    Answer and reference are compared with each other, so both are the row's own texts or both are as quoted.
    """
    own = {label: _own(label, text, case, calls) for label, text in parts.items()}
    quoted = {label for label, text in own.items() if text is None and is_perhaps_altered(parts[label])}
    if quoted & _COMPARED:
        quoted |= {label for label in _COMPARED if label in parts and own[label] != parts[label]}
    texts = {label: parts[label] if text is None or label in quoted else text for label, text in own.items()}
    return ReadParts(texts, bool(quoted))


def _own(label: str, text: str, case: StoredCase, calls: Sequence[Call]) -> str | None:
    """Return the row's own text that a judge was shown as ``text``; None if it was none of them."""
    told = _TEXTS[label](case, calls) if label in _TEXTS else ()
    return next((each for each in told if each is not None and as_shown(each) == text), None)


def _questions(case: StoredCase, calls: Sequence[Call]) -> Iterator[str]:
    """Yield the texts that may be the row's input: each message to the model, the last first, then all of them."""
    messages = asked_messages(case, calls)
    yield from (content for _, content in reversed(messages))
    yield shown_input([{"role": role, "content": content} for role, content in messages])


def _answers(case: StoredCase, calls: Sequence[Call]) -> Iterator[str | None]:
    yield case.response
    yield shown_response(case, calls)


def _references(case: StoredCase, calls: Sequence[Call]) -> Iterator[str | None]:
    yield None if case.target is None else shown_reference(parsed_target(case.target))


_COMPARED = frozenset({"ANSWER", "REFERENCE"})
_TEXTS = {"QUESTION": _questions, "ANSWER": _answers, "REFERENCE": _references}
