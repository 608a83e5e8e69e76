"""Which options an answer denies: "not London", "isn't (B)", "nicht wahr", "不是北京"."""

import re
from bisect import bisect_left
from collections.abc import Sequence

__all__ = ["denied"]

_OPEN, _CLOSE = r"[*_`\"'“‘«„(\[{<（【「『]{0,8}", r"[*_`\"'”’»“‘)\]}>）】」』]{0,8}"
# "if not London", "why not London" and "whether or not London" deny nothing; 不 goes before an adjective as well
# (不正确), but "不得不" affirms, and "是不是" asks
_DENIAL = re.compile(
    r"(?<!\bif )(?<!\bwhy )(?<!\bwhether or )(?<!\bwenn )(?<!\bwarum )(?<!\bpourquoi )"
    r"(?:\b(?:not|cannot|never|neither|nicht|kein(?:e[mnrs]?)?|weder|pas|no es|no son)|n['’]t)\b"
    r"|(?P<unspaced>(?<!不[得能可])不(?!(?<=是不)是)|[并並绝絕而]非)",
    re.IGNORECASE,
)
# What may stand between; "only" and "just" may not: behind them nothing is denied
_BETWEEN = re.compile(
    r"(?: (?:be|an?|the|in|at(?: all)?|by|from|so|too|overly|really|actually|necessarily|exactly|entirely|fully"
    r"|completely|totally|quite|very|truly|strictly|clearly|definitely|certainly|likely|probably|particularly|always|usually"
    r"|generally|option|choice|letter|answer|de[mnrs]|die|das|ein(?:e[mnrs]?)?|unbedingt|wirklich|ganz|immer|une?|una"
    rf"|l[ae]s?|el|los|en|dans|toujours|siempre)){{0,3}} {_OPEN}",
    re.IGNORECASE,
)
_BETWEEN_UNSPACED = re.compile(f"[是在]? ?{_OPEN}")
# "東京ではないでしょうか" suggests it
_BEHIND = re.compile(rf"{_CLOSE}(?:では|じゃ)(?:なく|(?:ない|ありません)(?!の?(?:です|でしょう|だろう)?か|[?？]))")
# so do "is it not London?" and "Paris, nicht wahr?", and "不是北京就是上海" leaves both
_SUGGESTED = re.compile(rf"{_CLOSE} ?(?:[?？吗嗎]|[,，]? ?就是)")
_AGAIN = re.compile(rf"{_CLOSE} ?{_OPEN}")  # "(B) London"
_COMMA = re.compile(rf"{_CLOSE} ?, ?{_OPEN}")
_OR = re.compile(rf"{_CLOSE} ?,? ?(?:\b(?:n?or|oder|noch|ou|o|ni)\b|/|或者?) ?{_OPEN}", re.IGNORECASE)
_AND = re.compile(rf"{_CLOSE} ?,? ?(?:\b(?:and|und|et|y)\b|&|和) ?{_OPEN}", re.IGNORECASE)
_LIST_END = re.compile(rf"{_CLOSE} ?(?:$|[.;,!。；，！])")


def denied(line: str, spans: Sequence[tuple[int, int]]) -> set[int]:
    """Return which of the options that a line mentions stand right behind a denial, or in a list that does.

    Args:
        line: with single spaces.
        spans: where the options begin and end, in their order; those of a label and its text are two.
    """
    found = {at for at, (_, end) in enumerate(spans) if _BEHIND.match(line, end)}
    for denial in _DENIAL.finditer(line):
        first = bisect_left(spans, (denial.end(), 0))
        between = _BETWEEN_UNSPACED if denial["unspaced"] else _BETWEEN
        if first < len(spans) and between.fullmatch(line, denial.end(), spans[first][0]):
            last = _list_end(line, spans, first)
            if not _SUGGESTED.match(line, spans[last][1]):
                found.update(range(first, last + 1))
    return found


def _list_end(line: str, spans: Sequence[tuple[int, int]], first: int) -> int:
    """Return the last option of the list that begins with ``first``; commas alone join none."""
    last = first
    for at in range(first + 1, len(spans)):
        end, start = max(spans[at - 1][1], spans[first][1]), spans[at][0]
        if start < end or _AGAIN.fullmatch(line, end, start):
            last = at if last == at - 1 else last
        elif _OR.fullmatch(line, end, start):
            last = at
        elif _AND.fullmatch(line, end, start):  # "not A and B is right" calls B right
            last = at if _LIST_END.match(line, spans[at][1]) else last
        elif not _COMMA.fullmatch(line, end, start):
            break
    return last
