"""Where pages are: under addresses of the server, or in files beside each other."""

from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlencode

from pytest_llmeval.core.ids import digest

__all__ = ["FileLinks", "Links", "ServedLinks"]


class ServedLinks:
    """Addresses of the server: what the database holds stands behind the question mark only."""

    is_live = True
    """Whether a server answers, so that forms can be sent."""

    def runs(self, **query: Any) -> str:
        """Return the address of the list of runs."""
        return _address("/", query)

    def run(self, run_id: str, **query: Any) -> str:
        """Return the address of a run."""
        return _address("/run", {"id": run_id, **query})

    def case(self, case_id: str) -> str:
        """Return the address of a case."""
        return _address("/case", {"id": case_id})

    def compare(self, base: str, current: str, **query: Any) -> str:
        """Return the address of two runs side by side."""
        return _address("/compare", {"base": base, "current": current, **query})

    def label(self, run_id: str, **query: Any) -> str:
        """Return the address of the page on which people label the answers of a run."""
        return _address("/label", {"run": run_id, **query})


class FileLinks:
    """Names of files in one folder, which a digest makes: no text of the database stands in them."""

    is_live = False

    def __init__(self, runs: Collection[str], pairs: Collection[tuple[str, str]], has_case: Callable[[str], bool]):
        """Link to what is written.

        Args:
            runs: ids of runs.
            pairs: what means the two sides of each comparison that is written, the base first.
            has_case: whether the case with an id has a page.
        """
        self._runs = runs
        self._pairs = pairs
        self._has_case = has_case

    def runs(self, **query: Any) -> str | None:
        """Return the name of the list of runs; it is one page, where there are any."""
        return "index.html" if self._runs else None

    def run(self, run_id: str, **query: Any) -> str | None:
        """Return the name of the page of a run; it holds all cases that are written."""
        return f"run-{_name(run_id)}.html" if run_id in self._runs else None

    def case(self, case_id: str) -> str | None:
        """Return the name of the page of a case."""
        return f"case-{_name(case_id)}.html" if self._has_case(case_id) else None

    def compare(self, base: str, current: str, **query: Any) -> str | None:
        """Return the name of the page with two runs side by side."""
        return f"compare-{_name(f'{base} {current}')}.html" if (base, current) in self._pairs else None

    def label(self, run_id: str, **query: Any) -> None:
        """Return None: files take no labels."""


Links = ServedLinks | FileLinks
"""Gives the address of each page as the others link to it; None for a page that there is not."""


def _address(path: str, query: dict[str, Any]) -> str:
    kept = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(kept)}" if kept else path


def _name(text: str) -> str:
    return digest(text)[:24]
