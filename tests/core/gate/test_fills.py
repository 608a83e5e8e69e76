"""What is tried for missing values between the best and the worst of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.gate.fills import at_worst, between

ranges = st.tuples(st.floats(-1, 0), st.floats(0.01, 1)).map(lambda pair: (pair[0], sum(pair)))


@given(known=st.lists(st.floats(-1, 1), min_size=1, max_size=9), missing=st.lists(ranges, min_size=1, max_size=9))
def test_the_first_level_has_the_mean_that_is_just_not_let_pass(
    known: list[float], missing: list[tuple[float, float]]
) -> None:
    """As far as each value can be; all that is tried lies between the best and the worst."""
    worst, best = [*known, *(low for low, _ in missing)], [*known, *(high for _, high in missing)]
    tried = list(between(best, worst, -0.02))
    asked = min(max(-0.02 * len(best), sum(worst)), sum(best))
    assert sum(tried[0]) == pytest.approx(asked, abs=1e-9)
    for gains in tried:
        assert all(low <= gain <= high for low, gain, high in zip(worst, gains, best, strict=True))


def test_of_few_missing_each_way_is_tried_and_of_many_eight_numbers() -> None:
    """Some are at their worst, never none and never all."""
    assert list(at_worst([7])) == []
    assert set(at_worst([3, 5, 9])) == {frozenset(each) for each in ({3}, {5}, {9}, {3, 5}, {3, 9}, {5, 9})}
    assert len(list(at_worst(range(6)))) == 2**6 - 2
    assert [len(each) for each in at_worst(range(7))] == [1, 2, 4]
    assert list(at_worst(range(7)))[1] == {0, 1}
    assert [len(each) for each in at_worst(range(100))] == [1, 2, 4, 8, 16, 32, 64]
    assert [*at_worst(range(4), "aabb")] == [*at_worst(range(4))]
    in_groups = [*at_worst(range(8), "aaabbbcc")]
    assert in_groups[3:] == [{0, 1, 2}, {3, 4, 5, 6, 7}, {0, 1, 2, 3, 4, 5}, {6, 7}]
    assert len([*at_worst(range(1_000), [str(number // 2) for number in range(1_000)])]) <= 3 * 8
    many = [len(each) for each in at_worst(range(100_000))]
    assert (len(many), many[:3]) == (8, [1, 4, 18])
