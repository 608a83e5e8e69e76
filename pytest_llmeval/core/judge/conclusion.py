"""The level that the end of a judge's reason states; a verdict that contradicts it is invalid.

Judges are told to end a reason with ``So: LEVEL``. Some continue after the level, or write that the answer is of that
level. Any other sentence states nothing: "there are no errors" does not state ``no``, and an answer with a missing part
need not be ``missing``.
"""

import functools
import re
from collections.abc import Sequence

__all__ = ["concluded"]

_MARK = re.compile(r"\bso[*_`]*:|^[^\w\n]*(?:final[^\S\n]+)?verdict[*_`]*:", re.IGNORECASE | re.MULTILINE)
"""Matches the words that introduce the verdict at the end of a reason."""
_QUOTED = re.compile(
    r"""(?<![\w"'”’».,;!?])(?:"(?=\S)[^"]*(?<=\S)"|'(?=\S)[^']*(?<=\S)'|“[^“”]*”|‘[^‘’]*’|«[^«»]*»)(?!\w)|^[ \t]*>.*""",
    re.MULTILINE,
)
"""Matches quotations from an answer, which may contain "So: right" themselves. A quotation mark directly after a word
(``tall"``) opens no quotation, so that a stray mark in an answer does not hide the judge's conclusion."""
_LEADS = (
    "the|this|that|it|its|my|i|answer|response|reply|output|summary|verdict|level|grade|rating|judgement|judgment"
    "|conclusion|is|was|be|must|should|would|will|say|rate|judge|call|find|conclude|as|a|an"
    "|clearly|plainly|simply|just|overall|therefore|thus|hence|final"
)
"""Words that may come before a level that is stated of the answer as a whole."""
_GOES_ON = (
    r"because|since|as|due|given|but|though|although|while|for(?!\s+the\s+most)|in(?!\s+(?:the\s+main|part)\b)|about"
    r"|by|on|with|it|there|wins|(?:answer\s+)?(?:is|was)\s+(?:clearly\s+)?better"
)
"""Words that may follow a stated level. Before any other word, a level's name may just be part of a sentence: "no
errors", "it misses the date"."""
_WORD_GAP = re.compile(r"[^\w]+")
_WHY = re.compile(r"[\W_]*(?:because|since|as|due|given)\b", re.IGNORECASE)


def concluded(reason: str, names: Sequence[str]) -> list[str]:
    """Return the levels in ``names`` that the end of a reason may state; several only if they differ just in case.

    Empty if it states none. That includes a level followed by another one ("right about the city but wrong about the
    year: partly"), unless the other is part of an explanation ("because …"). Text in quotation marks states nothing,
    unless the whole reason is quoted.
    """
    own = _QUOTED.sub(lambda quoted: quoted[0] if quoted[0] == reason.strip() else _MARK.sub("", quoted[0]), reason)
    _, *tails = _MARK.split(own)
    found = _stated(tuple(names)).match(tails[-1]) if tails else None
    if found is not None and _names_another(found[1], tails[-1][found.end() :], names):
        return []
    return [name for name in names if found is not None and _plain(name) == _plain(found[1])]


def _names_another(level: str, rest: str, names: Sequence[str]) -> bool:
    """Return whether the text after a level names another one, other than in an explanation of why."""
    if _WHY.match(rest):
        return False
    text = f" {_plain(re.sub(_WORD_GAP, ' ', _QUOTED.sub(' ', rest)))} "
    return any(f" {_plain(name)} " in text for name in names if _plain(name) != _plain(level))


@functools.lru_cache(maxsize=64)
def _stated(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern for a text that starts by stating one of ``names``, the longest one that matches."""
    levels = "|".join(
        r"[\s_-]+".join(map(re.escape, _plain(name).split())) for name in sorted(names, key=len, reverse=True)
    )
    next_word = rf"[*_`\"'’)\]]*[^\S\n]+(?!(?:{_GOES_ON})\b)[^\W_]"
    before = rf"[\W_]*(?:(?:{_LEADS})\b[\W_]*)*(?<![^\W_])"
    return re.compile(rf"{before}({levels})(?![-/'’]?[^\W_])(?!{next_word})", re.IGNORECASE)


def _plain(name: str) -> str:
    """Return the name of a level in lower case, as words separated by single spaces."""
    return " ".join(re.split(r"[\s_-]+", name.casefold()))
