"""The exit status of a session, from what pytest says of it and what the gate says of its run."""

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
"""pytest's statuses of a session that did not come to the end of its cases, or had none."""
UNMEASURABLE = 10
_MILD = (5, 6)
"""pytest's statuses for nothing collected and too many warnings: they yield to what the gate says."""


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
        on_inconclusive: what the rules that are inconclusive do, beside one that is unmeasurable too.
        stopped: whether ``-x`` or ``--maxfail`` stopped the run.
        only_decided_failures: whether each failure of the session is an error that the gate has decided about.
        money_errors: whether a case ended for budget, authentication or quota, or as ``is_unmeasurable`` says.
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
    """Return whether the gate, not the single case, decides what an error does to the exit status."""
    return rules.has_rules(suite) or kind in NOT_ANSWERED


def is_unmeasurable(suite: str, kind: str | None, rules: Thresholds) -> bool:
    """Return whether one error makes a run unmeasurable.

    So it is where it stopped the calls, in any suite, and for an answer that ``--cache only`` did not find, in a
    suite without rules; where there are rules, they say how many such errors they bear.
    """
    return kind in MONEY_KINDS or (kind == ErrorKind.NOT_CACHED and not rules.has_rules(suite))


def on_inconclusive(result: GateResult, rules: Thresholds) -> OnInconclusive:
    """Return what the inconclusive verdicts of a run do: ``warn`` where all of their suites say so.

    One that missing answers leave open is not among them: it makes the run unmeasurable.
    """
    return "fail" if strict_suites(result.verdicts, rules) else "warn"


def strict_suites(verdicts: Iterable[Verdict], rules: Thresholds) -> dict[str, OnInconclusive]:
    """Return the suites of which an inconclusive verdict fails the run, each with its setting that says so."""
    unsure = {each.suite for each in verdicts if each.verdict == "inconclusive" and not each.is_open}
    settings = {name: suite.settings.on_inconclusive for name, suite in rules.suites.items() if name in unsure}
    return {name: setting for name, setting in settings.items() if setting != "warn"}


def stored_status(result: GateResult, rules: Thresholds, cases: Iterable[tuple[str, str, str | None]]) -> int:
    """Return the status that a stored run comes to: what its session would have ended with, ordinary tests apart.

    Args:
        result: of the gate.
        rules: that it applied.
        cases: suite, outcome and kind of error of each case.
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
    """Return which of two statuses of one run counts: a failure before unmeasurable, both before all others but 2 to 4.

    Args:
        one: of the session.
        other: 0, 1 or 10, of all that its run holds.
    """
    if one not in (PASSED, FAILED, UNMEASURABLE, *_MILD):
        return one
    return next((status for status in (FAILED, UNMEASURABLE) if status in (one, other)), one)
