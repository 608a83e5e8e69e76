"""The source of the pages: a database, and how to read it."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.store.browsing import BrowsingReader
from pytest_llmeval.store.records import Run

__all__ = ["Source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A database, and what the pages need beside it."""

    database: Path
    """Path of the database, already migrated."""
    shown_as: str
    """Name of the database on the pages."""
    root: Path
    """Root of the project."""
    rules_of: Callable[[Run], Thresholds]
    """Returns the rules that a run is judged by; raises UserError."""
    redact: Callable[[str], str]
    """Removes secrets from a text."""
    most_cases: int = 200
    """Largest number of cases of each run written to files; at least 1."""

    @contextlib.contextmanager
    def reader(self) -> Iterator[BrowsingReader]:
        """Yield a reader on a snapshot of the database, with texts redacted for display."""
        with self.stored() as stored:
            yield stored.shown(self.redact)

    @contextlib.contextmanager
    def stored(self) -> Iterator[BrowsingReader]:
        """Yield a reader on a snapshot of the database, with texts as stored, for computation."""
        with contextlib.closing(BrowsingReader.open(self.database)) as stored, stored.snapshot():
            yield stored
