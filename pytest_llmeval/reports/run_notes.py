"""What reports say of a run beside its figures: calls that came to nothing, judges that differed, reruns."""

from collections.abc import Iterable

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.text import counted
from pytest_llmeval.reports.rerun_text import rerun_sentences
from pytest_llmeval.reports.voting_text import voting_sentences
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["run_notes"]


def run_notes(run: Run, cases: Iterable[JudgedCase], reader: SqliteReader) -> list[str]:
    """Return what there is to say of a run, a sentence for each.

    Args:
        run: a recorded one.
        cases: of it.
        reader: of its database.

    Raises:
        StoreError: the database cannot be read.
    """
    voting, earlier = reader.voting(run.id), reader.earlier_outcomes(run.id)
    return [*_cut_off(run), *voting_sentences(voting), *rerun_sentences(run.id, earlier, cases)]


def _cut_off(run: Run) -> list[str]:
    """Return a sentence where calls of a run may have been paid for nothing."""
    count = run.calls_cut_off
    if not count:
        return []
    were = f"{counted(count, 'call')} {'was' if count == 1 else 'were'} in flight when a session of this run ended"
    return [f"{were}; no answer came, and they may have been billed"]
