"""Several judgements of one answer: what they are worth together."""

import math
import random

import pytest

from pytest_llmeval.core.judge.voting import kappa_of_raters


def test_kappa_of_many_raters_in_uneven_numbers_takes_no_time_to_speak_of() -> None:
    """Each answer counts once, but for rounding: exactly it would take 7 million pairs."""
    draw = random.Random(1)
    units = [[float(draw.random() < 0.7) for _ in range(2 + number % 13)] for number in range(20)]
    found = kappa_of_raters(units, list(range(20)), [0.0, 1.0], None)
    agreed = [
        sum(labels.count(level) * (labels.count(level) - 1) for level in (0.0, 1.0)) / math.perm(len(labels), 2)
        for labels in units
    ]
    shares = [sum(each) / len(each) for each in units]
    share = sum(shares) / len(shares)
    by_chance = share**2 + (1 - share) ** 2
    assert found is not None
    assert found.value == pytest.approx((sum(agreed) / 20 - by_chance) / (1 - by_chance), abs=0.002)
