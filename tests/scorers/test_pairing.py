"""The best pairing, against all pairings."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.scorers.pairing import cheapest_pairs

MATRICES = st.integers(0, 5).flatmap(
    lambda rows: st.integers(rows, 6).flatmap(
        lambda columns: st.lists(
            st.lists(st.integers(-9, 9), min_size=columns, max_size=columns), min_size=rows, max_size=rows
        )
    )
)


@given(MATRICES)
def test_every_row_gets_a_column_of_its_own_at_the_least_cost(costs: list[list[int]]) -> None:
    """No pairing is cheaper."""
    pairs = cheapest_pairs(costs)
    assert sorted(row for row, _ in pairs) == list(range(len(costs)))
    assert len({column for _, column in pairs}) == len(costs)
    columns = range(len(costs[0]) if costs else 0)
    least = min(
        sum(costs[row][column] for row, column in enumerate(chosen)) for chosen in permutations(columns, len(costs))
    )
    assert sum(costs[row][column] for row, column in pairs) == least
