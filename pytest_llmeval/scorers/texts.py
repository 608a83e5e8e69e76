"""The scorers that compare texts: exact, contains and token_f1."""

import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers.answers import accepted_answers, normal_text, text_of
from pytest_llmeval.scorers.display import first_few, shown
from pytest_llmeval.scorers.registry import shipped
from pytest_llmeval.scorers.scored import Scored

__all__ = ["contains", "exact", "token_f1"]

ARTICLES = frozenset({"a", "an", "the"})
QUOTES = "`'\"“”„‘’‚«»「」. "
FEW = 4
"""Largest number of texts that a reason lists."""


@shipped(version=1)
def exact(
    response: Response | str, target: Any, *, strip: bool = True, casefold: bool = False, collapse: bool = False
) -> Scored:
    """Return 1 where the answer is one of the accepted texts, else 0.

    Both sides are put into Unicode NFC first; nothing else is changed except as the settings say.

    Args:
        response: a Response or a str.
        target: a text, a list of accepted texts, or ``{"answer": text, "aliases": [text, ...]}``.
        strip: remove white space at both ends of both sides.
        casefold: ignore case.
        collapse: replace each run of white space by one space.

    Raises:
        ScorerError: if the response or the target is of another type.
    """
    answers = accepted_answers(target)
    text = text_of(response)
    given = normal_text(text, strip=strip, casefold=casefold, collapse=collapse)
    if any(given == normal_text(each, strip=strip, casefold=casefold, collapse=collapse) for each in answers):
        return Scored(1.0)
    return Scored(0.0, f"expected {_any_of(answers)}\ngot {shown(text)}")


@shipped(version=1)
def contains(
    response: Response | str, target: Any, *, mode: Literal["all", "any"] = "all", casefold: bool = True
) -> Scored:
    """Return the share of the target's texts that occur in the answer.

    A text occurs if its characters do, even inside a longer word. Both sides are put into Unicode NFC first.

    Args:
        response: a Response or a str.
        target: a text, a list of texts, or ``{"answer": text, "aliases": [text, ...]}``, which always means any.
        mode: ``all``: the share of the texts that occur; ``any``: 1 where at least one occurs, else 0.
        casefold: ignore case.

    Raises:
        ScorerError: if the response, the target or the mode is of another type, or a text is empty.
    """
    wanted = accepted_answers(target)
    if mode not in ("all", "any"):
        raise ScorerError(f"mode must be 'all' or 'any', found {mode!r}")
    if not all(wanted):
        raise ScorerError("the target holds an empty text, which every answer contains")
    text = text_of(response)
    given = normal_text(text, strip=False, casefold=casefold)
    missing = [each for each in wanted if normal_text(each, strip=False, casefold=casefold) not in given]
    if not missing or (_means_any(target, mode) and len(missing) < len(wanted)):
        return Scored(1.0)
    share = 0.0 if _means_any(target, mode) else (len(wanted) - len(missing)) / len(wanted)
    lines = first_few((f"not found: {shown(each)}" for each in missing), FEW, total=len(missing))
    return Scored(share, f"{lines}\nin {shown(text)}")


def _means_any(target: Any, mode: str) -> bool:
    return mode == "any" or isinstance(target, Mapping)


@shipped(version=2, pass_mark=0.5)
def token_f1(response: Response | str, target: Any) -> Scored:
    """Return the F1 of the words that answer and target share, the best over the accepted answers.

    The measure of SQuAD 1.1 (Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250, section 6.1, "(Macro-averaged) F1
    score"), normalised like its evaluation script: lower case, punctuation removed, the articles a, an and the removed,
    split at white space. Punctuation is that of ASCII plus every character that Unicode classes as punctuation; texts
    are put into NFC first. Order does not count; a word counts as often as it occurs on both sides.

    An answer without words (after this) scores 1 against an empty target and 0 against words, as in SQuAD 2.0. A target
    without words is compared by its articles (``A``), or, if it has none either, as it stands (``+``; quotes, emphasis
    and a full stop around the answer are ignored). The default pass mark is 0.5.

    Args:
        response: a Response or a str.
        target: a text, a list of accepted texts, or ``{"answer": text, "aliases": [text, ...]}``.

    Raises:
        ScorerError: if the response or the target is of another type.
    """
    answers = accepted_answers(target)
    text = text_of(response)
    given = words(text)
    scores = [
        _f1(given, wanted) if (wanted := words(each)) or given else _without_words(text, each) for each in answers
    ]
    best = max(scores)
    if best == 1:
        return Scored(1.0)
    nearest = answers[scores.index(best)]
    return Scored(best, f"expected {shown(nearest)}\ngot {shown(text)}")


def words(text: str, *, but: frozenset[str] = ARTICLES) -> list[str]:
    """Return the words of a text as SQuAD's evaluation script sees them."""
    text = unicodedata.normalize("NFC", text).lower()
    kept = "".join([char for char in text if not _is_punctuation(char)])
    return [word for word in kept.split() if word not in but]


def _without_words(text: str, target: str) -> float:
    """Return the score of an answer without words against a target without words."""
    articles = words(target, but=frozenset())
    if articles:
        return _f1(words(text, but=frozenset()), articles)
    given, wanted = normal_text(text), normal_text(target)
    return float(not wanted or wanted in (given, given.strip(QUOTES), given.strip(QUOTES + "*_")))


@lru_cache(maxsize=4096)
def _is_punctuation(char: str) -> bool:
    return char in string.punctuation or unicodedata.category(char).startswith("P")


def _f1(given: Iterable[str], wanted: Iterable[str]) -> float:
    left, right = Counter(given), Counter(wanted)
    # 2PR / (P + R) with P = shared / given and R = shared / wanted
    return 2 * (left & right).total() / (left.total() + right.total())


def _any_of(answers: tuple[str, ...]) -> str:
    some = " or ".join(shown(each) for each in answers[:FEW])
    return some if len(answers) <= FEW else f"{some} or {len(answers) - FEW} more"
