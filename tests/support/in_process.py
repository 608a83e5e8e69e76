"""A training in this process, which imports torch once for all of them."""

import contextlib
import signal
from collections.abc import Iterator, Mapping

from pytest_llmeval.training.plan import Outcome, Plan

__all__ = ["train_here"]


def train_here(plan: Plan, environ: Mapping[str, str] | None = None) -> Outcome:
    """Train as the process of a trainer does, and say how it ended."""
    from pytest_llmeval.training.sft import trainer

    with _own_handlers():
        trainer.main([str(plan.write())])
    outcome = Outcome.read(plan.folder)
    assert outcome is not None
    return outcome


@contextlib.contextmanager
def _own_handlers() -> Iterator[None]:
    """Put those of signals back that a trainer sets: a process that a later test forks would not end by SIGTERM."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
