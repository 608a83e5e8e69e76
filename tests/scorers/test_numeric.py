"""numeric: the number in an answer, read by stated rules and never guessed."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers import numeric
from pytest_llmeval.scorers.numeric_answers import numbers_in
from tests.support.growth import assert_grows_with_size


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("42", 42),
        ("The answer is 42.", 42),
        ("**42**", 42),
        ("x=42", 42),
        ("_42_", 42),
        ("(42)", 42),
        ("-3.5", -3.5),
        ("+3.5", 3.5),
        ("\u22123", -3),
        ("\u20133", -3),
        ("-$5", -5),
        ("\u20115", -5),
        ("\u20105", -5),
        ("\uff0d5", -5),
        ("\ufe635", -5),
        ("\u207b5", -5),
        ("答案是\uff0d5", -5),
        ("covid\u201119", 19),
        ("1'234'567.5", 1234567.5),
        ("1\u2019234", 1234),
        ("1_000_000", 1000000),
        ("$1{,}234$", 1234),
        ("10,\\!080", 10080),
        ("1\\,234", 1234),
        ("42\u00b9", 42),
        ("1.6e\u221219", 1.6e-19),
        ("1.6e\u201319", 1.6e-19),
        ("12\u2007345", 12345),
        ("\uff08\uff11\uff09\uff1a42", 42),
        ("\uff11\uff0e42", 42),
        ("\uff11.42", 42),
        ("\uff11,42", 42),
        ("第\uff11.42", 42),
        ("\u0967.42", 42),
        ("$-5", -5),
        ("\u20ac 5", 5),
        ("12 %", 12),
        ("12.5kg", 12.5),
        ("5M", 5),
        ("1,234", 1234),
        ("1,234,567.89", 1234567.89),
        ("1\u2009234\u2009567", 1234567),
        ("1\u202f234", 1234),
        ("1\u00a0234", 1234),
        ("USD 1,000", 1000),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1e-5", 1e-5),
        ("1.5E3 m", 1500),
        ("covid-19", 19),
        ("No.5", 5),
        ("The answer is...5", 5),
        ("Sum:..5", 5),
        ('"total",5', 5),
        ("('Paris',5)", 5),
        ("f(x),5", 5),
        ('".5"', 0.5),
        ("**.5**", 0.5),
        ("[.5]", 0.5),
        ("$.50", 0.5),
        ("=.5", 0.5),
        ("007", 7),
        ("00,500", 500),
        ("000,250", 250),
        ("0_500", 500),
        ("0'005", 5),
        ("about 5, I think", 5),
        ("model x86 says 5 and B2, H2O", 5),
        ("0.30", Decimal("0.3")),
        ("0.25", Fraction(1, 4)),
        ("3", "approx. 3.0"),
        ("9" * 300, 10**300 - 1),
    ],
)
def test_a_number_is_read_by_the_stated_rules(text: str, target: Any) -> None:
    """Signs, groups of three, decimals, exponents; words with digits are none."""
    assert numeric(Response(text=text), target).value == 1


@pytest.mark.parametrize(
    "text",
    [
        "-\\$50",
        "-US$50",
        "The net result is -US\\$50.",
        "-R$50",
        "-\u20ac 50",
        "-\u20ac\u00a050",
        "-\u20ba50",
        "-\u20aa50",
        "-\uffe550",
        "\u2212\u0e3f50",
        "-USD 50",
        "-CHF\u00a050",
        "-**50**",
        "-**$50**",
        "-\u200e50",
        "-\u200f50",
        "US$-50",
        "USD -50",
        "+US$-50",
        "+**-50**",
        "The net result is -**50**.",
        "x=-US$50",
        "(-EUR 50)",
        "**-US$50**",
        "$-\\$50$",
        "-$**50**",
        "\u200e-\u200e50",
    ],
)
def test_a_minus_before_the_currency_or_emphasis_is_the_number_s(text: str) -> None:
    """In the answer, and in a target that is a text."""
    assert (numeric(text, -50).value, numeric(text, 50).value) == (1, 0)
    assert (numeric("-50", text).value, numeric("50", text).value) == (1, 0)


@pytest.mark.parametrize(
    "text",
    [
        "10 mid-USD 50",
        "net-US$50",
        "10-US$50",
        "10 - US$50",
        "10, USD 50",
        "10 -x 50",
        "10-**50**",
        "**10**-**50**",
        "The total--**50**",
        "the total --**50**",
        "Total--US$50",
        "Answer:-**50**",
        "Price:-US$50",
        "Price:-₹ 50",
        "x:-USD 50",
        "Answer –**50**",
        "“Total”-**50**",
        "__Total__-**50**",
        "**Total**-USD 50",
        "The fee –USD 50– is due",
        "Total:\n-**50**",
        "(about 5)–**50**",
        "`5`-**50**",
        "$5$-**50**",
        "**US$5**-US$50",
        "5\u200e-\u200e50",
        "US$1.5M (2020)–US$50M",
        "(Boeing)-MAX 50",
        "-SAT 50",
        "--MAX 50",
    ],
)
def test_what_is_no_minus_of_the_number_stays_none(text: str) -> None:
    """A hyphen or dash that joins, also behind marks; a dash before a blank; what stands before a word."""
    assert numeric(text, 50, which="last").value == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "found no number"),
        ("none at all, B2", "found no number"),
        ("1 or 2", "found 2 numbers: 1, 2"),
        ("2024-01-05", "found 3 numbers: 2024, 01, 05"),
        ("3-5", "found 2 numbers: 3, 5"),
        ("1/2", "found 2 numbers"),
        ("10:30", "found 2 numbers"),
        ("1 2 3 4 5 6", "1, 2, 3, 4, …"),
        ("1 000", "found 2 numbers: 1, 000"),
        ("1,23", 'cannot read "1,23"'),
        ("1,0000", "cannot read"),
        ("12,34,567", "cannot read"),
        ("1,234\u2009567", "cannot read"),
        ("1.2.3", "cannot read"),
        ("0,5", "cannot read"),
        ("0,005", 'cannot read "0,005"'),
        ("it is ,5", 'cannot read ",5"'),
        ("100%,7", "found 2 numbers: 100, 7"),
        ("5½", 'cannot read "5½"'),
        ("5 ¼ cups", "cannot read"),
        ("5³", "cannot read"),
        ("5⁻²", "cannot read"),
        ("2\uff15", 'cannot read "2\uff15"'),
        ("\uff135", "cannot read"),
        ("\u0661\u06625", "cannot read"),
        ("3.\uff15", "cannot read"),
        ("3\uff0e14", "cannot read"),
        ("3\u066b5", "cannot read"),
        ("1\u2018000", "cannot read"),
        ("0x1F", 'cannot read "0x1F"'),
        ("0b101", "cannot read"),
        ("5'10", "found 2 numbers: 5, 10"),
        ("1,234'567", "cannot read"),
        ("3\u201110", "found 2 numbers: 3, 10"),
        ("1e99999", "cannot read"),
        ("1e" + "9" * 50, "cannot read"),
        ("9" * 6000, "cannot read"),
        ("7", "expected 5, got 7"),
    ],
)
def test_what_is_not_just_the_number_scores_0_and_says_why(text: str, why: str) -> None:
    """A miss, not an error."""
    scored = numeric(text, 5)
    assert scored.value == 0
    assert why in (scored.reason or "")
    assert len(scored.reason or "") < 300


@pytest.mark.parametrize(
    ("text", "which", "value"),
    [
        ("1 then 5", "last", 1),
        ("5 then 1", "last", 0),
        ("5 then 1", "first", 1),
        ("1,2 then 5", "first", 0),
        ("1'005", "last", 0),
        ("x² + 1 = 5", "last", 1),
        ("5", "last", 1),
    ],
)
def test_the_first_or_last_number_may_count(text: str, which: Any, value: int) -> None:
    """An unreadable one is not passed over."""
    assert numeric(text, 5, which=which).value == value


@pytest.mark.parametrize(
    ("text", "target", "value"),
    [
        ("1.234,5", 1234.5, 1),
        ("0,5", 0.5, 1),
        ("1,234.5", 1234.5, 0),
        ("0.5", 0.5, 0),
        ("1.234", "1.234", 1),
        ("1.234", 1.234, 0),
        ("0.500", 500, 0),
        ("0.500.000", 500000, 1),
        ("3{,}14", 3.14, 1),
    ],
)
def test_a_decimal_comma_is_declared_and_not_guessed(text: str, target: Any, value: int) -> None:
    """Then the point separates thousands."""
    assert numeric(text, target, decimal=",").value == value


@pytest.mark.parametrize(
    ("text", "settings", "value"),
    [
        ("1.1", {"tolerance": 0.1}, 1),
        ("1.1000001", {"tolerance": 0.1}, 0),
        ("0.9", {"tolerance": 0.1}, 1),
        ("1.05", {"rel_tolerance": 0.05}, 1),
        ("1.06", {"rel_tolerance": 0.05}, 0),
        ("1.06", {"rel_tolerance": 0.05, "tolerance": 0.06}, 1),
    ],
)
def test_a_tolerance_is_counted_as_written(text: str, settings: dict[str, Any], value: int) -> None:
    """1.1 and 1 differ by 0.1, whatever binary fractions say."""
    assert numeric(text, 1, **settings).value == value


def test_the_reason_says_how_far_off() -> None:
    """Where something was allowed."""
    assert numeric("1.5", 1, tolerance=0.1).reason == "expected 1, got 1.5 (off by 0.5, allowed 0.1)"


@pytest.mark.parametrize(
    ("target", "settings"),
    [
        (None, {}),
        (True, {}),
        ("no number", {}),
        ("1 or 2", {}),
        ("1,2", {}),
        ("0,500", {}),
        ("0.500", {"decimal": ","}),
        (float("nan"), {}),
        (float("inf"), {}),
        (Decimal("NaN"), {}),
        ([1], {}),
        (10**500, {}),
        (1, {"tolerance": -1}),
        (1, {"tolerance": float("nan")}),
        (1, {"tolerance": True}),
        (1, {"rel_tolerance": "1"}),
        (1, {"which": "any"}),
        (1, {"decimal": "'"}),
    ],
    ids=repr,
)
def test_a_target_or_setting_that_makes_no_sense_is_an_error(target: Any, settings: dict[str, Any]) -> None:
    """Never a score."""
    with pytest.raises(ScorerError):
        numeric("1", target, **settings)


@given(st.decimals(-(10**9), 10**9, allow_nan=False, places=3), st.booleans())
def test_a_number_is_read_as_it_was_written(value: Decimal, grouped: bool) -> None:
    """With and without groups of three."""
    assert numeric(f"It is {value:,f}." if grouped else f"It is {value:f}!", value).value == 1


@given(st.text() | st.text("0123456789.,-+eE \u2009$%"))
def test_no_answer_makes_it_raise(text: str) -> None:
    """Arbitrary text, all settings."""
    for which in ("only", "first", "last"):
        for decimal in (".", ","):
            assert numeric(text, 1, which=which, decimal=decimal).value in (0, 1)


@pytest.mark.parametrize("text", ["1", "1,", "-", "a1", "1'234", "1{,}"])
def test_reading_a_huge_answer_grows_with_its_length(text: str) -> None:
    """Digits, marks and words by the megabyte."""
    assert_grows_with_size(lambda size: numeric(text * (size // len(text)), 1), 2_000_000)


@pytest.mark.parametrize(
    ("text", "value"),
    [("答案是42。", 42), ("答えは42です", 42), ("คำตอบคือ42", 42), ("答案是-5", -5), ("共.5升", 0.5), ("价格￥99", 99)],
)
def test_scripts_without_spaces_let_a_number_follow_a_letter(text: str, value: float) -> None:
    assert [reading.value for reading in numbers_in(text)] == [Decimal(str(value))]


@pytest.mark.parametrize("text", ["B2", "x86", "Größe7"])
def test_a_digit_after_a_letter_of_a_word_is_no_number(text: str) -> None:
    assert numbers_in(text) == []


@pytest.mark.parametrize(
    ("text", "values"), [("[0,.5]", ["0", "0.5"]), ("0.2;.5", ["0.2", "0.5"]), ("p=.2,.5", ["0.2", "0.5"])]
)
def test_a_decimal_mark_begins_a_number_in_a_list(text: str, values: list[str]) -> None:
    assert [reading.value for reading in numbers_in(text)] == list(map(Decimal, values))
