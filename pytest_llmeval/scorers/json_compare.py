"""Comparing two JSON values leaf by leaf."""

from collections.abc import Iterable
from typing import Any

from pytest_llmeval.scorers.answers import normal_text
from pytest_llmeval.scorers.json_leaves import same_date, within
from pytest_llmeval.scorers.json_paths import ROOT, child, element, joined, position
from pytest_llmeval.scorers.json_rules import ABSENT, Comparison, Difference, Rules
from pytest_llmeval.scorers.json_shape import canonical, leaves, sort_key
from pytest_llmeval.scorers.pairing import cheapest_pairs
from pytest_llmeval.scorers.scored import is_number

__all__ = ["compare_json"]

# Up to this many pairs of leaves, lists compared without order are paired optimally; beyond it, by sorting.
PAIRED_LEAVES = 20_000


def compare_json(target: Any, answer: Any, rules: Rules) -> Comparison:
    """Return how far two JSON values agree; ``json_match`` documents the rules."""
    return _Comparer(rules).compare(target, answer, ROOT, ROOT)


class _Comparer:
    """Walks two values in parallel.

    ``pattern`` is the current path with ``[]`` for list elements; ``place`` is the same path with list positions.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def compare(self, target: Any, answer: Any, pattern: str, place: str) -> Comparison:
        if isinstance(target, dict) and isinstance(answer, dict):
            return self._objects(target, answer, pattern, place)
        if isinstance(target, list) and isinstance(answer, list):
            if element(pattern) in self._rules.ignore:
                return Comparison(1, 1, [])
            if pattern in self._rules.unordered:
                return self._unordered(target, answer, pattern, place)
            return self._ordered(target, answer, pattern, place)
        if self._same_leaf(target, answer, pattern):
            return Comparison(1, 1, [])
        size = max(
            leaves(target, pattern, self._rules, nulls=True),
            leaves(answer, pattern, self._rules, nulls=False),
        )
        return Comparison(0, size, [Difference(place, target, answer)])

    def _objects(self, target: dict[str, Any], answer: dict[str, Any], pattern: str, place: str) -> Comparison:
        parts = []
        for key in target | answer:
            path = child(pattern, key)
            wanted, given = target.get(key), answer.get(key)
            if path in self._rules.ignore or (given is None and key not in target):
                continue  # an absent key equals null
            if key not in target:
                parts.append(self._surplus(given, path, child(place, key)))
            elif key not in answer and wanted is not None:
                parts.append(self._missing(wanted, path, child(place, key)))
            else:
                parts.append(self.compare(wanted, given, path, child(place, key)))
        return _sum(parts)

    def _ordered(self, target: list[Any], answer: list[Any], pattern: str, place: str) -> Comparison:
        inner = element(pattern)
        both = min(len(target), len(answer))
        parts = [self.compare(target[at], answer[at], inner, position(place, at)) for at in range(both)]
        parts += [self._missing(target[at], inner, position(place, at)) for at in range(both, len(target))]
        parts += [self._surplus(answer[at], inner, position(place, at)) for at in range(both, len(answer))]
        return _sum(parts)

    def _unordered(self, target: list[Any], answer: list[Any], pattern: str, place: str) -> Comparison:
        inner = element(pattern)
        found = self._paired(target, answer, inner)
        used = {column for column, _ in found.values()}
        parts = [
            _moved(found[at][1], position(place, at))
            if at in found
            else self._missing(wanted, inner, position(place, at))
            for at, wanted in enumerate(target)
        ]
        parts += [self._surplus(each, inner, position(place, at)) for at, each in enumerate(answer) if at not in used]
        return _sum(parts)

    def _paired(self, target: list[Any], answer: list[Any], inner: str) -> dict[int, tuple[int, Comparison]]:
        """Map target positions to the paired answer position and the comparison of the two, ignoring order."""
        pairs = self._identical(target, answer, inner)
        rows = _others(len(target), (row for row, _ in pairs))
        columns = _others(len(answer), (column for _, column in pairs))
        if rows and columns:
            every = list(range(len(target))), list(range(len(answer)))
            if self._few(target, answer, *every, inner):
                return self._best_pairs(target, answer, *every, inner)
        found = {row: (column, self.compare(target[row], answer[column], inner, ROOT)) for row, column in pairs}
        if self._few(target, answer, rows, columns, inner):
            return found | self._best_pairs(target, answer, rows, columns, inner)
        rows.sort(key=lambda at: sort_key(target[at], inner, self._rules))
        columns.sort(key=lambda at: sort_key(answer[at], inner, self._rules))
        for row, column in zip(rows, columns, strict=False):
            found[row] = column, self.compare(target[row], answer[column], inner, ROOT)
        return found

    def _few(self, target: list[Any], answer: list[Any], rows: list[int], columns: list[int], inner: str) -> bool:
        left = sum(leaves(target[at], inner, self._rules, nulls=True) for at in rows)
        right = sum(leaves(answer[at], inner, self._rules, nulls=True) for at in columns)
        return left * right <= PAIRED_LEAVES

    def _identical(self, target: list[Any], answer: list[Any], inner: str) -> list[tuple[int, int]]:
        waiting: dict[str, list[int]] = {}
        for at, each in enumerate(answer):
            waiting.setdefault(canonical(each, inner, self._rules), []).append(at)
        keys = [canonical(each, inner, self._rules) for each in target]
        return [(at, waiting[key].pop()) for at, key in enumerate(keys) if waiting.get(key)]

    def _best_pairs(
        self, target: list[Any], answer: list[Any], rows: list[int], columns: list[int], inner: str
    ) -> dict[int, tuple[int, Comparison]]:
        """Return the pairing with the most right leaves and, among those, the fewest leaves in total."""
        found = [[self.compare(target[row], answer[at], inner, ROOT) for at in columns] for row in rows]
        left = [leaves(target[row], inner, self._rules, nulls=True) for row in rows]
        above = [leaves(answer[column], inner, self._rules, nulls=False) for column in columns]
        weight = sum(left) + sum(above) + 1
        # the cost of a pair relative to leaving both sides unpaired, which counts the leaves of each
        costs = [
            [one.total - left[i] - above[j] - weight * one.right for j, one in enumerate(line)]
            for i, line in enumerate(found)
        ]
        if len(rows) <= len(columns):
            chosen = cheapest_pairs(costs)
        else:
            chosen = [(i, j) for j, i in cheapest_pairs(list(zip(*costs, strict=True)))]
        return {rows[i]: (columns[j], found[i][j]) for i, j in chosen}

    def _missing(self, wanted: Any, pattern: str, place: str) -> Comparison:
        return Comparison(0, leaves(wanted, pattern, self._rules, nulls=True), [Difference(place, wanted, ABSENT)])

    def _surplus(self, given: Any, pattern: str, place: str) -> Comparison:
        return Comparison(0, leaves(given, pattern, self._rules, nulls=False), [Difference(place, ABSENT, given)])

    def _same_leaf(self, target: Any, answer: Any, pattern: str) -> bool:
        if isinstance(target, str) and isinstance(answer, str):
            return self._same_text(target, answer, pattern)
        if is_number(target) and is_number(answer):
            return within(answer, target, self._rules.tolerances.get(pattern, self._rules.tolerance))
        return type(target) is type(answer) and bool(target == answer) and not isinstance(target, (dict, list))

    def _same_text(self, target: str, answer: str, pattern: str) -> bool:
        rules = self._rules
        if pattern in rules.dates and same_date(answer, target, rules.date_formats, rules.date_tolerance_days):
            return True
        return normal_text(answer, casefold=rules.casefold) == normal_text(target, casefold=rules.casefold)


def _sum(parts: list[Comparison]) -> Comparison:
    if not parts:  # both sides empty
        return Comparison(1, 1, [])
    differences = [each for part in parts for each in part.differences]
    return Comparison(sum(part.right for part in parts), sum(part.total for part in parts), differences)


def _moved(found: Comparison, place: str) -> Comparison:
    moved = [each._replace(path=joined(place, each.path)) for each in found.differences]
    return found._replace(differences=moved)


def _others(count: int, taken: Iterable[int]) -> list[int]:
    gone = set(taken)
    return [each for each in range(count) if each not in gone]
