"""What the judges of a database are worth to the gate."""

from pytest_llmeval.core.clock import utc
from pytest_llmeval.core.judge.judged_text import judged_texts
from pytest_llmeval.core.judge.trust import UNKNOWN, JudgedLabel, Trust
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.store.records import Label
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["trust_in"]


def trust_in(reader: SqliteReader | None, thresholds: Thresholds) -> Trust:
    """Return what judges are worth by the labels of all runs, today; nothing is read where no rule demands it.

    Args:
        reader: of the database; None where there is none.
        thresholds: the rules.
    """
    asked = any(rule.judge is not None for suite in thresholds.suites.values() for rule in suite.rules)
    if reader is None or not asked:
        return UNKNOWN
    cases, labels, judges = reader.labelled()
    texts = judged_texts(cases, reader.calls)
    return Trust(cases, map(_label, labels), judges, now=utc(), texts=texts)


def _label(label: Label) -> JudgedLabel:
    return JudgedLabel(
        case_id=label.case_id, name=label.name, rater=label.rater, value=label.value, at=label.at, draw=label.draw
    )
