"""The exit status, over the whole table of it."""

import itertools
from typing import Any, get_args

import pytest

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import SessionVerdict, apply_gate
from pytest_llmeval.core.rules import GateSettings, OnInconclusive, Rule, SuiteRules, Thresholds
from pytest_llmeval.core.status import exit_status, is_decided, is_unmeasurable, on_inconclusive, stored_status

VERDICTS = get_args(SessionVerdict)
ACTIONS = get_args(OnInconclusive)
FLAGS = (False, True)


def status(natural: int = 0, **changed: Any) -> int:
    """Return the status of a session in which all is well, but for what is changed."""
    fine: dict[str, Any] = {
        "verdict": "pass",
        "on_inconclusive": "warn",
        "stopped": False,
        "only_decided_failures": True,
        "money_errors": False,
    }
    return exit_status(natural, **{**fine, **changed})


def wanted(natural: int, *, verdict: str, action: str, stopped: bool, decided: bool, money: bool) -> int:
    """Return the status by the table: 2, 3 and 4 before 1 before 10 before 6 and 5 before 0."""
    reasons = {natural} if natural != 1 else set()
    if natural in (0, 1) and stopped:
        reasons.add(1)
    if natural == 1 and not decided:
        reasons.add(1)
    if verdict == "fail" or (verdict in ("inconclusive", "unmeasurable") and action in ("fail", "escalate")):
        reasons.add(1)
    if verdict == "unmeasurable" or money:
        reasons.add(10)
    return next((each for each in (2, 3, 4, 1, 10, 6, 5) if each in reasons), 0)


@pytest.mark.parametrize("natural", range(7))
@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_status_is_the_first_that_applies(natural: int, verdict: SessionVerdict) -> None:
    for action, stopped, decided, money in itertools.product(ACTIONS, FLAGS, FLAGS, FLAGS):
        found = exit_status(
            natural,
            verdict=verdict,
            on_inconclusive=action,
            stopped=stopped,
            only_decided_failures=decided,
            money_errors=money,
        )
        expected = wanted(natural, verdict=verdict, action=action, stopped=stopped, decided=decided, money=money)
        assert found == expected, (action, stopped, decided, money)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, 0),
        ({"verdict": "none"}, 0),
        ({"verdict": "inconclusive"}, 0),
        ({"verdict": "inconclusive", "on_inconclusive": "fail"}, 1),
        ({"verdict": "inconclusive", "on_inconclusive": "escalate"}, 1),
        ({"verdict": "fail"}, 1),
        ({"verdict": "fail", "money_errors": True}, 1),
        ({"verdict": "unmeasurable"}, 10),
        ({"verdict": "unmeasurable", "on_inconclusive": "fail"}, 1),
        ({"money_errors": True}, 10),
        ({"stopped": True}, 1),
        ({"stopped": True, "verdict": "unmeasurable"}, 1),
    ],
)
def test_a_session_without_failures_ends_as_the_gate_says(changed: dict[str, Any], expected: int) -> None:
    assert status(0, **changed) == expected


def test_errors_that_the_gate_bears_do_not_fail() -> None:
    assert status(1) == 0


def test_any_other_failure_fails() -> None:
    assert status(1, only_decided_failures=False) == 1
    assert status(1, only_decided_failures=False, verdict="unmeasurable") == 1


@pytest.mark.parametrize("natural", [2, 3, 4])
def test_what_ended_pytest_ends_the_session(natural: int) -> None:
    assert status(natural, verdict="fail", stopped=True, money_errors=True) == natural


def rules(*metrics: str, on: OnInconclusive = "warn", bound: float = 0.5) -> Thresholds:
    """Return rules for the suite ``gated``, one on each metric."""
    made = tuple(Rule(suite="gated", metric=metric, kind="min", bound=bound) for metric in metrics)
    suite = SuiteRules(name="gated", rules=made, settings=GateSettings(on_inconclusive=on))
    return Thresholds(suites={"gated": suite})


def stored(thresholds: Thresholds, *told: tuple[str, str, str | None]) -> int:
    """Return the status of a stored run of these cases: suite, outcome, kind of error."""
    cases = [
        JudgedCase(suite=suite, model="m", sample_id=str(number), outcome=outcome, error_kind=kind)  # type: ignore[arg-type]  # words of the table
        for number, (suite, outcome, kind) in enumerate(told)
    ]
    return stored_status(apply_gate(thresholds, cases), thresholds, told)


PASSED = ("gated", "passed", None)
OTHER = ("plain", "passed", None)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([PASSED, OTHER], 0),
        ([PASSED, ("gated", "missed", None)], 0),
        ([("gated", "missed", None)], 1),
        ([PASSED, ("plain", "missed", None)], 1),
        ([PASSED, ("plain", "error", "code")], 1),
        ([PASSED, ("plain", "skipped", None)], 0),
        ([PASSED] * 9 + [("gated", "error", "connection")], 0),
        ([PASSED, ("gated", "error", "connection"), ("gated", "error", "timeout")], 10),
        ([PASSED, ("plain", "error", "budget")], 10),
        ([PASSED, ("plain", "error", "auth")], 10),
        ([PASSED, ("plain", "error", "quota")], 10),
        ([PASSED, ("plain", "error", "not_cached")], 10),
        ([("gated", "missed", None), ("plain", "error", "budget")], 1),
        ([("plain", "missed", None), ("plain", "error", "budget")], 1),
        ([PASSED] * 9 + [("gated", "error", "not_cached")], 0),
        ([], 0),
    ],
)
def test_a_stored_run_comes_to_the_status_of_its_session(
    told: list[tuple[str, str, str | None]], expected: int
) -> None:
    assert stored(rules("pass_rate"), *told) == expected


def test_rules_on_tokens_alone_leave_a_miss_a_failure() -> None:
    assert stored(rules("output_tokens", bound=0.0), ("gated", "missed", None)) == 1


@pytest.mark.parametrize(("action", "expected"), [("warn", "warn"), ("fail", "fail"), ("escalate", "fail")])
def test_an_inconclusive_suite_does_what_its_settings_say(action: OnInconclusive, expected: str) -> None:
    thresholds = rules("pass_rate", on=action)
    result = apply_gate(thresholds, [])
    assert on_inconclusive(result, thresholds) == "warn"
    (verdict,) = result.verdicts
    open_ = type(result)(
        verdicts=(type(verdict)(suite="gated", model="m", metric="x", slice=None, rule="min", verdict="inconclusive"),),
        verdict="inconclusive",
    )
    assert on_inconclusive(open_, thresholds) == expected


@pytest.mark.parametrize("kind", [str(kind) for kind in ErrorKind])
def test_a_suite_with_rules_decides_about_any_error(kind: str) -> None:
    assert is_decided("gated", kind, rules("pass_rate"))


@pytest.mark.parametrize("kind", [str(kind) for kind in ErrorKind])
def test_elsewhere_the_gate_decides_about_money_and_the_cache_alone(kind: str) -> None:
    chosen = kind in ("budget", "auth", "quota", "not_cached")
    assert is_decided("plain", kind, rules("pass_rate")) == chosen
    assert is_unmeasurable("plain", kind, rules("pass_rate")) == chosen


def test_a_missing_answer_of_the_cache_is_left_to_the_rules_where_there_are_some() -> None:
    assert not is_unmeasurable("gated", "not_cached", rules("pass_rate"))
    assert is_unmeasurable("gated", "budget", rules("pass_rate"))
