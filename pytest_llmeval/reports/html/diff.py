"""Differences between a response and the expected one: word by word, or key by key if both are JSON.

Both comparisons are bounded: they take a few milliseconds for texts of any length and any differences.
"""

import json
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import islice
from typing import Any, Literal

from pytest_llmeval.core.strict_json import NotJsonError
from pytest_llmeval.reports.html.escape import LONGEST, Html, element, escaped, joined, shown
from pytest_llmeval.scorers.json_paths import child, path_text, position
from pytest_llmeval.scorers.json_text import parse_json
from pytest_llmeval.scorers.scored import is_number

__all__ = ["difference"]

_WORD = re.compile(r"\s+|\w{1,64}|[^\w\s]")
_MOST_WORDS = 400
"""Largest number of words of either side that are compared, a common start and end not counted."""
_LEAST_ALIKE = 0.3
"""Smallest similarity at which a word by word difference is readable."""
_FEW = 8
"""Texts with fewer words than this are compared however little they have in common."""
_MOST_KEYS = 100
_COMPARED = 5_000
"""Number of keys of a side after which it is cut; further keys are not compared."""
_LONGEST_JSON = 200_000
"""Largest number of characters of a text that is read as JSON."""
_LONGEST_VALUE = 300
_ABSENT = object()
_Leaves = dict[str, Any]


def difference(
    response: str, expected: str, *, other: Literal["expected", "before"] = "expected", limit: int = LONGEST
) -> Html:
    """Return the marked differences of ``response`` from ``expected``: what is missing and what was added.

    Args:
        response: the response of the model.
        expected: the display form of the target, or an earlier response.
        other: which of the two ``expected`` is.
        limit: the largest number of characters of each text compared.
    """
    if response == expected:
        return element("p", "The same, character by character.", class_="le-same")
    left, right = _structure(response), _structure(expected)
    if left is not None and right is not None:
        return _keys(left, right, other)
    if right is not None:
        message = "JSON was expected, and the response" if other == "expected" else "it was JSON before, and now"
        return element("p", f"Not compared: {message} is not JSON.", class_="le-note")
    return _words(response, expected, limit)


def _structure(text: str) -> _Leaves | None:
    """Return the first leaves of a JSON object or list, by path; None for any other text."""
    if len(text) > _LONGEST_JSON:
        return None
    try:
        value = parse_json(text, fenced=True)
    except NotJsonError:
        return None
    return dict(islice(_leaves(value, ""), _COMPARED + 1)) if isinstance(value, dict | list) else None


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the leaves: everything but non-empty objects and lists. ``parse_json`` limits the depth."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, child(path, key))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, position(path, place))
    else:
        yield path, value


def _keys(left: _Leaves, right: _Leaves, other: str) -> Html:
    """Return a table of the keys that differ, with the number of equal keys; ``other`` says what ``right`` is."""
    is_cut = max(len(left), len(right)) > _COMPARED
    paths = [path for path in dict.fromkeys([*right, *left]) if not is_cut or (path in left and path in right)]
    pairs = [(path, right.get(path, _ABSENT), left.get(path, _ABSENT)) for path in paths]
    different = [pair for pair in pairs if not _is_same(pair[1], pair[2])]
    same = len(pairs) - len(different)
    message = f"{same:,} of {len(pairs):,} keys are the same" if different or is_cut else "Every key is the same."
    if is_cut:
        message += f"; there are more than {_COMPARED:,}, of which the others were not compared"
    if len(different) > _MOST_KEYS:
        message += f"; of {len(different)} that differ the first {_MOST_KEYS} are shown"
    head = element("tr", *(element("th", title, scope="col") for title in ("key", other, "response")))
    rows = [
        element("tr", element("th", path_text(path), scope="row"), _value(wanted, "del"), _value(given, "ins"))
        for path, wanted, given in different[:_MOST_KEYS]
    ]
    table = element("table", element("thead", head), element("tbody", *rows), class_="le-keys") if rows else ""
    return joined([element("p", message, class_="le-note" if rows or is_cut else "le-same"), table])


def _is_same(wanted: Any, given: Any) -> bool:
    is_one_kind = type(wanted) is type(given) or (is_number(wanted) and is_number(given))
    return wanted is given or (is_one_kind and bool(wanted == given))


def _value(value: Any, mark: str) -> Html:
    if value is _ABSENT:
        return element("td", element("span", "missing" if mark == "ins" else "not there", class_="le-absent"))
    text = json.dumps(value, ensure_ascii=False)
    return element("td", element(mark, shown(text, _LONGEST_VALUE)))


def _words(response: str, expected: str, limit: int) -> Html:
    """Return one text with missing words struck out and added ones underlined, or a note if little is alike."""
    given, wanted = _WORD.findall(response[:limit]), _WORD.findall(expected[:limit])
    start = _common(given, wanted)
    end = _common(given[start:][::-1], wanted[start:][::-1])
    own, theirs = (words[start : len(words) - end] for words in (given, wanted))
    if max(len(own), len(theirs)) > _MOST_WORDS:
        return _unlike("too much differs in too long a text")
    if start + end == 0 and _is_unlike(theirs, own):
        return _unlike("little in common")
    parts = ["".join(wanted[:start]), *_marked(theirs, own), "".join(wanted[len(wanted) - end :])]
    more = max(len(response), len(expected)) - limit
    note = element("span", f" … {more:,} characters more", class_="le-more") if more > 0 else ""
    return element("pre", *parts, note, class_="le-text", dir="auto")


def _common(one: list[str], other: list[str]) -> int:
    """Return the number of words with which both lists begin."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _is_unlike(theirs: list[str], own: list[str]) -> bool:
    """Whether texts of some length share too few words for a readable difference."""
    sides = [[word for word in words if not word.isspace()] for words in (theirs, own)]
    return min(map(len, sides)) >= _FEW and SequenceMatcher(None, sides[0], sides[1]).quick_ratio() < _LEAST_ALIKE


def _marked(theirs: list[str], own: list[str]) -> Iterator[Html]:
    for kind, first, last, begin, end in SequenceMatcher(None, theirs, own).get_opcodes():
        gone, new = "".join(theirs[first:last]), "".join(own[begin:end])
        if kind == "equal":
            yield escaped(gone)
            continue
        yield element("del", gone) if gone else Html()
        yield element("ins", new) if new else Html()


def _unlike(why: str) -> Html:
    return element("p", f"Not compared word by word: {why}.", class_="le-note")
