"""Rules on a change over fewer than five groups of dependent rows."""

import pytest

from tests.support.gate_runs import clustered, compared, only, rule


def test_below_five_groups_nothing_can_fail_and_the_reason_says_so() -> None:
    """However large the drop; one that is allowed still passes."""
    names = [f"c{number % 4}" for number in range(60)]
    verdict = only(compared(clustered([1.0] * 60, names), clustered([0.0] * 60, names)))
    assert (verdict.verdict, verdict.p_value) == ("inconclusive", None)
    assert verdict.reason is not None
    assert "only 4 groups of dependent rows, so that no test can tell it from chance" in verdict.reason
    assert only(compared(clustered([1.0] * 60, names), clustered([1.0] * 60, names))).verdict == "pass"


@pytest.mark.parametrize(
    ("gains", "alpha", "expected"),
    [
        ((-1, -1, 1, 0), 0.05, "pass"),  # mid-p 5/16
        ((-1, -1, -1, 1), 0.05, "inconclusive"),  # 3/16, where 0.2 is noise
        ((-10, 1, 0, 0), 0.05, "pass"),  # 3/8
        ((-10, 0, 0, 0), 0.05, "inconclusive"),  # one sign cannot tell
        ((-1, -1, 1, 0), 0.01, "inconclusive"),  # nor can three: 1/16 at least, where 0.04 is noise
        ((-2, -1, 1, 1), 0.01, "pass"),  # 3/8, of 1/32 at least
    ],
)
def test_fewer_than_five_groups_are_noise_by_their_signs(gains: tuple[int, ...], alpha: float, expected: str) -> None:
    """So that a rule does not stay open for ever where two documents got worse and one better."""
    names = [f"c{number // 10}" for number in range(40)]
    before = [float(gains[number // 10] <= 0) for number in range(40)]
    after = [value if number % 10 >= abs(gains[number // 10]) else 1 - value for number, value in enumerate(before)]
    assert sum(after) - sum(before) == sum(gains)
    verdict = only(compared(clustered(before, names), clustered(after, names), rule(bound=0.0), alpha=alpha))
    told = {
        "pass": "too few to fail; noise by their signs (p ",
        "inconclusive": "so that no test can tell it from chance",
    }
    assert f"only 4 groups of dependent rows, {told[expected]}" in (verdict.reason or "")
    assert (verdict.verdict, verdict.p_value) == (expected, None)


def test_a_gain_of_few_groups_is_not_called_noise() -> None:
    names = [f"c{number % 3}" for number in range(30)]
    verdict = only(compared(clustered([0.0] * 30, names), clustered([0.5] * 30, names)))
    assert verdict.verdict == "pass"
    assert "noise" not in (verdict.reason or "")
