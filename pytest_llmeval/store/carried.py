"""Carrying labels over to a run that rescores the same answers."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.ids import identity_of
from pytest_llmeval.core.judge.judged_text import judged_of, texts_of
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.store.sqlite import SqliteStore

__all__ = ["carry_labels"]


def carry_labels(store: SqliteStore, old: str, new: str) -> int:
    """Copy the labels of a run to the run that rescores its answers; return their number.

    A label is not copied if its score now comes from another judge or judges other text: the label says nothing about
    that.

    Args:
        store: holds both runs.
        old: id of the run that has the labels.
        new: id of the rescoring run.
    """
    labels = grouped(store.labels(old), lambda label: label.case_id)
    before = {identity_of(case.key): case for case in store.cases(old) if case.id in labels}
    found = ((before.get(identity_of(case.key)), case) for case in (store.cases(new) if before else ()))
    pairs = [(earlier, case) for earlier, case in found if earlier is not None]
    kept = [label for earlier, case in pairs for label in _carried(store, labels[earlier.id], earlier, case)]
    store.add_labels(kept)
    return len(kept)


def _carried(store: SqliteStore, labels: Sequence[Label], earlier: StoredCase, case: StoredCase) -> Iterator[Label]:
    one, other = ({score.name: score.judge_id for score in each.scores} for each in (earlier, case))
    shown, now = (texts_of(each.response, store.calls(each.id)) for each in (earlier, case))
    for label in labels:
        judge, name = one.get(label.name), label.name
        is_known = shown.is_known(name) and now.is_known(name)
        is_same = judge is not None and judge == other.get(name)
        if is_known and is_same and judged_of(earlier, shown, name) == judged_of(case, now, name):
            yield replace(label, case_id=case.id)
