"""Messages for a run without judged answers or labels, which point to a run that has some."""

from pytest_llmeval.core.judge.scored import judged_run
from pytest_llmeval.store.protocol import StoreReader
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["no_labels", "nothing_judged"]


def nothing_judged(store: StoreReader, run: Run, aim: str) -> str:
    """Return the message that no judge judged anything in ``run``, so that there is nothing to ``aim``."""
    newest = next((each.id for each in store.runs() if each.id != run.id and _was_judged(store, each.id)), None)
    other = f"; the newest that has is {newest}" if newest else ""
    settled = " (what right_if or wrong_unless settles is not)" if store.judges(run.id) else ""
    return f"run {run.id} has no answer that a judge judged{settled}, so there is nothing to {aim}{other}"


def _was_judged(store: StoreReader, run_id: str) -> bool:
    """Whether a run has an answer that people can label, because a judge judged it."""
    judges = store.judges(run_id)
    judged = judged_run(run_id, store.cases(run_id) if judges else (), judges)
    return any(map(judged.labelable, judged.cases))


def no_labels(store: SqliteReader, run: Run) -> str:
    """Return the message that nobody labelled anything in ``run``."""
    labelled = store.labelled_runs()
    newest = next((each.id for each in store.runs() if each.id in labelled), None)
    other = f"; the newest that has is {newest} (llmeval calibrate --run {newest})" if newest else ""
    return f"run {run.id} has no labels{other}; `llmeval labels export` writes answers to label"
