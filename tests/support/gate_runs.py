"""Small runs for the gate, in a line each: suite ``qa``, model ``m``, score ``f1``."""

import random
from collections.abc import Iterable, Sequence
from typing import Any

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import GateResult, Verdict, apply_gate
from pytest_llmeval.core.rules import GateSettings, Rule, RuleKind, SuiteRules, Thresholds

__all__ = [
    "broken",
    "case",
    "clustered",
    "compared",
    "flips",
    "graded",
    "only",
    "reason",
    "rule",
    "rule_on",
    "rules",
    "run",
    "verdict_of",
]


def case(number: int | str = 0, value: float | None = 1.0, **fields: Any) -> JudgedCase:
    """Return a case; without a value it has no score."""
    made: dict[str, Any] = {"suite": "qa", "model": "m", "sample_id": f"s{number}", "input_digest": f"row {number}"}
    made |= {"outcome": "passed" if value is None or value >= 1 else "missed"}
    return JudgedCase(**{**made, "scores": {} if value is None else {"f1": value}, **fields})


def run(values: Iterable[float | None], **fields: Any) -> list[JudgedCase]:
    """Return a case for each value, in their order."""
    return [case(number, value, **fields) for number, value in enumerate(values)]


def broken(number: int | str, kind: str, **fields: Any) -> JudgedCase:
    """Return a case that ended in an error of this kind."""
    return case(number, None, **{"outcome": "error", "error_kind": kind, **fields})


def rule(kind: RuleKind = "max_drop", bound: float | None = 0.02, **fields: Any) -> Rule:
    """Return a rule on the score."""
    return Rule(**{"suite": "qa", "metric": "f1", "kind": kind, "bound": bound, **fields})


def rule_on(part: str | None = None, **fields: Any) -> Rule:
    """Return a rule on the score in a slice, or in the suite: on any drop, unless others are given."""
    return rule(**{"bound": 0.0, "slice": part, **fields})


def rules(*given: Rule, **settings: Any) -> Thresholds:
    """Return the thresholds of the suite."""
    return Thresholds(suites={"qa": SuiteRules(name="qa", rules=given, settings=GateSettings(**settings))})


def compared(
    before: Iterable[JudgedCase],
    after: Iterable[JudgedCase],
    *given: Rule,
    baseline: dict[str, Any] | None = None,
    asks_again: bool = False,
    **settings: Any,
) -> GateResult:
    """Return what the gate says of a run beside its baseline, by one rule on a drop unless others are given.

    Args:
        before: the baseline's cases.
        after: the run's.
        given: the rules.
        baseline: further facts of the baseline.
        asks_again: whether a second look follows where one is due.
        settings: of the suite.
    """
    against = Baseline(name="main", cases=before, **(baseline or {}))
    return apply_gate(rules(*(given or (rule(),)), **settings), after, baseline=against, asks_again=asks_again)


def only(result: GateResult) -> Verdict:
    """Return the one verdict of a result."""
    (verdict,) = result.verdicts
    return verdict


def reason(*given: Any, **settings: Any) -> str:
    """Return the reason of the one verdict."""
    found = only(compared(*given, **settings)).reason
    assert found is not None
    return found


def verdict_of(before: Sequence[float | None], after: Sequence[float | None], *given: Rule, **settings: Any) -> Verdict:
    """Return the one verdict on two runs of the same rows."""
    return only(compared(run(before), run(after), *given, **settings))


def flips(n: int, worse: int, better: int) -> tuple[list[float], list[float]]:
    """Return yes-or-no rows of two runs, of which so many got worse and better; all others are right in both."""
    return [1.0] * (n - better) + [0.0] * better, [0.0] * worse + [1.0] * (n - worse)


def graded(n: int, drop: float) -> tuple[list[float], list[float]]:
    """Return graded rows of two runs, the second lower by ``drop``."""
    draw = random.Random(3)
    before = [draw.uniform(0.3, 0.9) for _ in range(n)]
    return before, [value - drop + draw.gauss(0, 0.1) for value in before]


def clustered(values: Sequence[float], names: Sequence[str | None]) -> list[JudgedCase]:
    """Return a case for each value, in the cluster of that name."""
    return [case(number, value, cluster=names[number]) for number, value in enumerate(values)]
