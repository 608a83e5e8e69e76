"""The size of a JSON value, and a canonical text for values that are equal."""

import json
from typing import Any

from pytest_llmeval.scorers.answers import normal_text
from pytest_llmeval.scorers.json_paths import child, element
from pytest_llmeval.scorers.json_rules import Rules
from pytest_llmeval.scorers.scored import is_number

__all__ = ["canonical", "leaves", "sort_key"]


def leaves(value: Any, pattern: str, rules: Rules, *, nulls: bool) -> int:
    """Return the number of leaves that are not ignored, at least 1.

    Nulls in objects count only if ``nulls`` is true.
    """
    if isinstance(value, dict):
        paths = ((child(pattern, key), each) for key, each in value.items() if nulls or each is not None)
        return max(1, sum(leaves(each, path, rules, nulls=nulls) for path, each in paths if path not in rules.ignore))
    inner = element(pattern)
    if isinstance(value, list) and inner not in rules.ignore:
        return max(1, sum(leaves(each, inner, rules, nulls=nulls) for each in value))
    return 1


def sort_key(value: Any, pattern: str, rules: Rules) -> tuple[bool, float, str]:
    """Return the sort key of a list element: numbers come first, by size, then everything else by its text."""
    if is_number(value):
        return (False, float(value), "")
    return (True, 0.0, canonical(value, pattern, rules))


def canonical(value: Any, pattern: str, rules: Rules) -> str:
    """Return a text that is the same for all values that are equal without any tolerance."""
    if isinstance(value, dict):
        paths = ((key, child(pattern, key)) for key, each in sorted(value.items()) if each is not None)
        parts = [f"{json.dumps(key)}:{canonical(value[key], at, rules)}" for key, at in paths if at not in rules.ignore]
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        inner = element(pattern)
        parts = [] if inner in rules.ignore else [canonical(each, inner, rules) for each in value]
        return "[" + ",".join(sorted(parts) if pattern in rules.unordered else parts) + "]"
    if isinstance(value, str):
        return json.dumps(normal_text(value, casefold=rules.casefold))
    return repr(int(value)) if is_number(value) and value == int(value) else repr(value)
