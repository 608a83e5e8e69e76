"""What is tried for missing values between the best and the worst of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.gate.fills import between, counts

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


def test_however_many_are_missing_eight_numbers_of_them_are_tried_at_their_worst() -> None:
    assert (counts(1), counts(6), counts(100)) == ([], [1, 2, 4], [1, 2, 4, 8, 16, 32, 64])
    many = counts(100_000)
    assert (len(many), many[:3]) == (8, [1, 4, 18])
