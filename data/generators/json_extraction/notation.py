"""How dates, times and amounts are written in documents; the target always holds the normal form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 -- Notation has a method named date

from .draw import Draw
from .places import Country

_MONTHS = (
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
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# A day and month in digits is only written when the day is above 12, so that there is one way to read it.
_NUMERIC = {
    "dots": ("{d:02d}.{m:02d}.{y}", "long"),
    "slash_day": ("{d:02d}/{m:02d}/{y}", "long"),
    "slash_month": ("{m:02d}/{d:02d}/{y}", "us_long"),
}
_SIGNS = {"GBP": "£", "USD": "$", "EUR": "€"}


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th and so on."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def weekday(day: Date) -> str:
    """Return the English name of the weekday."""
    return _DAYS[day.weekday()]


def month(day: Date) -> str:
    """Return the English name of the month."""
    return _MONTHS[day.month - 1]


def date_text(day: Date, style: str) -> str:
    """Return the date in one of the styles."""
    if style in _NUMERIC:
        pattern, wordy = _NUMERIC[style]
        return pattern.format(d=day.day, m=day.month, y=day.year) if day.day > 12 else date_text(day, wordy)
    name = month(day)
    texts = {
        "iso": day.isoformat(),
        "ymd_slash": f"{day.year}/{day.month:02d}/{day.day:02d}",
        "long": f"{day.day} {name} {day.year}",
        "short": f"{day.day} {name[:3]} {day.year}",
        "ordinal": f"{ordinal(day.day)} {name} {day.year}",
        "weekday": f"{weekday(day)} {day.day} {name} {day.year}",
        "us_long": f"{name} {day.day}, {day.year}",
        "us_short": f"{name[:3]} {day.day}, {day.year}",
        "us_ordinal": f"{name} {ordinal(day.day)}, {day.year}",
    }
    return texts[style]


def time_text(clock: str, style: str) -> str:
    """Return a time given as HH:MM in one of the styles."""
    hour, minute = int(clock[:2]), clock[3:]
    half = "am" if hour < 12 else "pm"
    twelve = (hour + 11) % 12 + 1
    texts = {
        "24": clock,
        "24h": f"{clock} h",
        "dot": f"{hour:02d}.{minute}",
        "h": f"{hour}h{minute}",
        "hrs": f"{hour:02d}{minute} hrs",
        "pm": f"{twelve}:{minute} {half}",
        "PM": f"{twelve}:{minute} {half.upper()}",
        "dotpm": f"{twelve}.{minute}{half}",
    }
    return texts[style]


def _grouped(whole: str, sign: str, lakh: bool = False) -> str:
    """Return the digits in groups of three (or, in lakh grouping, three and then twos)."""
    head, tail = whole[:-3], whole[-3:]
    size = 2 if lakh else 3
    groups = [tail]
    while head:
        groups.insert(0, head[-size:])
        head = head[:-size]
    return sign.join(groups)


def money_text(cents: int, code: str, style: str) -> str:
    """Return an amount, held in hundredths, with its currency in one of the styles."""
    whole, part = str(cents // 100), f"{cents % 100:02d}"
    dot = _grouped(whole, ",") if code == "JPY" else f"{_grouped(whole, ',')}.{part}"
    comma, space = f"{_grouped(whole, '.')},{part}", f"{_grouped(whole, ' ')},{part}"
    texts = {
        "sign": f"{_SIGNS.get(code, code + ' ')}{dot}",
        "code_dot": f"{code} {dot}",
        "after_code": f"{dot} {code}",
        "comma_after": f"{comma} {_SIGNS.get(code, code)}",
        "code_comma": f"{code} {comma}",
        "space_after": f"{space} {_SIGNS.get(code, code)}",
        "code_space": f"{code} {space}",
        "space_code": f"{space} {code}",
        "zloty": f"{space} zł",
        "real": f"R$ {comma}",
        "ksh": f"KSh {dot}",
        "yen": f"{_grouped(whole, ',')} yen",
        "lakh": f"₹{_grouped(whole, ',', lakh=True)}.{part}",
        "apostrophe": f"CHF {_grouped(whole, chr(39))}.{part}",
    }
    return texts[style]


def number(cents: int) -> int | float:
    """Return the amount as it stands in the target: a plain number, whole when it has no hundredths."""
    return cents // 100 if cents % 100 == 0 else round(cents / 100, 2)


@dataclass(frozen=True)
class Notation:
    """The styles one document uses."""

    dates: str
    times: str
    amounts: str
    currency: str

    def date(self, day: Date) -> str:
        """The date in the style of the document."""
        return date_text(day, self.dates)

    def day(self, day: Date) -> str:
        """The date with its weekday in front."""
        plain = date_text(day, self.dates)
        return plain if self.dates == "weekday" else f"{weekday(day)}, {plain}"

    def time(self, clock: str) -> str:
        """The time in the style of the document."""
        return time_text(clock, self.times)

    def money(self, cents: int) -> str:
        """The amount in the style and currency of the document."""
        return money_text(cents, self.currency, self.amounts)


def notation(d: Draw, land: Country) -> Notation:
    """Return styles that are used together in the country."""
    return Notation(d.pick(land.dates), d.pick(land.times), d.pick(land.money), land.currency)


def older(d: Draw, n: Notation) -> Notation:
    """Return a notation for what the same document quotes: other dates and times, same amounts."""
    dates = [style for style in ("iso", "long", "short", "weekday") if style != n.dates]
    times = [style for style in ("24", "pm") if style != n.times]
    return Notation(d.pick(dates), d.pick(times), n.amounts, n.currency)


def amount(d: Draw, land: Country, low: int, high: int, whole: bool = False) -> int:
    """Return an amount in hundredths between low and high euros, scaled to the country's currency."""
    units = d.between(low * land.scale, high * land.scale)
    if units >= 20000:
        units -= units % 10
    cents = 0 if whole or land.currency == "JPY" or d.chance(0.35) else d.pick((50, 90, 75, 99, 20, 45, 80))
    return units * 100 + cents
