"""Check of the suites, slices and models that thresholds.yaml names against those of a session."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from pytest_llmeval.core.names import closest, did_you_mean, quoted, show_key
from pytest_llmeval.core.rules import Rule, SuiteRules, SuiteSeen, Thresholds
from pytest_llmeval.core.text import and_more

__all__ = ["at_line", "check_names", "place_of", "rules_of_no_set", "unmet_models"]

_ALIKE = 0.7
"""Least similarity of a name to the one that was meant; see ``closest``."""
_EACH_SET = "each set of parameters is a suite of its own"
_ESCAPED = "In ids pytest escapes what is not ASCII; in double quotes YAML would read that as the letter again"


def check_names(
    thresholds: Thresholds, suites: Mapping[str, SuiteSeen], *, everything_collected: bool, may_be_newer: bool = False
) -> list[str]:
    """Return one message for each name in ``thresholds`` that cannot be right.

    A slice is wrong if its suite was read to the end without it. A suite is wrong if everything was collected and a
    collected suite without rules has a similar name. A model is wrong if its suite was collected and a model that no
    rule names has a similar name. Any other unknown suite or model was merely not selected: its rules are not judged.

    Args:
        thresholds: The rules.
        suites: What was collected, selected or not, by suite name.
        everything_collected: Whether everything under ``llmeval_paths`` was collected.
        may_be_newer: Whether the rules may be newer than what was collected and name slices added since: a slice is
            then wrong only if its name is similar to another's.

    Returns:
        Messages ``thresholds.yaml:LINE: WHERE: what is wrong``, in the order of the file.
    """
    messages: list[str] = []
    named = {rule.model for rules in thresholds.suites.values() for rule in rules.rules}
    for rules in thresholds.suites.values():
        seen = suites.get(rules.name)
        if seen is not None:
            wrong = [*_wrong_slices(rules, seen, may_be_newer), *_wrong_models(rules, seen, named)]
        else:
            wrong = list(_wrong_suite(rules, thresholds, suites)) if everything_collected else []
        messages.extend(at_line(thresholds, line) + text for line, text in sorted(wrong, key=_line_first))
    return messages


def rules_of_no_set(thresholds: Thresholds, sets_of: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a message for each suite in the rules that names a parametrised function instead of its suites.

    Args:
        thresholds: The rules.
        sets_of: The suites of each function with parameter sets, by the function's suite name.
    """
    return [
        f"{at_line(thresholds, rules.line)}suites.{show_key(rules.name)}: rules of no suite; {_EACH_SET}:"
        f" {and_more([*map(quoted, sets)], 4)}"
        for rules in thresholds.suites.values()
        if (sets := sets_of.get(rules.name))
    ]


def _sets_of(name: str, suites: Iterable[str]) -> list[str]:
    return [each for each in suites if each.startswith(f"{name}[")]


def unmet_models(thresholds: Thresholds, suites: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Return each model that rules of ``suites`` name but that is not ``known``, with the place of its first rule."""
    found: dict[str, str] = {}
    for rules in (thresholds.suites[name] for name in thresholds.suites if name in suites):
        for name, rule in _named_models(rules).items():
            if name not in known:
                found.setdefault(name, place_of(thresholds, rule, "model"))
    return found


def _wrong_suite(
    rules: SuiteRules, thresholds: Thresholds, suites: Mapping[str, SuiteSeen]
) -> Iterator[tuple[int | None, str]]:
    others = [name for name in suites if name not in thresholds.suites or not thresholds.suites[name].decides()]
    of_parameters = next(iter(_sets_of(rules.name, others)), None)
    escaped = next((name for name in others if name == _escaped(rules.name)), None)
    near = of_parameters or escaped or closest(rules.name, others, cutoff=_ALIKE)
    if near is not None:
        why = f" {_EACH_SET.capitalize()}" if of_parameters else f" {_ESCAPED}" if escaped else ""
        place = f"suites.{show_key(rules.name)}"
        yield rules.line, f"{place}: unknown suite {rules.name!r}; did you mean {quoted(near)}?{why}"


def _escaped(suite: str) -> str:
    """Return a suite's name with its parameter id escaped, as pytest writes ids with non-ASCII characters."""
    name, bracket, set_id = suite.partition("[")
    return name + bracket + set_id.encode("unicode_escape").decode("ascii")


def _wrong_slices(rules: SuiteRules, seen: SuiteSeen, may_be_newer: bool) -> Iterator[tuple[int | None, str]]:
    for name, line in rules.slice_lines.items():
        if may_be_newer and closest(name, seen.slices) is None:
            continue
        if seen.read_to_end and name not in seen.slices:
            advice = did_you_mean(name, seen.slices) or "its rows have no slices"
            place = f"suites.{show_key(rules.name)}.slices.{show_key(name)}"
            yield line, f"{place}: unknown slice {name!r}; {advice}"


def _wrong_models(
    rules: SuiteRules, seen: SuiteSeen, named: Collection[str | None]
) -> Iterator[tuple[int | None, str]]:
    for name, rule in _named_models(rules).items():
        known = seen.models or frozenset()
        others = (model for model in known if model not in named and not _is_sibling(name, model))
        near = closest(name, others, cutoff=_ALIKE) if name not in known else None
        if near is not None:
            yield rule.line, f"{_path_of(rule, 'model')}: unknown model {name!r}; did you mean {near!r}?"


def place_of(thresholds: Thresholds, rule: Rule, key: str) -> str:
    """Return the place of a rule: ``thresholds.yaml:7: suites.qa.slices.hard.exact.max_drop``."""
    return at_line(thresholds, rule.line) + _path_of(rule, key)


def _path_of(rule: Rule, key: str) -> str:
    part = f"slices.{show_key(rule.slice)}." if rule.slice is not None else ""
    return f"suites.{show_key(rule.suite)}.{part}{show_key(rule.metric)}.{key}"


def _is_sibling(name: str, other: str) -> bool:
    """Return whether two names differ by a number or a suffix, as those of different models of one family do."""
    digits = [re.sub(r"\D+", " ", each).strip() for each in (name, other)]
    return digits[0] != digits[1] or name.startswith(other) or other.startswith(name)


def _named_models(rules: SuiteRules) -> dict[str, Rule]:
    """Return each model that a rule names, with the first rule that does."""
    return {rule.model: rule for rule in reversed(rules.rules) if rule.model is not None}


def at_line(thresholds: Thresholds, line: int | None) -> str:
    """Return the start of a message about a line of the file."""
    return f"{thresholds.shown_as}:{line}: " if line is not None else f"{thresholds.shown_as}: "


def _line_first(found: tuple[int | None, str]) -> tuple[int, str]:
    return found[0] or 0, found[1]
