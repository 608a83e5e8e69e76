"""Messages for a run without judged answers or labels, which point to a run that has some."""

from pytest_llmeval.store.protocol import StoreReader
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["no_labels", "nothing_judged"]


def nothing_judged(store: StoreReader, run: Run, aim: str) -> str:
    """Return the message that no judge judged anything in ``run``, so that there is nothing to ``aim``."""
    newest = next((each.id for each in store.runs() if each.id != run.id and store.judges(each.id)), None)
    other = f"; the newest that a judge judged is {newest}" if newest else ""
    return f"run {run.id} has no answer that a judge judged, so that there is nothing to {aim}{other}"


def no_labels(store: SqliteReader, run: Run) -> str:
    """Return the message that nobody labelled anything in ``run``."""
    labelled = store.labelled_runs()
    newest = next((each.id for each in store.runs() if each.id in labelled), None)
    other = f"; the newest that has is {newest} (llmeval calibrate --run {newest})" if newest else ""
    return f"run {run.id} has no labels{other}; `llmeval labels export` writes answers to label"
