"""Rows with the same task and other values in another arrangement, made of rows that there are.

What a target quotes of its input is exchanged for values of other rows, in both alike, so that a model has to copy it
from where it stands rather than know it; labelled lines and the columns of tables come in another order and form. What
a value means is left alone: dates and times in normal form, years, words of a short list. `benchmarks/README.md` tells
what a training gains by it.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from pytest_llmeval.core.types import Sample
from pytest_llmeval.training.arranging import arranged, labels_of

__all__ = ["Variants", "as_jsonl"]

_Place = tuple[frozenset[str], tuple[str, ...]]
"""Keys of a target, so that only rows of one form share values, and the path of a value in it; the elements of a list
have one path."""

_MEANT = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d")
"""A date or time in its normal form, which an input has in another."""
_YEAR = re.compile(r"(?:19|20)\d\d")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_FREE_VALUES = 12
"""Different values from which on a place holds any, and not one of a list."""
_ALIKE = 8
"""Values with as many words, of which one can be made."""
_COMMON_LABEL = 8
"""Rows with the same label from which on it is one, and no speaker of a chat."""
_WORDS = frozenset(
    {"city", "group", "guest", "hall", "home", "hotel", "house", "market", "new", "office", "old", "room", "the"}
)
"""Parts of names that stand in sentences, too."""
_AROUND_WORDS = r"(?<!\w)", r"(?!\w)"
_AROUND_NUMBERS = r"(?<![\w.,:/-])", r"(?![\w:/-]|[.,]\d)"
"""What may stand before a number and behind it, where it is no part of another or of a date."""


class Variants:
    """Makes variants of rows, with the values of all of them."""

    def __init__(self, samples: Sequence[Sample], *, seed: int) -> None:
        """Read what values and labels there are.

        Args:
            samples: all rows; a target that is no object or list gets no other values.
            seed: decides, with id and number, what a variant is.
        """
        self._seed = seed
        values: dict[_Place, set[str]] = defaultdict(set)
        labels: Counter[str] = Counter()
        for sample in samples:
            form = _form(sample.target)
            for path, value in _leaves(sample.target):
                if isinstance(value, str):
                    values[form, path].add(value)
            labels.update({label for text in _texts(sample.input).values() for label in labels_of(text)})
        self._labels = frozenset(label for label, count in labels.items() if count >= _COMMON_LABEL)
        self._values = {place: sorted(found) for place, found in values.items()}
        self._by_words: dict[tuple[_Place, int], list[str]] = defaultdict(list)
        for place, found in self._values.items():
            for value in found:
                self._by_words[place, len(value.split())].append(value)

    def variant(self, sample: Sample, number: int) -> Sample:
        """Return one of the rows with other values in another arrangement.

        Args:
            sample: one of those that the values were read of.
            number: of the variant, from 1 up: each number makes another.
        """
        rng = Random(f"{self._seed} {number} {sample.id}")  # noqa: S311 - no secret depends on it
        texts = _texts(sample.input)
        whole = "\n".join(texts.values())
        words = self._other_texts(sample.target, whole, rng)
        numbers = _other_numbers(sample.target, whole, rng)

        def learned(value: Any) -> Any:
            if isinstance(value, str):
                return value if _MEANT.fullmatch(value) else _exchanged(value, words, {})
            return type(value)(numbers[str(value)]) if _is_number(value) and str(value) in numbers else value

        asked = {key: arranged(_exchanged(text, words, numbers), self._labels, rng) for key, text in texts.items()}
        return replace(
            sample,
            id=f"{sample.id}, variant {number}",
            input=_with_texts(sample.input, asked),
            target=_rebuilt(sample.target, learned),
        )

    def _other_texts(self, target: Any, whole: str, rng: Random) -> dict[str, str]:
        """Return by what the texts are replaced that the target quotes of the input, and the words of names."""
        found: dict[str, str] = {}
        form = _form(target)
        for path, value in _leaves(target):
            if not isinstance(value, str) or len(value) < 3 or value in found or _MEANT.fullmatch(value):
                continue
            if len(self._values[form, path]) < _FREE_VALUES or not _count(value, whole, _AROUND_WORDS):
                continue
            other = self._other((form, path), value, rng)
            if other is None or other == value or other in found.values() or other in whole:
                continue
            found[value] = other
            for old, new in _words_of_names(value, other):
                if not re.search(rf"{re.escape(old)}\b[^\n]{{0,14}}?[:=]", whole):  # else it is in a label
                    found.setdefault(old, new)
        return found

    def _other(self, place: _Place, value: str, rng: Random) -> str | None:
        """Return another value for a place, of the same form; None where there are too few."""
        if any(char.isdigit() for char in value):
            return _other_digits(value, rng)
        if "@" in value:
            return rng.choice(self._values[place])
        alike = self._by_words[place, len(value.split())]
        if len(alike) < _ALIKE:
            return None
        if all(word[:1].isupper() for word in value.split()):  # a name: each word of another one
            return " ".join(rng.choice(alike).split()[position] for position in range(len(value.split())))
        return rng.choice(alike)


def as_jsonl(samples: Iterable[Sample]) -> str:
    """Return rows as a dataset in JSON Lines."""
    rows = ({"id": each.id, "input": each.input, "target": each.target} for each in samples)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _other_numbers(target: Any, whole: str, rng: Random) -> dict[str, str]:
    """Return by what numbers are replaced that stand in the input once, as they stand in the target."""
    found: dict[str, str] = {}
    all_values = [value for _, value in _leaves(target)]
    values = [value for value in all_values if _is_number(value)]
    in_texts = "\n".join(value for value in all_values if isinstance(value, str))
    for value in values:
        text = str(value)
        if len(text) < 2 or _YEAR.fullmatch(text) or not _NUMBER.fullmatch(text) or values.count(value) > 1:
            continue
        if _count(text, whole, _AROUND_NUMBERS) != 1 or _count(text, in_texts, _AROUND_WORDS):
            continue
        other = _other_digits(text, rng, is_number=True)
        if other not in whole and str(type(value)(other)) == other:
            found[text] = other
    return found


def _other_digits(text: str, rng: Random, *, is_number: bool = False) -> str:
    """Return a text with other digits; of a number a zero in front stays, and none comes to its ends."""
    places = [place for place, char in enumerate(text) if char.isdecimal()]
    made = list(text)
    for place in places:
        if is_number and place == places[0] and text[place] == "0":
            continue
        made[place] = rng.choice("123456789" if is_number and place in (places[0], places[-1]) else "0123456789")
    return "".join(made)


def _form(target: Any) -> frozenset[str]:
    return frozenset(target) if isinstance(target, Mapping) else frozenset()


def _texts(given: Any) -> dict[Any, str]:
    """Return the texts of an input: its own, those of its keys, or those of its messages by their place."""
    if isinstance(given, str):
        return {"": given}
    if isinstance(given, Mapping):
        return {key: text for key, text in given.items() if isinstance(text, str)}
    return {place: each["content"] for place, each in enumerate(given) if isinstance(each["content"], str)}


def _with_texts(given: Any, texts: Mapping[Any, str]) -> Any:
    """Return an input with other texts; a schema or another structure beside them stays as it is."""
    if isinstance(given, str):
        return texts[""]
    if isinstance(given, Mapping):
        return {**given, **texts}
    return [{**each, "content": texts.get(place, each["content"])} for place, each in enumerate(given)]


def _leaves(target: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of all that is no object and no list."""
    if isinstance(target, Mapping):
        for key, value in target.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(target, list):
        for value in target:
            yield from _leaves(value, (*path, "[]"))
    else:
        yield path, target


def _rebuilt(target: Any, made: Callable[[Any], Any]) -> Any:
    if isinstance(target, Mapping):
        return {key: _rebuilt(value, made) for key, value in target.items()}
    if isinstance(target, list):
        return [_rebuilt(value, made) for value in target]
    return made(target)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: str, text: str, around: tuple[str, str]) -> int:
    return len(re.findall(f"{around[0]}{re.escape(value)}{around[1]}", text))


def _words_of_names(value: str, other: str) -> Iterable[tuple[str, str]]:
    """Yield the words of a name beside those of the other: an input has them alone, too."""
    old, new = value.split(), other.split()
    is_name = all(word[:1].isupper() for word in (*old, *new)) and not any(char.isdigit() for char in value)
    if is_name and len(old) == len(new) > 1:
        yield from ((a, b) for a, b in zip(old, new, strict=True) if len(a) > 2 and a.lower() not in _WORDS)


def _exchanged(text: str, words: Mapping[str, str], numbers: Mapping[str, str]) -> str:
    """Return ``text`` with all keys of both replaced at once, words before numbers and long ones before their parts."""
    parts = [
        f"{before}(?:{'|'.join(map(re.escape, sorted(by, key=len, reverse=True)))}){after}"
        for by, (before, after) in ((words, _AROUND_WORDS), (numbers, _AROUND_NUMBERS))
        if by
    ]
    by = {**numbers, **words}
    return re.sub("|".join(parts), lambda match: by[match.group()], text) if parts else text
