"""Adjusted p-values agree with statsmodels and keep their laws."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.stats.multiplicity import holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@settings(max_examples=25, deadline=None)  # statsmodels takes 50 ms for each
@given(p_values)
def test_holm_equals_statsmodels(raw: list[float]) -> None:
    """To 1e-9."""
    assert holm(raw) == pytest.approx(list(multipletests(raw, method="holm")[1]), abs=1e-9)


def test_examples_by_hand() -> None:
    """Four rules, not in order."""
    assert holm([0.04, 0.01, 0.03, 0.005]) == pytest.approx([0.06, 0.03, 0.06, 0.02])


def test_nothing_to_adjust_and_one_rule_stay() -> None:
    """A family of one pays nothing."""
    assert holm([]) == []
    assert holm([0.3]) == [0.3]


@given(p_values)
def test_adjusted_values_are_no_smaller_in_range_and_in_the_same_order(raw: list[float]) -> None:
    adjusted = holm(raw)
    assert all(before <= after <= 1 for before, after in zip(raw, adjusted, strict=True))
    ranked = [value for _, value in sorted(zip(raw, adjusted, strict=True))]
    assert ranked == sorted(ranked)


@given(p_values, st.randoms())
def test_the_order_of_rules_does_not_matter(raw: list[float], shuffler: random.Random) -> None:
    """Each rule keeps its value wherever it stands."""
    order = list(range(len(raw)))
    shuffler.shuffle(order)
    adjusted, shuffled = holm(raw), holm([raw[index] for index in order])
    assert shuffled == [adjusted[index] for index in order]


@given(p_values, st.floats(0, 1))
def test_another_rule_never_makes_holm_milder(raw: list[float], other: float) -> None:
    """A larger family only costs."""
    assert all(less <= more for less, more in zip(holm(raw), holm([*raw, other]), strict=False))


def test_holm_bounds_any_false_alarm_of_a_family() -> None:
    """2,000 families of 10 rules without change: at most 5 % have an alarm, where raw p-values have 40 %."""
    drawn = random.Random(11)
    families = [[drawn.random() for _ in range(10)] for _ in range(2000)]
    assert sum(min(holm(family)) < 0.05 for family in families) / 2000 < 0.065
    assert sum(min(family) < 0.05 for family in families) / 2000 > 0.35
