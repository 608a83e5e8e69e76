"""Regular expressions with a time limit, and the regex scorer."""

from typing import TYPE_CHECKING

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers.answers import text_of
from pytest_llmeval.scorers.display import shown
from pytest_llmeval.scorers.registry import shipped
from pytest_llmeval.scorers.scored import Scored, is_number

if TYPE_CHECKING:
    import regex as engine

__all__ = ["compiled", "found_in_time", "regex"]

_MAX_TEXT = 1_000_000
MAX_TIMEOUT_S = 60.0


@shipped(version=1)
def regex(
    response: Response | str, pattern: str, *, full: bool = False, ignore_case: bool = False, timeout_s: float = 1.0
) -> Scored:
    r"""Return 1 where the pattern matches, else 0. The search cannot hang.

    The text is searched as it is, without normalisation. Patterns are those of the third-party ``regex`` module in its
    default version 0, which accepts what ``re`` accepts. Flags may be part of the pattern: ``(?ms)^total: \d+$``.

    Args:
        response: a Response or a str; at most 1,000,000 characters.
        pattern: the regular expression; part of the scorer's digest.
        full: the pattern must match the whole text, not only a part of it.
        ignore_case: ignore case.
        timeout_s: the longest time that the search may take, in seconds of this process's processor time; above 0, at
            most 60.

    Raises:
        ScorerError: if the pattern is invalid, the search takes longer, the text is longer, or an argument is of
            another type.
    """
    text = text_of(response)
    limit_s, advice = _checked_timeout(timeout_s), " or raise timeout_s"
    if found_in_time(pattern, text, ignore_case=ignore_case, full=full, timeout_s=limit_s, advice=advice):
        return Scored(1.0)
    return Scored(0.0, f"{shown(pattern)} does not match {'the whole of ' if full else ''}{shown(text)}")


def found_in_time(
    pattern: str, text: str, *, timeout_s: float, ignore_case: bool = False, full: bool = False, advice: str = ""
) -> bool:
    """Return whether a pattern matches, within ``timeout_s`` seconds of processor time.

    ``re`` holds the interpreter's lock while it matches, so no thread or event loop can stop it; this engine checks the
    clock itself and lets other threads run. ``advice`` is appended to the message on a timeout.

    Raises:
        ScorerError: if time runs out, the text is longer than 1,000,000 characters, or the pattern is invalid.
    """
    if len(text) > _MAX_TEXT:
        raise ScorerError(f"the text has {len(text):,} characters; a pattern is matched against at most {_MAX_TEXT:,}")
    search = compiled(pattern, ignore_case=ignore_case)
    match = search.fullmatch if full else search.search
    try:
        return match(text, timeout=timeout_s, concurrent=True) is not None
    except TimeoutError:
        raise ScorerError(
            f"the pattern {shown(pattern)} took longer than {timeout_s:.3g} s on {len(text):,} characters; "
            f"make it simpler (no repetition inside a repetition){advice}"
        ) from None


def compiled(pattern: str, *, ignore_case: bool = False) -> "engine.Pattern[str]":
    """Return a compiled pattern. The engine caches the last few hundred.

    Raises:
        ScorerError: if the pattern is invalid.
    """
    if not isinstance(pattern, str):
        raise ScorerError(f"the pattern must be a string, found {shown(pattern)}")
    import regex as engine

    try:
        return engine.compile(pattern, engine.IGNORECASE if ignore_case else 0)
    except engine.error as error:
        raise ScorerError(f"{shown(pattern)} is not a regular expression: {error}") from None


def _checked_timeout(timeout_s: float) -> float:
    if is_number(timeout_s) and 0 < timeout_s <= MAX_TIMEOUT_S:
        return timeout_s
    raise ScorerError(f"timeout_s must be above 0 and at most {MAX_TIMEOUT_S:g} seconds, found {timeout_s!r}")
