"""Where pages come from."""

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
    """A database, and what is to be known beside it."""

    database: Path
    """Its tables are up to date."""
    shown_as: str
    """Its name on the pages."""
    root: Path
    """Of the project."""
    rules_of: Callable[[Run], Thresholds]
    """Gives the rules that a run is judged by; raises UserError."""
    redact: Callable[[str], str]
    """Takes secrets out of a text."""
    most_cases: int = 200
    """Cases of each run that stand in files, from 1."""

    @contextlib.contextmanager
    def reader(self) -> Iterator[BrowsingReader]:
        """Give a reader of one moment of the database, whose texts people may see."""
        with self.stored() as stored:
            yield stored.shown(self.redact)

    @contextlib.contextmanager
    def stored(self) -> Iterator[BrowsingReader]:
        """Give a reader of one moment of the database, whose texts are as they are stored, to be worked with."""
        with contextlib.closing(BrowsingReader.open(self.database)) as stored, stored.snapshot():
            yield stored
