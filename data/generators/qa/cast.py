"""The people, places and quantities of one row; nothing is handed out twice."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Sequence

from . import values
from .draw import Draw
from .names import PEOPLE, TOWNS
from .values import Value

World = dict[str, Value]


class Cast:
    """Draws fresh values for one row: names, numbers and phrases within it all differ."""

    def __init__(self, draw: Draw) -> None:
        """Start with nothing handed out; the row gets one currency, clock style and sound of town names."""
        self.draw = draw
        self._used: set[object] = set()
        self._towns = TOWNS[0] if draw.chance(0.4) else draw.pick(TOWNS[1:])
        self.currency = draw.pick(sorted(values.CURRENCIES))
        self.halves = draw.chance(0.35)

    def _fresh(self, options: Sequence[str]) -> str:
        left = [option for option in options if option not in self._used]
        choice = self.draw.pick(left)
        self._used.add(choice)
        return choice

    def number(self, low: int, high: int, step: int = 1) -> int:
        """Return a number that this row has not used yet."""
        for _ in range(200):
            number = self.draw.between(low, high, step)
            if number not in self._used:
                self._used.add(number)
                return number
        raise ValueError(f"no fresh number left between {low} and {high}")

    def person(self, title: str = "") -> Value:
        """Return a person with a surname and a first name new to this row."""
        women, men, surnames = self.draw.pick(PEOPLE)
        female = self.draw.chance(0.5)
        first = self._fresh(women if female else men)
        return values.person(first, self._fresh(surnames), female, title)

    def people(self, many: int, title: str = "") -> list[Value]:
        """Return several different people."""
        return [self.person(title) for _ in range(many)]

    def town_name(self) -> str:
        """Return the bare name of a town; no two towns of a row begin alike."""
        heads, tails = self._towns
        return self._fresh(heads) + self.draw.pick(tails)

    def town(self) -> Value:
        """Return a town as a value."""
        return values.thing(self.town_name(), "place")

    def towns(self, many: int) -> list[Value]:
        """Return several different towns."""
        return [self.town() for _ in range(many)]

    def name(self, pattern: str, group: str, options: Sequence[str], *aliases: str) -> Value:
        """Return a named thing: ``*`` in the pattern and the aliases stands for a fresh option."""
        return _named(pattern, group, self._fresh(options), aliases)

    def site(self, pattern: str, group: str, *aliases: str) -> Value:
        """Return a thing named after a fresh town: ``*`` in the pattern stands for the town."""
        return _named(pattern, group, self.town_name(), aliases)

    def years(self, many: int, low: int, high: int, gap: int = 2) -> list[Value]:
        """Return rising years at least ``gap`` apart."""
        while True:
            drawn = sorted(self.draw.between(low, high) for _ in range(many))
            if all(b - a >= gap for a, b in itertools.pairwise(drawn)):
                return [values.year(number) for number in drawn]

    def later(self, start: Value, low: int, high: int) -> Value:
        """Return a year that follows another one by ``low`` to ``high`` years."""
        return values.year(start.raw + self.draw.between(low, high))

    def count(self, low: int, high: int, unit: str, step: int = 1) -> Value:
        """Return a number of things; small ones are sometimes spelt out."""
        number = self.number(low, high, step)
        return values.count(number, unit, worded=number <= 20 and self.draw.chance(0.4))

    def measure(self, low: int, high: int, unit: str, step: int = 1) -> Value:
        """Return a measured quantity."""
        return values.measure(self.number(low, high, step), unit)

    def money(self, low: int, high: int, step: int = 1) -> Value:
        """Return an amount in the one currency of this row."""
        return values.money(self.number(low, high, step), self.currency)

    def percent(self, low: int, high: int) -> Value:
        """Return a percentage."""
        return values.percent(self.number(low, high))

    def phrase(self, group: str, options: str) -> Value:
        """Return one of the options, which are separated by commas."""
        return values.phrase(self._fresh([option.strip() for option in options.split(",")]), group)

    def dates(self, many: int, first: int = 4, last: int = 10, span: int = 28) -> list[Value]:
        """Return rising dates in one season, each within ``span`` days of the one before.

        The months avoid the end of February, so that a leap year changes no answer.
        """
        start = datetime.date(2023, first, 1).toordinal()
        room = datetime.date(2023, last, 1).toordinal() - start - many * span
        day = start + self.draw.below(max(room, 20))
        found = []
        for _ in range(many):
            found.append(values.date(datetime.date.fromordinal(day)))
            day += self.draw.between(2, span)
        return found

    def clocks(self, many: int, low: int, high: int, gap: int = 20, step: int = 5) -> list[Value]:
        """Return rising times of day between two hours, at least ``gap`` minutes apart."""
        while True:
            drawn = sorted(self.draw.between(low * 60, high * 60, step) for _ in range(many))
            if all(b - a >= gap for a, b in itertools.pairwise(drawn)):
                return [values.clock(number, self.halves) for number in drawn]

    def clock_after(self, start: Value, low: int, high: int) -> Value:
        """Return a time that follows another one by ``low`` to ``high`` minutes, in steps of five."""
        return values.clock(start.raw + self.draw.between(low, high, 5), self.halves)

    def weekday(self) -> Value:
        """Return a day of the week."""
        return values.weekday(self.draw.below(7))


def _named(pattern: str, group: str, word: str, aliases: Sequence[str]) -> Value:
    return values.thing(pattern.replace("*", word), group, *(alias.replace("*", word) for alias in aliases))
