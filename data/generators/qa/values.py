"""Values that a passage prints and a question asks for, with the spellings that count as right."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SMALL = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SHORT_UNITS = {
    "metres": ("m", "meters"),
    "kilometres": ("km", "kilometers"),
    "centimetres": ("cm", "centimeters"),
    "millimetres": ("mm", "millimeters"),
    "kilograms": ("kg", "kilos"),
    "grams": ("g",),
    "tonnes": ("t", "tons"),
    "litres": ("l", "liters"),
    "millilitres": ("ml", "milliliters"),
    "minutes": ("min", "mins"),
    "hours": ("h", "hrs"),
    "seconds": ("s", "sec"),
    "degrees": ("°C", "degrees Celsius"),
    "nautical miles": ("nmi", "NM"),
    "megabytes": ("MB",),
    "hectares": ("ha",),
}
CURRENCIES = {"euros": "€", "pounds": "£", "dollars": "$"}


@dataclass(frozen=True)
class Value:
    """One fact: ``str()`` is the printed form, ``group`` the kind of thing it is."""

    text: str
    group: str
    aliases: tuple[str, ...] = ()
    raw: int = 0
    n: str = ""
    answer: str = ""
    datum: int | str = ""
    entity: bool = False
    last: str = ""
    she: str = ""
    her: str = ""

    def __str__(self) -> str:
        """Return the printed form."""
        return self.text

    @property
    def target(self) -> str:
        """Return the answer that a question for this value expects."""
        return self.answer or self.text


def number_words(number: int) -> str:
    """Return the English words for a number from 0 to 999,999."""
    if number < 20:
        return _SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f"-{_SMALL[ones]}" if ones else "")
    size, word = (1000, "thousand") if number >= 1000 else (100, "hundred")
    head, rest = divmod(number, size)
    joint = " and " if size == 100 or rest < 100 else " "
    return f"{number_words(head)} {word}" + (f"{joint}{number_words(rest)}" if rest else "")


def _spellings(number: int) -> list[str]:
    digits = [f"{number:,}", str(number)] if number >= 1000 else [str(number)]
    return [*digits, number_words(number)]


def _distinct(answer: str, forms: list[str]) -> tuple[str, ...]:
    return tuple(form for form in dict.fromkeys(forms) if form and form != answer)


def count(number: int, unit: str, worded: bool = False) -> Value:
    """Return a number of things; the answer is the bare number."""
    forms = _spellings(number)
    shown = forms[-1] if worded else forms[0]
    others = forms + [f"{form} {unit}" for form in forms]
    return Value(f"{shown} {unit}", "number", _distinct(shown, others), number, shown, shown, number)


def measure(number: int, unit: str) -> Value:
    """Return a measured quantity; the answer carries its unit."""
    forms = _spellings(number)
    shown = f"{forms[0]} {unit}"
    others = [f"{form} {unit}" for form in forms] + forms
    for short in _SHORT_UNITS.get(unit, ()):
        others += [f"{form} {short}" for form in forms[:-1]]
        if len(short) <= 2:
            others += [f"{form}{short}" for form in forms[:-1]]
    return Value(shown, "number", _distinct(shown, others), number, forms[0], shown, number)


def money(number: int, currency: str) -> Value:
    """Return an amount of whole euros, pounds or dollars."""
    forms = _spellings(number)
    shown = f"{forms[0]} {currency}"
    sign = CURRENCIES[currency]
    others = [f"{sign}{form}" for form in forms[:-1]]
    others += [f"{form} {currency}" for form in forms] + [*forms, f"{sign}{number}.00"]
    return Value(shown, "number", _distinct(shown, others), number, forms[0], shown, number)


def year(number: int) -> Value:
    """Return a calendar year."""
    return Value(str(number), "year", (f"in {number}", f"the year {number}"), number, datum=number)


def _ordinal(day: int) -> str:
    tail = "th" if 10 < day % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{tail}"


def date(day: datetime.date) -> Value:
    """Return a date, printed as ``14 March``."""
    month, nth = MONTHS[day.month - 1], _ordinal(day.day)
    shown = f"{day.day} {month}"
    others = [f"{month} {day.day}", f"{nth} {month}", f"{month} {nth}"]
    others += [f"{nth} of {month}", f"the {nth} of {month}", f"{day.day} {month[:3]}"]
    return Value(shown, "date", _distinct(shown, others), day.toordinal(), datum=day.isoformat())


def clock(minutes: int, halves: bool = False) -> Value:
    """Return a time of day, printed as ``14:35`` or, with ``halves``, as ``2:35 pm``."""
    hour, minute = divmod(minutes % 1440, 60)
    half, twelve = ("pm" if hour >= 12 else "am"), (hour % 12 or 12)
    full = [f"{hour}:{minute:02d}", f"{hour:02d}:{minute:02d}", f"{hour:02d}.{minute:02d}"]
    with_half = [f"{twelve}:{minute:02d} {half}", f"{twelve}.{minute:02d} {half}"]
    with_half += [f"{twelve}:{minute:02d}{half}", f"{twelve}:{minute:02d} {half[0]}.m."]
    if minute == 0:
        with_half += [f"{twelve} {half}", f"{twelve}{half}", f"{twelve} o'clock"]
    bare = [] if hour < 13 else [f"{twelve}:{minute:02d}"]
    shown = with_half[0] if halves else full[0]
    others = _distinct(shown, full + with_half + bare)
    return Value(shown, "clock", others, minutes, datum=f"{hour:02d}:{minute:02d}")


def duration(minutes: int) -> Value:
    """Return a length of time, answered as ``1 hour 25 minutes`` or ``45 minutes``."""
    hours, rest = divmod(minutes, 60)
    if not hours:
        return measure(minutes, "minutes")
    word = "hour" if hours == 1 else "hours"
    plain = f"{hours} {word}" + (f" {rest} minutes" if rest else "")
    forms = [f"{minutes} minutes", f"{minutes} min", f"{hours} h {rest} min", f"{hours}h {rest}m"]
    if rest:
        forms = [f"{hours} {word} and {rest} minutes", *forms, f"{hours}:{rest:02d}"]
        forms += [f"{number_words(hours)} {word} and {number_words(rest)} minutes"]
    else:
        forms = [f"{number_words(hours)} {word}", f"{minutes} minutes", f"{hours} h"]
    return Value(plain, "number", _distinct(plain, forms), minutes, datum=minutes)


def percent(number: int) -> Value:
    """Return a percentage."""
    forms = [f"{number} %", f"{number} percent", f"{number} per cent", str(number)]
    return Value(f"{number}%", "number", tuple(forms), number, str(number), datum=number)


def weekday(index: int) -> Value:
    """Return a day of the week, 0 for Monday."""
    name = WEEKDAYS[index % 7]
    return Value(name, "weekday", (f"on {name}", f"on a {name}", name[:3]), index % 7, datum=name)


def phrase(text: str, group: str = "phrase") -> Value:
    """Return a plain word or phrase, such as a material or a colour."""
    first, _, rest = text.partition(" ")
    bare = rest if first in ("a", "an", "the") else ""
    return Value(text, group, _distinct(text, [bare, f"the {bare or text}"]), datum=text)


def thing(name: str, group: str, *aliases: str) -> Value:
    """Return a named place, building, firm or work."""
    others = [f"in {name}", *aliases] if group == "place" else [f"the {name}", *aliases]
    return Value(name, group, _distinct(name, others), datum=name, entity=True)


def person(first: str, last: str, female: bool, title: str = "") -> Value:
    """Return a person; aliases allow the surname alone and, if there is one, the title."""
    name = f"{first} {last}"
    others = [last]
    for prefix in [title] if title else ["Ms" if female else "Mr"]:
        others += [f"{prefix} {name}", f"{prefix} {last}"]
    she, her = ("she", "her") if female else ("he", "his")
    return Value(name, "person", _distinct(name, others), datum=name, entity=True, last=last, she=she, her=her)
