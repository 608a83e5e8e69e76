"""Other values for what the target of a row quotes of its input: those of other rows, or other digits."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from pytest_llmeval.scorers.scored import is_number

__all__ = ["Exchange", "Values", "leaves"]

_Place = tuple[frozenset[str], tuple[str, ...]]
"""Keys of a target, so that only rows of one form share values, and the path of a value in it; the elements of a list
have one path."""

_MEANT = re.compile(r"\d{4}-\d\d-\d\d|\d\d?:\d\d")
"""A date or a time, which an input may have in another form."""
_YEAR = re.compile(r"(?:19|20)\d\d")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_FREE_VALUES = 12
"""Different values from which on a place holds any, and not one of a list."""
_ALIKE = 8
"""Values with as many words, of which one can be made."""
_RARE = 0.5
"""Share of different values from which on they are names; of those that come again and again parts are not mixed."""
_TRIES = 8
_WORDS = frozenset(
    {"city", "group", "guest", "hall", "home", "hotel", "house", "market", "new", "office", "old", "room", "the"}
)
"""Parts of names that stand in sentences, too."""
_MONTHS = "january february march april may june july august september october november december"
_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_OF_DATES = frozenset(
    [*_MONTHS.split(), *_DAYS.split(), *(name[:3] for name in f"{_MONTHS} {_DAYS}".split()), "sept", "tues", "thurs"]
)
"""Words that are a name or a part of a date."""
_AROUND_WORDS = r"(?<!\w)", r"(?!\w)"
_AROUND_NUMBERS = r"(?<![\w.,:/-])", r"(?![\w:/-]|[.,]\d)"
"""What may stand before a number and behind it, where it is no part of another or of a date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """By what is replaced what one row quotes."""

    words: Mapping[str, str]
    numbers: Mapping[str, str]

    def in_text(self, text: str) -> str:
        """Return a text of the input with all of them replaced at once, long ones before their parts."""
        return _replaced(text, (self.words, _AROUND_WORDS), (self.numbers, _AROUND_NUMBERS))

    def in_target(self, value: Any) -> Any:
        """Return a value of the target as the input says it now."""
        if isinstance(value, str):
            return value if _MEANT.search(value) else _replaced(value, (self.words, _AROUND_WORDS))
        return type(value)(self.numbers[str(value)]) if is_number(value) and str(value) in self.numbers else value


class Values:
    """The values of all targets, by where they stand."""

    def __init__(self, targets: Iterable[Any]) -> None:
        """Read them."""
        self._counts: Counter[_Place] = Counter()
        found: dict[_Place, set[str]] = defaultdict(set)
        for target in targets:
            form = _form(target)
            for path, value in leaves(target):
                if isinstance(value, str):
                    self._counts[form, path] += 1
                    found[form, path].add(value)
        self._values = {place: sorted(values) for place, values in found.items()}
        self._by_words: dict[tuple[_Place, int], list[str]] = defaultdict(list)
        for place, values in self._values.items():
            for value in values:
                self._by_words[place, len(value.split())].append(value)

    def exchange(self, target: Any, documents: str, rest: str, labels: Iterable[str], rng: Random) -> Exchange:
        """Return other values for those that ``target`` quotes of ``documents``, as far as there are some.

        Args:
            target: of the row.
            documents: the texts that values are exchanged in.
            rest: all that the input has beside them, which stays, and so do values that stand in it.
            labels: words before a colon, which are parts of no name.
            rng: what is drawn from.
        """
        found = list(leaves(target))
        words = self._words(target, found, documents, rest, {word for label in labels for word in label.split()}, rng)
        return Exchange(words=words, numbers=_numbers(found, documents, rest, rng))

    def _words(
        self, target: Any, found: list[tuple[Any, Any]], documents: str, rest: str, labelling: set[str], rng: Random
    ) -> dict[str, str]:
        form, told, taken = _form(target), _told_otherwise(found), set[str]()
        words: dict[str, str] = {}
        for path, value in found:
            if not isinstance(value, str) or len(value) < 3 or value in words or value in rest:
                continue
            is_any = len(self._values[form, path]) >= _FREE_VALUES and not _MEANT.search(value)
            if (
                not is_any
                or _is_nested(value, found)
                or told.intersection(_figures(value))
                or not _count(value, documents, _AROUND_WORDS)
            ):
                continue
            other = self._new((form, path), value, documents, rest, taken, rng)
            if other is None:
                continue
            words[value] = other
            taken.update({other, *other.split()})
            for old, new in _parts(value, other):
                if old not in labelling and old not in rest:
                    words.setdefault(old, new)
        return words

    def _new(self, place: _Place, value: str, documents: str, rest: str, taken: set[str], rng: Random) -> str | None:
        """Return another value that stands nowhere yet, nor any word of a name of it."""
        for _ in range(_TRIES):
            other = self._other(place, value, rng)
            if other is None:
                return None
            parts = [new for _, new in _parts(value, other)]
            is_new = other != value and other not in documents and other not in rest and other not in taken
            if is_new and not any(new in taken or _count(new, documents, _AROUND_WORDS) for new in parts):
                return other
        return None

    def _other(self, place: _Place, value: str, rng: Random) -> str | None:
        """Return another value for a place, of the same form; None where there are too few."""
        if any(char.isdigit() for char in value):
            return _other_digits(value, rng)
        values = self._values[place]
        if "@" in value:
            return rng.choice(values)
        alike = self._by_words[place, len(value.split())]
        if len(alike) < _ALIKE:
            return None
        is_name = all(word[:1].isupper() for word in value.split()) and len(values) >= _RARE * self._counts[place]
        if is_name:  # each word of another one
            words = [rng.choice(alike).split()[position] for position in range(len(value.split()))]
            pairs = zip(value.split(), words, strict=True)
            return " ".join(old if {old.lower(), new.lower()} & _OF_DATES else new for old, new in pairs)
        return rng.choice(alike)


def _is_nested(value: str, found: list[tuple[Any, Any]]) -> bool:
    """Whether a text of the target is a part of another one, or has one as its part: they must go on agreeing."""
    others = (other for _, other in found if isinstance(other, str) and len(other) > 2 and other != value)
    return any(other in value or value in other for other in others)


def _numbers(found: list[tuple[Any, Any]], documents: str, rest: str, rng: Random) -> dict[str, str]:
    """Return by what numbers are replaced that stand in the input once, as they stand in the target."""
    numbers: dict[str, str] = {}
    values = [value for _, value in found if is_number(value)]
    texts = "\n".join(value for _, value in found if isinstance(value, str))
    if any(_is_derived(str(value), documents) for value in values):
        return numbers
    for value in values:
        text = str(value)
        if len(text) < 2 or _YEAR.fullmatch(text) or not _NUMBER.fullmatch(text) or values.count(value) > 1:
            continue
        if _count(text, documents, _AROUND_NUMBERS) != 1 or _count(text, f"{texts}\n{rest}", _AROUND_WORDS):
            continue
        if _stands_otherwise(text, documents):
            continue
        other = _other_digits(text, rng, is_number=True)
        if other not in documents and str(type(value)(other)) == other:
            numbers[text] = other
    return numbers


def _is_derived(number: str, documents: str) -> bool:
    """Whether a number of the target stands nowhere in the input: it may follow from those that do."""
    if len(number) < 2 or not _NUMBER.fullmatch(number):
        return False
    return not _count(number, documents, _AROUND_NUMBERS) and not _stands_otherwise(number, documents)


def _stands_otherwise(number: str, documents: str) -> bool:
    """Whether a number stands there in another form, too: with decimals, or with its thousands apart."""
    whole, _, decimals = number.lstrip("-").partition(".")
    grouped = f"{int(whole):,}".replace(",", "[.,' \u2019\u00a0\u202f]")
    forms = [rf"{whole}[.,]0+"] if not decimals else [rf"{whole},{decimals}"]
    forms += [rf"{grouped}(?:[.,]{decimals or '0+'})?"] if int(whole) >= 1000 else []
    return any(re.search(rf"(?<!\d){form}(?!\d)", documents) for form in forms)


def _other_digits(text: str, rng: Random, *, is_number: bool = False) -> str:
    """Return a text with other digits; of a number a zero in front stays, and none comes to its ends."""
    places = [place for place, char in enumerate(text) if char.isdecimal()]
    made = list(text)
    for place in places:
        if is_number and place == places[0] and text[place] == "0":
            continue
        made[place] = rng.choice("123456789" if is_number and place in (places[0], places[-1]) else "0123456789")
    return "".join(made)


def _told_otherwise(found: list[tuple[Any, Any]]) -> set[int]:
    """Return the figures that a target has as numbers, dates or times: a text with one of them may say the same."""
    texts = [str(value) for _, value in found if is_number(value) or (isinstance(value, str) and _MEANT.search(value))]
    return {figure for text in texts for figure in _figures(text)}


def _figures(text: str) -> set[int]:
    return {int(figure[:18]) for figure in re.findall(r"[0-9]+", text)}


def _form(target: Any) -> frozenset[str]:
    return frozenset(target) if isinstance(target, Mapping) else frozenset()


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of all that is no object and no list."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from leaves(each, (*path, key))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from leaves(each, (*path, "[]"))
    else:
        yield path, value


def _count(value: str, text: str, around: tuple[str, str]) -> int:
    return len(re.findall(f"{around[0]}{re.escape(value)}{around[1]}", text)) if value in text else 0


def _parts(value: str, other: str) -> Iterator[tuple[str, str]]:
    """Yield the words of a name beside those of the other: an input has them alone, too."""
    old, new = value.split(), other.split()
    is_name = all(word[:1].isupper() for word in (*old, *new)) and not any(char.isdigit() for char in value)
    if is_name and len(old) == len(new) > 1:
        yield from (
            (a, b)
            for a, b in zip(old, new, strict=True)
            if a != b and (len(a) > 2 or a.istitle()) and a.lower() not in _WORDS
        )


def _replaced(text: str, *exchanges: tuple[Mapping[str, str], tuple[str, str]]) -> str:
    parts = [
        f"{before}(?:{'|'.join(map(re.escape, sorted(by, key=len, reverse=True)))}){after}"
        for by, (before, after) in exchanges
        if by
    ]
    every = {old: new for by, _ in reversed(exchanges) for old, new in by.items()}
    return re.sub("|".join(parts), lambda match: every[match.group()], text) if parts else text
