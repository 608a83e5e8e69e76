"""Numbers keep the digits that tell a value from its bound."""

import pytest

from pytest_llmeval.reports.numbers import number, short, signed


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0.000"),
        (0.00004, "4e-05"),
        (0.0005, "0.0005"),
        (0.00062, "0.00062"),
        (0.0014, "0.0014"),
        (-0.0014, "-0.0014"),
        (0.0104, "0.010"),
        (0.625, "0.625"),
        (12.5, "12.5"),
        (1234.56, "1234.6"),
        (99_999.4, "99999"),
        (-123_456.7, "-123,457"),
        (9.99e14, "999,000,000,000,000"),
        (1.25e307, "1.25e+307"),
        (-1e15, "-1e+15"),
    ],
)
def test_a_small_value_is_not_rounded_away(value: float, shown: str) -> None:
    assert number(value) == shown


def test_one_end_of_an_interval_has_the_digits_of_the_other() -> None:
    assert (number(0.00888, 0.236), number(0.00888, 0.00951)) == ("0.009", "0.00888")
    assert number(1e308, 5.0) == "1e+308"


@pytest.mark.parametrize(
    ("value", "size", "shown"),
    [
        (0.00031, None, "+0.00031"),
        (-0.00031, None, "-0.00031"),
        (0.0, None, "+0.000"),
        (-0.35, None, "-0.350"),
        (0.0021, 0.35, "+0.002"),
        (12.345, None, "+12.35"),
        (9_999.4, None, "+9999"),
        (-9_999.6, None, "-10,000"),
        (123_456.7, None, "+123,457"),
        (-1.25e307, None, "-1.25e+307"),
        (1e308, 5.0, "+1e+308"),
        (0.1 + 0.2 - 0.3, None, "+0.000"),
    ],
)
def test_a_small_change_is_not_rounded_away(value: float, size: float | None, shown: str) -> None:
    """What the rounding of floats leaves is none."""
    assert signed(value, size) == shown


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.0, 3, "0"),
        (1.0, 3, "1"),
        (0.55, 3, "0.55"),
        (0.123456, 4, "0.1235"),
        (0.00001, 3, "1e-05"),
        (999.4, 3, "999"),
        (999.6, 3, "999.6"),
        (-1236.0, 3, "-1236"),
        (1236.0, 4, "1236"),
        (12_345.0, 4, "12345"),
        (12_345_678.0, 3, "12,345,678"),
        (1.5e300, 3, "1.5e+300"),
        (float("inf"), 3, "inf"),
    ],
)
def test_a_short_number_has_no_noughts_behind_it_and_is_never_rounded_to_thousands(
    value: float, digits: int, shown: str
) -> None:
    assert short(value, digits) == shown
