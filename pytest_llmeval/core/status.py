"""The exit status of a session, computed from pytest's own status and the gate's verdicts."""

from collections.abc import Iterable

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.gate.case import MONEY_KINDS, NOT_ANSWERED, XPASSED
from pytest_llmeval.core.gate.judging import GateResult, SessionVerdict, Verdict
from pytest_llmeval.core.rules import OnInconclusive, Thresholds

__all__ = [
    "BROKEN",
    "FAILED",
    "PASSED",
    "UNMEASURABLE",
    "exit_status",
    "is_decided",
    "is_unmeasurable",
    "on_inconclusive",
    "stored_status",
    "strict_suites",
    "worse_status",
]

PASSED = 0
FAILED = 1
BROKEN = (2, 3, 4, 5)
"""pytest's exit statuses for a session that did not reach the end of its cases, or had none."""
UNMEASURABLE = 10
_MILD = (5, 6)
"""pytest's exit statuses for nothing collected and too many warnings; the gate's verdict takes precedence over them."""


def exit_status(
    natural: int,
    *,
    verdict: SessionVerdict,
    on_inconclusive: OnInconclusive,
    stopped: bool,
    only_decided_failures: bool,
    money_errors: bool,
) -> int:
    """Return the exit status of the process.

    Args:
        natural: the status that pytest would end with.
        verdict: the gate's verdict on the session.
        on_inconclusive: what inconclusive rules do to the status, even if another rule is unmeasurable.
        stopped: whether ``-x`` or ``--maxfail`` stopped the run.
        only_decided_failures: whether every failure of the session is an error that the gate decides about.
        money_errors: whether a case ended with an error for which ``is_unmeasurable`` holds (budget, auth, quota, …).
    """
    if natural not in (PASSED, FAILED, *_MILD):
        return natural
    if natural not in _MILD and (stopped or (natural == FAILED and not only_decided_failures)):
        return FAILED
    if verdict == "fail" or (verdict in ("inconclusive", "unmeasurable") and on_inconclusive != "warn"):
        return FAILED
    if verdict == "unmeasurable" or money_errors:
        return UNMEASURABLE
    return natural if natural in _MILD else PASSED


def is_decided(suite: str, kind: str | None, rules: Thresholds) -> bool:
    """Return whether the gate, rather than the single case, decides how an error affects the exit status."""
    return rules.has_rules(suite) or kind in NOT_ANSWERED


def is_unmeasurable(suite: str, kind: str | None, rules: Thresholds) -> bool:
    """Return whether one error of this kind makes the whole run unmeasurable.

    Errors that stop all further calls (budget, auth, quota) do so in any suite. An answer that ``--cache only`` did
    not find does so only in a suite without rules; elsewhere the rules say how many such errors they tolerate.
    """
    return kind in MONEY_KINDS or (kind == ErrorKind.NOT_CACHED and not rules.has_rules(suite))


def on_inconclusive(result: GateResult, rules: Thresholds) -> OnInconclusive:
    """Return how the inconclusive verdicts of a run affect its status: ``warn`` if all their suites are set to it.

    A verdict that is open because answers are missing does not count here: it makes the run unmeasurable.
    """
    return "fail" if strict_suites(result.verdicts, rules) else "warn"


def strict_suites(verdicts: Iterable[Verdict], rules: Thresholds) -> dict[str, OnInconclusive]:
    """Return the suites with an inconclusive verdict that fails the run, mapped to their ``on_inconclusive``."""
    unsure = {each.suite for each in verdicts if each.verdict == "inconclusive" and not each.is_open}
    settings = {name: suite.settings.on_inconclusive for name, suite in rules.suites.items() if name in unsure}
    return {name: setting for name, setting in settings.items() if setting != "warn"}


def stored_status(result: GateResult, rules: Thresholds, cases: Iterable[tuple[str, str, str | None]]) -> int:
    """Return the exit status that the session of a stored run would have had, ordinary tests left out.

    Args:
        result: the gate's result for the run.
        rules: the rules that the gate applied.
        cases: suite, outcome and error kind of each case.
    """
    failed = money = False
    for suite, outcome, kind in cases:
        money |= is_unmeasurable(suite, kind, rules)
        failed |= outcome == "missed" and not rules.has_rules(suite)
        failed |= outcome == "error" and not is_decided(suite, kind, rules)
        failed |= outcome == "skipped" and kind == XPASSED
    return exit_status(
        FAILED if failed else PASSED,
        verdict=result.verdict,
        on_inconclusive=on_inconclusive(result, rules),
        stopped=False,
        only_decided_failures=False,
        money_errors=money,
    )


def worse_status(one: int, other: int) -> int:
    """Return the more severe of two exit statuses of one run: 2, 3 and 4 before 1, then 10, then all others.

    Args:
        one: the status of the session.
        other: 0, 1 or 10: the status of everything that its run holds.
    """
    if one not in (PASSED, FAILED, UNMEASURABLE, *_MILD):
        return one
    return next((status for status in (FAILED, UNMEASURABLE) if status in (one, other)), one)
