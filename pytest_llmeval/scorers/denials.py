"""Which options an answer denies: "not London", "isn't (B)", "nicht wahr", "不是北京".

Only plain denials count: an option right after a denial (right before it in Japanese), or in a list with "or" at that
position. Anything else ("not London alone", "if it is not London", "is it not London?") denies nothing.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence

__all__ = ["denied"]

_OPEN, _CLOSE = r"[*_`\"'“‘«„(\[{<（【「『]{0,8}", r"[*_`\"'”’»“‘)\]}>）】」』]{0,8}"
_NOT = (
    r"(?:(?<![^\W_])(?:not|cannot|never|neither|nicht|kein(?:e[mnrs]?)?|weder|pas|no es|no son)|n['’]t)(?![^\W_])"
    r"|(?P<unspaced>不(?!(?<=是不)是)|[并並绝絕而]非)"
)
_NONE = (
    r"(?<![^\W_])(?:no longer|by no means|no(?= \w)|nothing|without|far from|free (?:of|from)|keineswegs|keinesfalls)"
    r"(?![^\W_])"
)
_DENIAL = re.compile(f"{_NOT}|{_NONE}", re.IGNORECASE)
# Words allowed between a denial and the option. "only" and "just" are not: "not only London" denies nothing
_ARTICLE = r"(?: (?:an?|the|de[mnrs]|die|das|ein(?:e[mnrs]?)?|une?|una|l[ae]s?|el|los))?"
_WORDS = (
    r"(?: (?:be )?(?:considered|regarded|seen|classified|labell?ed|rated|deemed|called|seem|appear|look|sound|contain)"
    r"(?: (?:as|to be))?)?"
    r"(?: (?:be|in|at(?: all)?|by|from|too|overly|really|actually|necessarily|exactly|entirely|fully|completely|totally"
    r"|quite|very|truly|strictly|clearly|definitely|certainly|likely|probably|particularly|always|usually|generally"
    r"|unbedingt|wirklich|ganz|immer|en|dans|toujours|siempre)){0,2}"
    rf"{_ARTICLE}(?: (?:option|choice|letter|answer))?"
)
_BETWEEN = re.compile(rf"[*_]{{0,3}}{_WORDS} {_OPEN}", re.IGNORECASE)
_BETWEEN_UNSPACED = re.compile(f"[*_]{{0,3}}[是在]? ?{_OPEN}")
# Words before a denial that leave it open or reverse it: "if it is not", "no reason why it should not", "难道不"
_TURNED = re.compile(
    rf"\b(?:if|unless|whether|wenn|(?<!no )doubt|hardly|no (?:reason|way))\b|\b(?:why|warum|pourquoi) $|{_NOT}"
    r"|[不非无無没沒]|[难難]道|何[尝嘗]|要$",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.,;:!?。，；：！？]|\b(?:and|but|so|as|because|since|hence|which)\b", re.IGNORECASE)
_LOOK_BACK = 80  # characters
# Words after the option that do the same: "is it not London?", "not London alone", "不是北京就是上海"
_OPENED = re.compile(rf"{_CLOSE} ?(?:[?？吗嗎]|alone\b|[,，]? ?就是)", re.IGNORECASE)
# "東京ではなく", "東京ではない。"; with more after "ない" it may ask or suggest: "東京ではないでしょうか"
_BEHIND = re.compile(rf"{_CLOSE}(?:では|じゃ)(?:なく|(?:ない(?:です)?|ありません)(?=$|[。、]))")
# A prefix such as "non-" that turns an option into its opposite, with emphasis or marks in between
_OPPOSITE = re.compile(
    r"\b(?:(?:no[nt]|nicht|un)[*_\"'”’]{0,4}[-\u2010\u2011]|non(?:[*_\"'”’]{0,4}\u2013| ))[*_\"'“‘]{0,4}$",
    re.IGNORECASE,
)
_MOST_OPPOSITE = 16  # characters
_AGAIN = re.compile(rf"{_CLOSE} ?{_OPEN}")  # "London (B)"
_COMMA = re.compile(rf"{_CLOSE} ?,{_ARTICLE} ?{_OPEN}", re.IGNORECASE)
_OR = re.compile(rf"{_CLOSE} ?,? ?(?:\b(?:n?or|oder|noch|ou|o|ni)\b|/|或者?){_WORDS} ?{_OPEN}", re.IGNORECASE)
_AND = re.compile(rf"{_CLOSE} ?,? ?(?:\b(?:and|und|et|y)\b|&|和){_ARTICLE} ?{_OPEN}", re.IGNORECASE)
_LIST_END = re.compile(rf"{_CLOSE} ?(?:$|[.;,!。；，！])")


def denied(line: str, mentions: Sequence[tuple[int, int, str]]) -> set[int]:
    """Return the indices of the options that are denied: right after a denial, or in a list that is.

    Args:
        line: a line whose words are separated by single spaces.
        mentions: start, end and choice of each mention, in the order of the line; a label followed by its text makes
            two mentions.
    """
    found = {
        at
        for at, (start, end, _) in enumerate(mentions)
        if _BEHIND.match(line, end) or _OPPOSITE.search(line[max(0, start - _MOST_OPPOSITE) : start])
    }
    for denial in _DENIAL.finditer(line):
        first = bisect_left(mentions, (denial.end(), 0, ""))
        between = _BETWEEN_UNSPACED if denial["unspaced"] else _BETWEEN
        if first < len(mentions) and between.fullmatch(line, denial.end(), mentions[first][0]):
            last = _list_end(line, mentions, first)
            said = mentions[first - 1][1] if first else 0  # "not A and not B": the first is about A
            before = line[max(said, denial.start() - _LOOK_BACK) : denial.start()]
            if not (_TURNED.search(_CLAUSE.split(before)[-1]) or _OPENED.match(line, mentions[last][1])):
                found.update(range(first, last + 1))
    return found


def _list_end(line: str, mentions: Sequence[tuple[int, int, str]], first: int) -> int:
    """Return the index of the last option in the list that begins with ``first``. Commas alone make no list."""
    last = first
    for at in range(first + 1, len(mentions)):
        (_, end, before), (start, _, option) = mentions[at - 1], mentions[at]
        if option == before and (start < end or _AGAIN.fullmatch(line, end, start)):
            last = at if last == at - 1 else last
        elif _OR.fullmatch(line, end, start):
            last = at
        elif _AND.fullmatch(line, end, start):  # "not A and B is right" calls B right
            last = at if _LIST_END.match(line, mentions[at][1]) else last
        elif not _COMMA.fullmatch(line, end, start):
            break
    return last
