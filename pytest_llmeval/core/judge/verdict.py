"""Parsing of verdicts: a reply must be exactly one JSON object that follows the schema and repeats the nonce.

The parser does not search a text for a verdict and uses no defaults: a reply is a valid verdict or malformed.
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
    """A reply is not a valid verdict; the message says what is wrong, so that the judge can correct it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A judge's finding in one dimension."""

    level: Level
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A judge's findings by dimension, in the rubric's order."""

    findings: dict[str, Finding]

    @property
    def levels(self) -> dict[str, Level]:
        """Levels by dimension."""
        return {name: finding.level for name, finding in self.findings.items()}

    @property
    def values(self) -> dict[str, float]:
        """Values of the levels by dimension, in [0, 1]."""
        return {name: finding.level.value for name, finding in self.findings.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The verdict requested by a call of a judge."""

    rubric: Rubric
    nonce: str
    """Nonce that the verdict must repeat."""
    again: bool = False
    """Whether the judge is told what was wrong with an earlier reply."""
    only_known: bool = False
    """Whether to accept only a reply that has already come or been requested, without making a new call."""


def read_verdict(text: str, rubric: Rubric, nonce: str, *, finish_reason: str | None = None) -> Verdict:
    """Return the verdict in a reply.

    Args:
        text: the reply.
        rubric: the rubric that was judged by.
        nonce: nonce of the call; a verdict that does not repeat it may come from the judged text.
        finish_reason: finish reason reported by the server.

    Raises:
        MalformedVerdictError: the reply is not a valid verdict: truncated, not JSON, a missing or an extra key, a level
            that is not listed, no reason, a reason that concludes something else, another nonce.
    """
    if is_cut(finish_reason):
        raise MalformedVerdictError("the reply was cut short; give shorter reasons")
    try:
        data = parse(inside_fence(text).strip())  # some models always write a code block
    except NotJsonError as error:
        raise MalformedVerdictError(f"it is not one JSON object: {error}") from None
    given = _object(data, "the reply", [*(each.name for each in rubric.dimensions), NONCE])
    if given[NONCE] != nonce:
        raise MalformedVerdictError(f'"{NONCE}" is not the characters behind BEGIN')
    return Verdict(findings={each.name: _finding(given[each.name], each) for each in rubric.dimensions})


def is_cut(finish_reason: str | None) -> bool:
    """Return whether a reply was truncated at its maximal length."""
    return finish_reason in ("length", "max_tokens")


def _object(data: Any, what: str, keys: list[str]) -> dict[str, Any]:
    """Return ``data``; raise MalformedVerdictError unless it is an object with exactly ``keys``."""
    if not isinstance(data, dict):
        raise MalformedVerdictError(f"{what} is not a JSON object")
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
