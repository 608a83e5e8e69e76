"""How a test asked for an answer to be judged, and the interface of whoever judges it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.rules import COUNTED_METRICS, MEASURED_METRICS
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.types import Response, Score
from pytest_llmeval.scorers.judged import Settled

__all__ = ["JudgedHow", "Judging", "judged_how", "refuse_metric", "score_name", "truth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedHow:
    """How an answer is to be judged: the checked arguments of ``ScoreBook.judge``."""

    rubric: str | os.PathLike[str]
    name: str | None
    question: str | None
    reference: bool
    gates: bool
    per_dimension: bool
    """Whether each dimension gets a call of its own."""
    settled: Settled | None
    """The outcome of a check in code; None where the judge has to decide."""
    checks: tuple[tuple[str, str], ...]
    """The checks that may settle the answer: name of the argument and name of the check."""
    checks_digest: str | None
    """Digest of how those checks score, which may differ between rows; None if none of them has a digest."""


class Judging(Protocol):
    """Judges answers: returns the score of the whole rubric, then those of its dimensions."""

    async def judge(self, answer: Response | str, target: Any, how: JudgedHow) -> Sequence[Score]:
        """Return the scores of an answer."""
        ...

    def judge_sync(self, answer: Response | str, target: Any, how: JudgedHow) -> Sequence[Score]:
        """Return the scores of an answer, in a test that is not async."""
        ...

    async def prefer(self, a: Response | str, b: Response | str, target: Any, how: JudgedHow) -> Sequence[Score]:
        """Return the score of a comparison of two answers."""
        ...

    def prefer_sync(self, a: Response | str, b: Response | str, target: Any, how: JudgedHow) -> Sequence[Score]:
        """Return the score of a comparison of two answers, in a test that is not async."""
        ...


def judged_how(
    rubric: str | os.PathLike[str],
    name: object,
    question: str | None,
    *,
    reference: bool,
    gates: bool = False,
    per_dimension: bool = False,
    right_if: object = None,
    wrong_unless: object = None,
) -> JudgedHow:
    """Return the checked arguments of ``ScoreBook.judge``; raise ValueError for an invalid one.

    If both checks settle the answer, ``wrong_unless`` wins over ``right_if``.
    """
    given = [
        (key, check) for key, check in (("wrong_unless", wrong_unless), ("right_if", right_if)) if check is not None
    ]
    chosen = None if name is None else score_name(name)
    return JudgedHow(
        rubric=rubric,
        name=chosen,
        question=question,
        reference=reference,
        gates=gates,
        per_dimension=per_dimension,
        settled=next((found for key, check in given if (found := _settled(key, check)) is not None), None),
        checks=tuple((key, _name(key, check)) for key, check in given),
        checks_digest=_digest([check.scorer_digest for _, check in given if isinstance(check, Score)]),
    )


def _settled(key: str, check: object) -> Settled | None:
    """Return the outcome of a check; None where it leaves the answer to the judge, as a check that failed does."""
    if isinstance(check, Score):
        if check.value is not None and not 0 <= check.value <= 1:
            raise ValueError(f"{key} is the score {check.name!r} of {check.value:g}; a check is a score from 0 to 1")
        holds = None if check.value is None else check.value >= 1
    else:
        holds = truth(check, key)
    if holds is None or holds is not (key == "right_if"):
        return None
    return Settled(is_right=holds, by=_name(key, check))


def _name(key: str, check: object) -> str:
    return check.name if isinstance(check, Score) else key


def _digest(checks: Sequence[str | None]) -> str | None:
    return digest(canonical(list(checks))) if any(checks) else None


def score_name(name: object, default: str | None = None) -> str:
    """Return the given name of a score, or ``default`` if it is None.

    Raises:
        ValueError: if the name is not a non-blank text, or is the name of a metric that is not a score.
    """
    if name is None and default is not None:
        return default
    refuse_metric(name)
    if isinstance(name, str) and name.strip():
        return name
    raise ValueError(f"a score's name must be a non-empty string, found {name!r}")


def refuse_metric(name: object) -> None:
    """Raise ValueError for the name of a metric that every run has, such as ``latency_s``."""
    if name in (*COUNTED_METRICS, *MEASURED_METRICS):
        raise ValueError(f"a score cannot be named {name!r}: every run has a metric of that name")


def truth(passed: object, what: str = "passed") -> bool | None:
    """Return a bool (numpy's too) or None as it was given; raise ValueError for anything else."""
    plain = passed.item() if hasattr(passed, "item") else passed
    if plain is None or isinstance(plain, bool):
        return plain
    allowed = "True, False or None" if what == "passed" else "a score, True, False or None"
    raise ValueError(f"{what} must be {allowed}, found {passed!r}")
