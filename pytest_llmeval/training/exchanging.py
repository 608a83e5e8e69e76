"""Replacement of the values that a row's target quotes from its input: by values of other rows, or by other digits."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from pytest_llmeval.scorers.scored import is_number

__all__ = ["Exchange", "Values", "leaves"]

_Place = tuple[frozenset[str], tuple[str, ...]]
"""Where a value stands: the keys of its target, so that only rows of one form share values, and its path in the target.
All elements of a list have the same path."""

_MEANT = re.compile(r"\d{4}-\d\d-\d\d|\d\d?:\d\d")
"""Dates and times, which an input may write in another form."""
_YEAR = re.compile(r"(?:19|20)\d\d")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_FREE_VALUES = 12
"""Smallest number of distinct values at a place that may hold any value; with fewer, its values are a fixed list."""
_ALIKE = 8
"""Smallest number of values with the same number of words from which a new one can be made."""
_RARE = 0.5
"""Smallest share of distinct values at a place that holds names; words of values that recur often are not mixed."""
_TRIES = 8
_WORDS = frozenset(
    {"city", "group", "guest", "hall", "home", "hotel", "house", "market", "new", "office", "old", "room", "the"}
)
"""Parts of names that are also ordinary words in sentences."""
_MONTHS = "january february march april may june july august september october november december"
_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_OF_DATES = frozenset(
    [*_MONTHS.split(), *_DAYS.split(), *(name[:3] for name in f"{_MONTHS} {_DAYS}".split()), "sept", "tues", "thurs"]
)
"""Words that may be a name or part of a date."""
_AROUND_WORDS = r"(?<!\w)", r"(?!\w)"
_AROUND_NUMBERS = r"(?<![\w.,:/-])", r"(?![\w:/-]|[.,]\d)"
"""What may come before and after a number that is not part of another number or of a date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The replacements for the values that one row quotes."""

    words: Mapping[str, str]
    numbers: Mapping[str, str]

    def in_text(self, text: str) -> str:
        """Return a text of the input with all replacements made at once, longer values before their parts."""
        return _replaced(text, (self.words, _AROUND_WORDS), (self.numbers, _AROUND_NUMBERS))

    def in_target(self, value: Any) -> Any:
        """Return a value of the target, replaced as in the input; texts with dates or times stay as they are."""
        if isinstance(value, str):
            return value if _MEANT.search(value) else _replaced(value, (self.words, _AROUND_WORDS))
        return type(value)(self.numbers[str(value)]) if is_number(value) and str(value) in self.numbers else value


class Values:
    """The values of all targets, by place."""

    def __init__(self, targets: Iterable[Any]) -> None:
        """Collect the texts of all targets."""
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
        """Return replacements for the values that ``target`` quotes from ``documents``, as far as there are any.

        Args:
            target: of the row.
            documents: the texts in which values are replaced.
            rest: all other texts of the input, which stay as they are, as do values that occur in them.
            labels: words before a colon, which are not part of a name.
            rng: source of randomness.
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
        """Return a replacement that, like each word of it, does not yet occur in the row; None if there is none."""
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
        """Return another value of the same form for a place; None if the place has too few."""
        if any(char.isdigit() for char in value):
            return _other_digits(value, rng)
        values = self._values[place]
        if "@" in value:
            return rng.choice(values)
        alike = self._by_words[place, len(value.split())]
        if len(alike) < _ALIKE:
            return None
        is_name = all(word[:1].isupper() for word in value.split()) and len(values) >= _RARE * self._counts[place]
        if is_name:  # each word from another name
            words = [rng.choice(alike).split()[position] for position in range(len(value.split()))]
            pairs = zip(value.split(), words, strict=True)
            return " ".join(old if {old.lower(), new.lower()} & _OF_DATES else new for old, new in pairs)
        return rng.choice(alike)


def _is_nested(value: str, found: list[tuple[Any, Any]]) -> bool:
    """Whether a text of the target contains another one, or is part of one: they must go on matching."""
    others = (other for _, other in found if isinstance(other, str) and len(other) > 2 and other != value)
    return any(other in value or value in other for other in others)


def _numbers(found: list[tuple[Any, Any]], documents: str, rest: str, rng: Random) -> dict[str, str]:
    """Return replacements for numbers that occur once in the input, written as in the target."""
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
    """Whether a number of the target does not occur in the input, and so may be derived from numbers that do."""
    if len(number) < 2 or not _NUMBER.fullmatch(number):
        return False
    return not _count(number, documents, _AROUND_NUMBERS) and not _stands_otherwise(number, documents)


def _stands_otherwise(number: str, documents: str) -> bool:
    """Whether a number occurs in another form too: with decimals, or with separated thousands."""
    whole, _, decimals = number.lstrip("-").partition(".")
    grouped = f"{int(whole):,}".replace(",", "[.,' \u2019\u00a0\u202f]")
    forms = [rf"{whole}[.,]0+"] if not decimals else [rf"{whole},{decimals}"]
    forms += [rf"{grouped}(?:[.,]{decimals or '0+'})?"] if int(whole) >= 1000 else []
    return any(re.search(rf"(?<!\d){form}(?!\d)", documents) for form in forms)


def _other_digits(text: str, rng: Random, *, is_number: bool = False) -> str:
    """Return a text with other digits; in a number a leading zero stays, and no zero comes first or last."""
    places = [place for place, char in enumerate(text) if char.isdecimal()]
    made = list(text)
    for place in places:
        if is_number and place == places[0] and text[place] == "0":
            continue
        made[place] = rng.choice("123456789" if is_number and place in (places[0], places[-1]) else "0123456789")
    return "".join(made)


def _told_otherwise(found: list[tuple[Any, Any]]) -> set[int]:
    """Return the figures in numbers, dates and times of a target; a text with one of them may say the same."""
    texts = [str(value) for _, value in found if is_number(value) or (isinstance(value, str) and _MEANT.search(value))]
    return {figure for text in texts for figure in _figures(text)}


def _figures(text: str) -> set[int]:
    return {int(figure[:18]) for figure in re.findall(r"[0-9]+", text)}


def _form(target: Any) -> frozenset[str]:
    return frozenset(target) if isinstance(target, Mapping) else frozenset()


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of everything that is neither an object nor a list."""
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
    """Yield pairs of words of a name and its replacement, because an input may use a single word of a name."""
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
