"""The scorers of JSON answers: json_valid and json_match."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Literal

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.strict_json import NotJsonError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers.answers import text_of
from pytest_llmeval.scorers.display import first_few, shown
from pytest_llmeval.scorers.json_compare import compare_json
from pytest_llmeval.scorers.json_leaves import check_date_format
from pytest_llmeval.scorers.json_paths import ROOT, child, declared, declared_all, path_text, position
from pytest_llmeval.scorers.json_rules import Rules
from pytest_llmeval.scorers.json_text import MAX_DEPTH, in_range, parse_json
from pytest_llmeval.scorers.registry import shipped
from pytest_llmeval.scorers.scored import Scored, at_least_0

__all__ = ["json_match", "json_valid"]

SHOWN_DIFFERENCES = 5
_KINDS: dict[str, type | tuple[type, ...]] = {"object": dict, "array": list, "any": object}


@shipped(version=2)
def json_valid(
    response: Response | str, *, fenced: bool = False, kind: Literal["any", "object", "array"] = "any"
) -> Scored:
    """Return 1 where the whole answer is one JSON value by RFC 8259, else 0.

    White space may surround the value, other text may not. These also score 0: NaN and Infinity, a key that occurs
    twice in one object, integers of more than 308 digits, other numbers beyond the range of a double (about 1.8e308),
    and more than 100 levels of nesting.

    Args:
        response: a Response or a str.
        fenced: also accept an answer that is a single Markdown code fence (of JSON, or without a language) around the
            value, and nothing else.
        kind: the kind of value required: ``object``, ``array`` or ``any``.

    Raises:
        ScorerError: if the response or the kind is anything else.
    """
    if kind not in _KINDS:
        raise ScorerError(f"kind must be 'any', 'object' or 'array', found {kind!r}")
    text = text_of(response)
    try:
        value = parse_json(text, fenced=fenced)
    except NotJsonError as error:
        return Scored(0.0, f"not JSON: {error}")
    if isinstance(value, _KINDS[kind]):
        return Scored(1.0)
    return Scored(0.0, f"expected an {kind}, got {shown(value)}")


@shipped(version=3, stem="json")
def json_match(
    response: Response | str,
    target: Any,
    *,
    unordered: Iterable[str] = (),
    ignore: Iterable[str] = (),
    tolerance: float | Mapping[str, float] = 0.0,
    dates: Iterable[str] = (),
    date_formats: Sequence[str] = (),
    date_tolerance_days: float = 0.0,
    casefold: bool = False,
    fenced: bool = True,
) -> Scored:
    """Return the share of right leaves: those that agree, out of the leaves of target and answer together.

    The share is 1 if and only if nothing differs. ``json_exact`` (``N_exact`` with ``name=N``) then records 1,
    otherwise 0, and never makes the case a miss. An answer that is not JSON (as in ``json_valid``) scores 0.

    A leaf is a number, a text, true, false, null, or an empty object or list. Objects are compared key by key, lists
    position by position. A leaf that only one side has is wrong, so invented keys and elements lower the score. Where
    the two sides differ in kind (object, list or leaf), as many leaves are wrong as the larger side has. In objects an
    absent key equals null: a null of the target that the answer omits is right, and a null that only the answer has
    does not count.

    Numbers are equal if they have the same value (1 and 1.0); a number never equals a bool or a text. Texts are equal
    if they are the same in Unicode NFC without white space at both ends. Paths are keys joined by dots, with ``[]`` for
    every element of a list: ``total``, ``items[].price``, ``["odd.key"]``; ``$`` is the whole value, ``[]`` the
    elements of a list at the top. A single text counts as one path.

    Args:
        response: a Response or a str.
        target: the right value; anything that JSON can express (tuples count as lists, dates as their ISO text).
        unordered: paths of lists whose order does not count. Their elements are paired so that the most leaves are
            right and, among such pairings, the fewest leaves are counted; beyond 20,000 pairs of leaves, identical
            elements are paired first and, if that still leaves too many, the rest in sorted order.
        ignore: paths of values to skip on both sides, with everything under them.
        tolerance: the largest allowed difference between numbers, at least 0: one number for all, or a mapping of paths
            to numbers (exact elsewhere). Computed in decimal, on the numbers as written.
        dates: paths of texts to compare as dates: ISO 8601, or ``date_formats``. If either side has no time of day, the
            days are compared, otherwise the instants, a time without zone taken as UTC. A text that is not a date is
            compared as text.
        date_formats: further ``datetime.strptime`` formats, tried in order (``%d/%m/%Y``).
        date_tolerance_days: the largest allowed difference between dates, in days; at least 0.
        casefold: ignore case in texts; keys are always compared as they are.
        fenced: also read an answer that is a single Markdown code fence around the value, and nothing else.

    Raises:
        ScorerError: if the response, the target or a setting is of another type.
    """
    rules = declared_rules(unordered, ignore, tolerance, dates, date_formats, date_tolerance_days, casefold)
    wanted = plain_json(target)
    text = text_of(response)
    try:
        answer = parse_json(text, fenced=fenced)
    except NotJsonError as error:
        return Scored(0.0, f"not JSON: {error}", {"exact": 0.0})
    found = compare_json(wanted, answer, rules)
    if not found.differences:
        return Scored(1.0, None, {"exact": 1.0})
    lines = first_few(map(str, found.differences), SHOWN_DIFFERENCES, total=len(found.differences))
    return Scored(found.right / found.total, f"{found.right} of {found.total} fields right\n{lines}", {"exact": 0.0})


def declared_rules(
    unordered: Iterable[str],
    ignore: Iterable[str],
    tolerance: float | Mapping[str, float],
    dates: Iterable[str],
    date_formats: Sequence[str],
    date_tolerance_days: float,
    casefold: bool,
) -> Rules:
    by_path = tolerance if isinstance(tolerance, Mapping) else {}
    formats = (date_formats,) if isinstance(date_formats, str) else tuple(date_formats)
    left_out = declared_all(ignore, "ignore")
    if ROOT in left_out:
        raise ScorerError("ignore holds the whole value; nothing is left to compare")
    return Rules(
        unordered=declared_all(unordered, "unordered"),
        ignore=left_out,
        dates=declared_all(dates, "dates"),
        date_formats=tuple(check_date_format(each) for each in formats),
        date_tolerance_days=at_least_0(date_tolerance_days, "date_tolerance_days"),
        tolerance=0.0 if isinstance(tolerance, Mapping) else at_least_0(tolerance, "tolerance"),
        tolerances={declared(path, "tolerance"): at_least_0(by, "tolerance") for path, by in by_path.items()},
        casefold=casefold,
    )


def plain_json(value: Any, place: str = ROOT, depth: int = 0) -> Any:
    """Return a target as ``json.loads`` would have produced it.

    Raises:
        ScorerError: if it contains anything that JSON cannot express; the message names the place.
    """
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, (int, float)) and in_range(value):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if depth < MAX_DEPTH:
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {key: plain_json(each, child(place, key), depth + 1) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain_json(each, position(place, at), depth + 1) for at, each in enumerate(value)]
    message = (
        f"the target holds something that JSON cannot represent, or too deep, at {path_text(place)}: {shown(value, 80)}"
    )
    raise ScorerError(message + ("; pass its model_dump(mode='json')" if hasattr(value, "model_dump") else ""))
