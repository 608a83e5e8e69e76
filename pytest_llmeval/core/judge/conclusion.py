"""Which level the end of a reason states: a verdict that says otherwise is none.

Judges are told to end a reason with ``So: LEVEL``. Some go on behind the level, or say of the answer that it is that.
Any other sentence states nothing: "there are no errors" is no ``no``, and where a part is missing the answer need not
be ``missing``.
"""

import functools
import re
from collections.abc import Sequence

__all__ = ["concluded"]

_MARK = re.compile(r"\bso[*_`]*:|^[^\w\n]*(?:final[^\S\n]+)?verdict[*_`]*:", re.IGNORECASE | re.MULTILINE)
"""What stands before the verdict at the end of a reason."""
_QUOTED = re.compile(
    r"""(?<![\w"'”’».,;!?])(?:"(?=\S)[^"]*(?<=\S)"|'(?=\S)[^']*(?<=\S)'|“[^“”]*”|‘[^‘’]*’|«[^«»]*»)(?!\w)|^[ \t]*>.*""",
    re.MULTILINE,
)
"""What a judge quotes of an answer, which may say "So: right" itself. A mark behind ``tall"`` opens no quotation: so no
odd mark in an answer hides what the judge concludes."""
_LEADS = (
    "the|this|that|it|its|my|i|answer|response|reply|output|summary|verdict|level|grade|rating|judgement|judgment"
    "|conclusion|is|was|be|must|should|would|will|say|rate|judge|call|find|conclude|as|a|an"
    "|clearly|plainly|simply|just|overall|therefore|thus|hence|final"
)
"""Words that may stand before a level which is stated of the answer as a whole."""
_GOES_ON = (
    r"because|since|as|due|given|but|though|although|while|for(?!\s+the\s+most)|in(?!\s+(?:the\s+main|part)\b)|about"
    r"|by|on|with|it|there|wins|(?:answer\s+)?(?:is|was)\s+(?:clearly\s+)?better"
)
"""Words behind a level that leave it what it is; before any other word it may be a part of speech: "no errors", "it
misses the date"."""
_WORD_GAP = re.compile(r"[^\w]+")
_WHY = re.compile(r"[\W_]*(?:because|since|as|due|given)\b", re.IGNORECASE)


def concluded(reason: str, names: Sequence[str]) -> list[str]:
    """Return the levels that the end of a reason may state, of ``names``: several where these differ in case alone.

    Empty where it states none: also where another level stands behind the first, unless that says why ("right about
    the city but wrong about the year: partly"). What stands in quotation marks, but for a reason that does as a whole,
    states nothing.
    """
    own = _QUOTED.sub(lambda quoted: quoted[0] if quoted[0] == reason.strip() else _MARK.sub("", quoted[0]), reason)
    _, *tails = _MARK.split(own)
    found = _stated(tuple(names)).match(tails[-1]) if tails else None
    if found is not None and _names_another(found[1], tails[-1][found.end() :], names):
        return []
    return [name for name in names if found is not None and _plain(name) == _plain(found[1])]


def _names_another(level: str, rest: str, names: Sequence[str]) -> bool:
    """Whether what goes on behind a level names another one, and not in saying why."""
    if _WHY.match(rest):
        return False
    text = f" {_plain(re.sub(_WORD_GAP, ' ', _QUOTED.sub(' ', rest)))} "
    return any(f" {_plain(name)} " in text for name in names if _plain(name) != _plain(level))


@functools.lru_cache(maxsize=64)
def _stated(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return what matches a text that begins with one of ``names``, the longest that stands there."""
    levels = "|".join(
        r"[\s_-]+".join(map(re.escape, _plain(name).split())) for name in sorted(names, key=len, reverse=True)
    )
    next_word = rf"[*_`\"'’)\]]*[^\S\n]+(?!(?:{_GOES_ON})\b)[^\W_]"
    before = rf"[\W_]*(?:(?:{_LEADS})\b[\W_]*)*(?<![^\W_])"
    return re.compile(rf"{before}({levels})(?![-/'’]?[^\W_])(?!{next_word})", re.IGNORECASE)


def _plain(name: str) -> str:
    """Return the name of a level in small letters and words."""
    return " ".join(re.split(r"[\s_-]+", name.casefold()))
