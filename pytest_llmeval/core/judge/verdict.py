"""What may be taken for a verdict: one whole JSON object of the schema that repeats the nonce, and nothing else.

Nothing is searched for in a text, and nothing has a default: a reply is a verdict or it is malformed.
"""

from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.judge.asking import NONCE
from pytest_llmeval.core.judge.conclusion import concluded
from pytest_llmeval.core.judge.rubric import Dimension, Level, Rubric
from pytest_llmeval.core.strict_json import NotJsonError, inside_fence, parse
from pytest_llmeval.core.text import one_line

__all__ = ["Finding", "MalformedVerdictError", "Verdict", "Wanted", "is_cut", "read_verdict"]


class MalformedVerdictError(ValueError):
    """A reply is no verdict; the message says what is wrong with it, for the judge to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a judge found in one dimension."""

    level: Level
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a judge found, by dimension, in the rubric's order."""

    findings: dict[str, Finding]

    @property
    def levels(self) -> dict[str, Level]:
        """The levels alone."""
        return {name: finding.level for name, finding in self.findings.items()}

    @property
    def values(self) -> dict[str, float]:
        """The values of the levels, in [0, 1]."""
        return {name: finding.level.value for name, finding in self.findings.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The verdict that a judge is asked for."""

    rubric: Rubric
    nonce: str
    """What it must repeat."""
    again: bool = False
    """Whether the judge is told what was wrong with an earlier reply."""
    only_known: bool = False
    """Whether only a reply will do that has come, or is under way: nobody is asked for another one."""


def read_verdict(text: str, rubric: Rubric, nonce: str, *, finish_reason: str | None = None) -> Verdict:
    """Return the verdict that a reply is.

    Args:
        text: the reply.
        rubric: that was asked about.
        nonce: of the call; a verdict that does not repeat it may stem from the judged text.
        finish_reason: as the server said it.

    Raises:
        MalformedVerdictError: it is none: cut short, no JSON, a key too few or too many, a level that is not
            listed, no reason, a reason that concludes otherwise, another nonce.
    """
    if is_cut(finish_reason):
        raise MalformedVerdictError("the reply was cut short; give shorter reasons")
    try:
        data = parse(inside_fence(text).strip())  # some models cannot help but write a block of code
    except NotJsonError as error:
        raise MalformedVerdictError(f"it is not one JSON object: {error}") from None
    given = _object(data, "the reply", [*(each.name for each in rubric.dimensions), NONCE])
    if given[NONCE] != nonce:
        raise MalformedVerdictError(f'"{NONCE}" is not the characters behind BEGIN')
    return Verdict(findings={each.name: _finding(given[each.name], each) for each in rubric.dimensions})


def is_cut(finish_reason: str | None) -> bool:
    """Return whether a reply came to its end because of a bound of its length."""
    return finish_reason in ("length", "max_tokens")


def _object(data: Any, what: str, keys: list[str]) -> dict[str, Any]:
    """Return ``data``, which must be an object with exactly ``keys``."""
    if not isinstance(data, dict):
        raise MalformedVerdictError(f"{what} is no JSON object")
    missing, extra = [key for key in keys if key not in data], [key for key in data if key not in keys]
    if missing:
        raise MalformedVerdictError(f"{what} lacks {', '.join(map(_quoted, missing))}")
    if extra:
        raise MalformedVerdictError(f"{what} has a key too many: {_quoted(extra[0])}")
    return data


def _finding(data: Any, dimension: Dimension) -> Finding:
    given = _object(data, _quoted(dimension.name), ["reason", "verdict"])
    reason, chosen = given["reason"], given["verdict"]
    if not isinstance(reason, str) or not reason.strip():
        raise MalformedVerdictError(f"{_quoted(dimension.name)} has no reason")
    level = dimension.level(chosen) if isinstance(chosen, str) else None
    if level is None:
        names = ", ".join(level.name for level in dimension.levels)
        raise MalformedVerdictError(f"the verdict of {_quoted(dimension.name)} is none of {names}")
    stated = concluded(reason, [each.name for each in dimension.levels])
    if stated and chosen not in stated:
        raise MalformedVerdictError(
            f"the reason of {_quoted(dimension.name)} concludes {stated[0]}, its verdict is {level.name}"
        )
    return Finding(level=level, reason=reason.strip())


def _quoted(name: str) -> str:
    return f'"{one_line(name, 60)}"'
