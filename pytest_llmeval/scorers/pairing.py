"""Optimal pairing of rows with columns: the most pairs, or the cheapest."""

from collections import deque
from collections.abc import Mapping, Sequence

__all__ = ["cheapest_pairs", "most_pairs"]


def most_pairs(fits: Mapping[int, Sequence[int]]) -> list[tuple[int, int]]:
    """Return the largest possible set of (row, column) pairs, each row and column used at most once, sorted by row.

    Searches shortest augmenting paths: C. Berge, "Two Theorems in Graph Theory", PNAS 43 (1957) 842-844.

    Args:
        fits: the columns that each row may be paired with.
    """
    owner: dict[int, int] = {}
    held: dict[int, int] = {}
    for row in fits:
        before: dict[int, int] = {}  # for each column reached, the row that reached it
        waiting, free = deque([row]), None
        while waiting and free is None:
            here = waiting.popleft()
            for column in fits[here]:
                if column not in before:
                    before[column] = here
                    if column not in owner:
                        free = column
                        break
                    waiting.append(owner[column])
        while free is not None:  # hand each column on the path to the row before it
            here = before[free]
            owner[free], held[here], free = here, free, held.get(here)
    return sorted(held.items())


def cheapest_pairs(costs: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Return (row, column) pairs with the least total cost, one column for every row.

    The Hungarian algorithm with potentials (Kuhn 1955, https://doi.org/10.1002/nav.3800020109; Munkres 1957), which
    adds one row after the other along a shortest path; rows² x columns steps.

    Args:
        costs: whole numbers, with at most as many rows as columns.

    Returns:
        One pair for each row, sorted by column.
    """
    columns = len(costs[0]) if costs else 0
    row_potential, column_potential = [0] * len(costs), [0] * columns
    owner = [-1] * columns  # the row that holds each column
    for row in range(len(costs)):
        _add_row(row, costs, row_potential, column_potential, owner)
    return [(row, column) for column, row in enumerate(owner) if row >= 0]


def _add_row(
    row: int,
    costs: Sequence[Sequence[int]],
    row_potential: list[int],
    column_potential: list[int],
    owner: list[int],
) -> None:
    columns = len(owner)
    distance: list[float] = [float("inf")] * columns
    before, done = [-1] * columns, [False] * columns
    here, here_row = -1, row
    while here_row >= 0:
        step, following = float("inf"), -1
        for column in range(columns):
            if done[column]:
                continue
            reduced = costs[here_row][column] - row_potential[here_row] - column_potential[column]
            if reduced < distance[column]:
                distance[column], before[column] = reduced, here
            if distance[column] < step:
                step, following = distance[column], column
        _shift(int(step), row, row_potential, column_potential, distance, done, owner)
        done[following], here, here_row = True, following, owner[following]
    while here >= 0:  # hand each column on the path to the row before it
        previous = before[here]
        owner[here] = owner[previous] if previous >= 0 else row
        here = previous


def _shift(
    step: int,
    row: int,
    row_potential: list[int],
    column_potential: list[int],
    distance: list[float],
    done: list[bool],
    owner: list[int],
) -> None:
    row_potential[row] += step
    for column, reached in enumerate(done):
        if reached:
            row_potential[owner[column]] += step
            column_potential[column] -= step
        else:
            distance[column] -= step
