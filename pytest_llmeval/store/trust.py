"""How far the gate may trust judges, by the labels in a database."""

from pytest_llmeval.core.clock import utc
from pytest_llmeval.core.judge.judged_text import judged_texts
from pytest_llmeval.core.judge.trust import UNKNOWN, Trust
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["trust_in"]


def trust_in(reader: SqliteReader | None, thresholds: Thresholds) -> Trust:
    """Return how far judges can be trusted today, by the labels of all runs; nothing is read if no rule demands it.

    Args:
        reader: reads the database; None if there is none.
        thresholds: the rules.
    """
    asked = any(rule.judge is not None for suite in thresholds.suites.values() for rule in suite.rules)
    if reader is None or not asked:
        return UNKNOWN
    cases, labels, judges = reader.labelled()
    texts = judged_texts(cases, reader.calls)
    return Trust(cases, labels, judges, now=utc(), texts=texts)
