"""The exit status of a session, from what pytest says of it and what the gate says of its run."""

from pytest_llmeval.core.gate import SessionVerdict
from pytest_llmeval.core.rules import OnInconclusive

__all__ = ["FAILED", "PASSED", "UNMEASURABLE", "exit_status"]

PASSED = 0
FAILED = 1
UNMEASURABLE = 10


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
