"""The exit status of a session, from what pytest says of it and what the gate says of its run."""

from collections.abc import Iterable

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.gate import GateResult, SessionVerdict
from pytest_llmeval.core.rules import OnInconclusive, Thresholds

__all__ = [
    "FAILED",
    "MONEY_KINDS",
    "PASSED",
    "UNMEASURABLE",
    "exit_status",
    "is_decided",
    "on_inconclusive",
    "stored_status",
]

PASSED = 0
FAILED = 1
UNMEASURABLE = 10

MONEY_KINDS: frozenset[str] = frozenset({ErrorKind.BUDGET, ErrorKind.AUTH, ErrorKind.QUOTA})
"""Errors that end the calls of a run; in any suite they make it unmeasurable."""
_DECIDED_KINDS = MONEY_KINDS | {ErrorKind.NOT_CACHED}


def exit_status(
    natural: int,
    *,
    verdict: SessionVerdict,
    on_inconclusive: OnInconclusive,
    stopped: bool,
    only_decided_failures: bool,
    money_errors: bool,
) -> int:
    """Return the status that the process ends with.

    Args:
        natural: the status that pytest would end with.
        verdict: of the gate.
        on_inconclusive: what an inconclusive verdict does.
        stopped: whether ``-x`` or ``--maxfail`` stopped the run.
        only_decided_failures: whether each failure of the session is an error that the gate has decided about.
        money_errors: whether a case ended for budget, authentication or quota.
    """
    if natural not in (PASSED, FAILED):
        return natural
    if stopped:
        return FAILED
    if natural == FAILED and not only_decided_failures:
        return FAILED
    if verdict == "fail" or (verdict == "inconclusive" and on_inconclusive == "fail"):
        return FAILED
    return UNMEASURABLE if verdict == "unmeasurable" or money_errors else PASSED


def is_decided(suite: str, kind: str | None, rules: Thresholds) -> bool:
    """Return whether the gate, not the single case, decides what an error does to the exit status."""
    return rules.has_rules(suite) or kind in _DECIDED_KINDS


def on_inconclusive(result: GateResult, rules: Thresholds) -> OnInconclusive:
    """Return what the inconclusive verdicts of a run do: ``fail`` where one of their suites says so."""
    suites = [rules.suites[each.suite] for each in result.verdicts if each.verdict == "inconclusive"]
    return "fail" if any(suite.settings.on_inconclusive == "fail" for suite in suites) else "warn"


def stored_status(result: GateResult, rules: Thresholds, cases: Iterable[tuple[str, str, str | None]]) -> int:
    """Return the status that a stored run comes to: what its session would have ended with, ordinary tests apart.

    Args:
        result: of the gate.
        rules: that it applied.
        cases: suite, outcome and kind of error of each case.
    """
    failed = money = False
    for suite, outcome, kind in cases:
        money |= kind in MONEY_KINDS
        failed |= outcome == "missed" and not rules.has_rules(suite)
        failed |= outcome == "error" and not is_decided(suite, kind, rules)
    return exit_status(
        FAILED if failed else PASSED,
        verdict=result.verdict,
        on_inconclusive=on_inconclusive(result, rules),
        stopped=False,
        only_decided_failures=False,
        money_errors=money,
    )
