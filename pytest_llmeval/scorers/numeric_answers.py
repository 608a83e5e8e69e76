"""The numeric scorer, and how it reads numbers from prose."""

import math
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers.answers import text_of
from pytest_llmeval.scorers.display import number, shown, visible_line
from pytest_llmeval.scorers.json_leaves import as_decimal, within
from pytest_llmeval.scorers.registry import shipped
from pytest_llmeval.scorers.scored import Scored, at_least_0, finite
from pytest_llmeval.scorers.scripts import is_word_letter

__all__ = ["numbers_in", "numeric"]

MAX_LENGTH = 400
"""Largest number of characters of a readable number, and of digits of an integer target."""
EXPONENT_LENGTH = 6
"""Largest number of characters of a readable exponent: ``e``, a sign and four digits."""
SHOWN_NUMBERS = 4
_SPACES = "\u2009\u202f\u00a0\u2007"  # thin, narrow no-break, no-break and figure space
_SIGNS = "+-\u2212\u2013\u2010\u2011\u207b\ufe63\uff0d"  # minus, en dash, hyphens, superscript, small, full-width
_CURRENCY = "$¢£¤¥฿\u20a0-\u20c0﷼﹩＄￠￡￥￦"
# Allowed between a sign and its digits: emphasis, direction marks, a currency (US$, TeX's \$, USD)
_EMPHASIS = r"(?:[*\u200e\u200f]{1,3})?"
_ISO = (
    "USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|RMB|INR|HKD|SGD|KRW|TWD|THB|IDR|MYR|VND|SEK|NOK|DKK|PLN|CZK|HUF|ILS|AED|SAR"
    "|ZAR|EGP|NGN|KES|BRL|MXN|CLP|RUB|UAH|PKR|BDT"
)
_CODE = rf"(?:[A-Z]{{0,3}}\\?[{_CURRENCY}][ {_SPACES}]?|(?:{_ISO})[ {_SPACES}])"
_MONEY = f"{_EMPHASIS}(?:{_CODE}{_EMPHASIS})?"
_ENDS = tuple(".!?…")
_CLOSING = tuple(",;%‰°)]}）】」\"'`*_“”‘’")
_TEX_MARKS = {"{,}": ",", "{.}": ".", ",\\!": ",", "\\,": "\u2009", "’": "'"}
# A sign counts after these, directly or with marks in between; elsewhere it is a joiner: (5)-**10**, total--US$5
_SIGN_BEGINS, _PAIRED, _MOST_PAIRED = tuple("([{=|~≈"), "*_$`\"'“‘«„\u200e\u200f", 8
_OTHER_MARKS = "\uff0e\u066b\u066c"  # full-width full stop, Arabic decimal and thousands separators
_FRACTIONS, _POWERS = "\u00bc-\u00be\u2150-\u215f\u2189", "\u00b2\u00b3\u00b9\u2070\u2074-\u2079"
# A run: digits with single marks in between, an optional exponent, and what turns them into another number (3½, 2³,
# 0x1F; not the footnote of 5¹). Digits of any script match, so that no part of 2５ is read as a number. Whether the
# marks form a valid number is checked later.
_RUN = re.compile(
    rf"(?P<sign>[{re.escape(_SIGNS)}]?)(?P<money>{_MONEY})(?P<inner>[{re.escape(_SIGNS)}]?)"
    rf"(?P<body>[.,]?\d++(?:(?:(?<=[0-9])[.,{_SPACES}{_OTHER_MARKS}]|\{{[.,]\}}|,\\!|(?:['’‘_]|\\,)(?=[0-9]{{3}}(?![0-9])))"
    rf"\d++)*+)(?P<exponent>(?:[eE][{re.escape(_SIGNS)}]?[0-9]++)?+)"
    rf"(?P<more>[ {_SPACES}]?[{_FRACTIONS}]|(?!\u00b9(?![{_POWERS}]))[\u207a\u207b]?[{_POWERS}]++"
    r"|(?<=0)(?<![0-9.,'’_]0)(?:[xX][0-9a-fA-F]++|[bB][01]++|[oO][0-7]++))?"
)
_ASCII_DIGIT = re.compile("[0-9]")


class Reading(NamedTuple):
    """One number found in a text; ``value`` is None where its marks do not form a valid number."""

    text: str
    value: Decimal | None


@shipped(version=5)
def numeric(
    response: Response | str,
    target: Any,
    *,
    tolerance: float = 0.0,
    rel_tolerance: float = 0.0,
    which: Literal["only", "first", "last"] = "only",
    decimal: Literal[".", ","] = ".",
) -> Scored:
    r"""Return 1 where the number in the answer is the target's, else 0.

    A number consists of ASCII digits and, optionally:

    - a sign before them: ``-``, ``+``, minus, en dash, or a hyphen or minus of another width. After a letter or digit
      it is a hyphen instead. Except for the en dash, it may also precede the currency (``-US$5``, ``-USD 5``) or the
      emphasis (``-**5**``), if it follows the start of the text, a blank, an opening mark, ``=``, ``|``, ``~`` or
      ``≈``;
    - groups of three digits, separated throughout by the same one of ``,`` (``.`` where ``decimal`` is ``,``), ``'``,
      ``_``, or a thin, figure, narrow or plain no-break space;
    - one decimal mark with digits after it;
    - an exponent (``1e-5``).

    TeX's ``1{,}234``, ``1,\!234`` and ``1\,234`` are read as they print. Digits right after a letter are part of a word
    (``B2``, ``x86``) and not a number, unless the letter's script sets no spaces between words. Currency signs, ``%``
    and whatever follows the digits are ignored: ``12 %`` is 12, ``5M`` is 5. Digits whose marks do not form a number
    (``1,23``, ``0,500``) and digits that are part of another number (``3½``, ``2³``, ``0x1F``, ``2５``) count as one
    unreadable number; nothing is guessed. Dates, times and fractions are several numbers.

    Equal means |answer - target| <= max(tolerance, rel_tolerance x |target|), computed in decimal, on the numbers as
    written.

    Args:
        response: a Response or a str.
        target: a number, or a text that contains exactly one.
        tolerance: the absolute difference allowed; at least 0.
        rel_tolerance: the difference allowed as a share of the target; at least 0.
        which: ``only``: an answer with more than one number scores 0; ``first``, ``last``: that number counts.
        decimal: the decimal mark of the answer and of a textual target.

    Raises:
        ScorerError: if the response, the target or a setting is of another type or out of range.
    """
    _check(tolerance, rel_tolerance, which, decimal)
    wanted = _target(target, decimal)
    text = text_of(response)
    found = numbers_in(text, decimal)
    expected = f"expected {_plain(wanted)}"
    if not found:
        return Scored(0.0, f"{expected}, found no number in {shown(text)}")
    if which == "only" and len(found) > 1:
        some = ", ".join(visible_line(each.text, 40) for each in found[:SHOWN_NUMBERS])
        return Scored(
            0.0,
            f"{expected}, found {len(found)} numbers: {some}{', …' if len(found) > SHOWN_NUMBERS else ''}",
        )
    reading = found[-1 if which == "last" else 0]
    if reading.value is None:
        return Scored(0.0, f"{expected}, cannot read {shown(reading.text, 40)} with the decimal mark {decimal}")
    allowed = max(as_decimal(tolerance), as_decimal(rel_tolerance) * abs(wanted))
    if within(reading.value, wanted, allowed):
        return Scored(1.0)
    by = f" (off by {number(float(abs(reading.value - wanted)))}, allowed {number(float(allowed))})" if allowed else ""
    return Scored(0.0, f"{expected}, got {visible_line(reading.text, 40)}{by}")


def numbers_in(text: str, decimal: str = ".") -> list[Reading]:
    """Return the numbers in a text, in order; ``numeric`` documents what counts as a number."""
    readings = []
    for run in _RUN.finditer(text):
        body = run["body"]
        if not _ASCII_DIGIT.search(body):
            continue
        before = text[run.start("body") - 1 : run.start("body")]
        if body[0] in ".," and _ends(before, is_decimal=body[0] == decimal):
            body = body[1:]
        elif is_word_letter(before):
            continue  # part of a word
        readings.append(_reading(text, run, body, decimal))
    return readings


def _reading(text: str, run: re.Match[str], body: str, decimal: str) -> Reading:
    minus = _sign(text, run) not in ("", "+")
    whole = f"{'-' if minus else ''}{body}{run['exponent']}{run['more'] or ''}"
    if run["more"] or len(whole) > MAX_LENGTH or len(run["exponent"]) > EXPONENT_LENGTH:
        return Reading(whole, None)
    for mark, plain in _TEX_MARKS.items():
        body = body.replace(mark, plain)
    if not _grammar(decimal).fullmatch(body):
        return Reading(whole, None)
    digits = re.sub(rf"[^0-9{re.escape(decimal)}]", "", body).replace(decimal, ".")
    exponent = re.sub(rf"[{re.escape(_SIGNS[1:])}]", "-", run["exponent"])
    value = Decimal(f"{'-' if minus else ''}{digits}{exponent}")
    return Reading(whole, value if math.isfinite(float(value)) else None)


def _sign(text: str, run: re.Match[str]) -> str:
    """Return the sign of a run's number, empty where a hyphen or dash merely joins it to the text before."""
    sign, money, at = run["sign"], run["money"], run.start()
    if run["inner"] and (money or not sign):
        return run["inner"]
    if len(money) < 2 and money not in tuple("*\u200e\u200f"):
        return "" if at and _joins(text[at - 1]) else sign
    before = text[max(0, at - _MOST_PAIRED) : at]
    if sign == "\u2013" or (money[0] == "*" and before.endswith("\n")):
        return ""  # a dash, a list's mark
    begins = before.rstrip(_PAIRED) or (" " if at <= _MOST_PAIRED else "")
    return sign if before.endswith(_SIGN_BEGINS) or begins.endswith(_SIGN_BEGINS) or begins[-1:].isspace() else ""


def _ends(char: str, *, is_decimal: bool) -> bool:
    """Whether a mark after ``char`` belongs to it, not to the number that follows: ``No.5``, ``is...42``, ``x),5``.

    A decimal mark may begin a number in a list (``0,.5``) and after an opening quotation mark.
    """
    return _joins(char) or char in _ENDS or (char in _CLOSING and not is_decimal)


def _joins(char: str) -> bool:
    """Whether a hyphen or a full stop right after ``char`` belongs to that character."""
    return char.isalnum() and (not char.isalpha() or is_word_letter(char))


@lru_cache(maxsize=2)
def _grammar(decimal: str) -> re.Pattern[str]:
    comma = "," if decimal == "." else "."
    groups = rf"(?!0[{comma}][0-9]{{3}}\Z)[0-9]{{1,3}}(?P<mark>[{comma}{_SPACES}'_])[0-9]{{3}}(?:(?P=mark)[0-9]{{3}})*"
    return re.compile(rf"(?:{groups}|[0-9]+)?(?:{re.escape(decimal)}[0-9]+)?")


def _target(target: Any, decimal: str) -> Decimal:
    if isinstance(target, str):
        found = numbers_in(target, decimal)
        if len(found) != 1 or found[0].value is None:
            raise ScorerError(f"the target {shown(target)} does not hold just one number")
        return found[0].value
    if target is None or isinstance(target, bool):
        raise ScorerError(f"the target must be a number, or a string that holds one, found {target}")
    return target if isinstance(target, Decimal) and target.is_finite() else as_decimal(_number(target))


def _number(target: Any) -> int | float:
    return target if isinstance(target, int) and abs(target) < 10**MAX_LENGTH else finite(target)


def _check(tolerance: float, rel_tolerance: float, which: str, decimal: str) -> None:
    at_least_0(tolerance, "tolerance")
    at_least_0(rel_tolerance, "rel_tolerance")
    if which not in ("only", "first", "last"):
        raise ScorerError(f"which must be 'only', 'first' or 'last', found {which!r}")
    if decimal not in (".", ","):
        raise ScorerError(f"decimal must be '.' or ',', found {decimal!r}")


def _plain(value: Decimal) -> str:
    return visible_line(str(value), 40)
