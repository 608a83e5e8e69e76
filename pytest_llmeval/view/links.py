"""Links between pages: URLs of the server, or names of files in one folder."""

from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlencode

from pytest_llmeval.core.ids import digest

__all__ = ["FileLinks", "Links", "ServedLinks"]


class ServedLinks:
    """URLs of the server. Text from the database appears only in their query strings."""

    is_live = True
    """Whether there is a server, so that forms can be submitted."""

    def runs(self, **query: Any) -> str:
        """Return the URL of the list of runs."""
        return _address("/", query)

    def run(self, run_id: str, **query: Any) -> str:
        """Return the URL of a run."""
        return _address("/run", {"id": run_id, **query})

    def case(self, case_id: str) -> str:
        """Return the URL of a case."""
        return _address("/case", {"id": case_id})

    def compare(self, base: str, current: str, **query: Any) -> str:
        """Return the URL of two runs side by side."""
        return _address("/compare", {"base": base, "current": current, **query})

    def label(self, run_id: str, **query: Any) -> str:
        """Return the URL of the page on which people label the answers of a run."""
        return _address("/label", {"run": run_id, **query})


class FileLinks:
    """Names of files in one folder, built from digests so that they contain no text from the database."""

    is_live = False

    def __init__(self, runs: Collection[str], pairs: Collection[tuple[str, str]], has_case: Callable[[str], bool]):
        """Link only to pages that are written.

        Args:
            runs: ids of the runs that are written.
            pairs: references to the two sides of each comparison that is written, the base first.
            has_case: whether the case with an id has a page.
        """
        self._runs = runs
        self._pairs = pairs
        self._has_case = has_case

    def runs(self, **query: Any) -> str | None:
        """Return the file of the list of runs, a single page; None if no runs are written."""
        return "index.html" if self._runs else None

    def run(self, run_id: str, **query: Any) -> str | None:
        """Return the file of a run, which contains all its cases that are written; None if it has no page."""
        return f"run-{_name(run_id)}.html" if run_id in self._runs else None

    def case(self, case_id: str) -> str | None:
        """Return the file of a case; None if it has no page."""
        return f"case-{_name(case_id)}.html" if self._has_case(case_id) else None

    def compare(self, base: str, current: str, **query: Any) -> str | None:
        """Return the file of two runs side by side; None if it is not written."""
        return f"compare-{_name(f'{base} {current}')}.html" if (base, current) in self._pairs else None

    def label(self, run_id: str, **query: Any) -> None:
        """Return None, because files cannot store labels."""


Links = ServedLinks | FileLinks
"""Gives the link to each page; None for a page that does not exist."""


def _address(path: str, query: dict[str, Any]) -> str:
    kept = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(kept)}" if kept else path


def _name(text: str) -> str:
    return digest(text)[:24]
