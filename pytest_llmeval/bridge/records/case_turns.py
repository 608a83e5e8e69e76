"""How cases came to their turns in a session: which bodies ran ahead, and what was asked twice."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmeval.bridge.casework.cases import AHEAD, SYNC
from pytest_llmeval.bridge.execution.outcomes import JUDGED_OTHERWISE_ATTRIBUTE, OTHERWISE_ATTRIBUTE, TURN_ATTRIBUTE
from pytest_llmeval.core.text import counted, one_line

__all__ = ["CaseTurns"]


class CaseTurns:
    """Gathers from the reports how cases came to their turns, and puts that into lines for the summary."""

    def __init__(self) -> None:
        self._turns: dict[str, str] = {}
        """``CaseRun.turn`` of each case, by node id."""
        self._otherwise: dict[str, str] = {}
        """Suites of cases whose prompt function returned something else in their turn than ahead, by node id."""
        self._judged_otherwise: dict[str, str] = {}
        """Suites of cases that asked a judge something else in their turn than ahead, by node id."""

    def note_report(self, report: Any) -> None:
        """Note what the report of a case says of its turn."""
        for attribute, found in (
            (TURN_ATTRIBUTE, self._turns),
            (OTHERWISE_ATTRIBUTE, self._otherwise),
            (JUDGED_OTHERWISE_ATTRIBUTE, self._judged_otherwise),
        ):
            if hasattr(report, attribute):
                found[report.nodeid] = getattr(report, attribute)

    def lines(self) -> Iterator[str]:
        """Yield lines on how many bodies ran ahead, and why others did not."""
        turns = Counter(self._turns.values())
        if (alone := turns.pop(SYNC, 0)) > 1:
            yield (
                f"sync bodies: {alone:,} asked the model one after another; from async ones, with `await"
                " asyncio.to_thread(...)`, they ask at once"
            )
        others = {why: count for why, count in turns.items() if why != AHEAD}
        if turns:
            reasons = ", ".join(f"{why}: {count:,}" for why, count in others.items())
            message = f"{turns[AHEAD]:,} ran ahead, {sum(others.values()):,} in their turn"
            yield f"async bodies: {message}{f' ({reasons})' if others else ''}"

    def notes(self) -> Iterator[str]:
        """Yield notes on calls made ahead in vain, because the case asked something else in its turn."""
        if self._otherwise:
            prompts = counted(len(self._otherwise), "prompt")
            yield (
                f"note: {prompts} of suite {_names(self._otherwise)} differed in the case's turn from the one asked"
                " ahead, so both were asked; a prompt function must return the same for the same sample"
            )
        if self._judged_otherwise:
            cases = counted(len(self._judged_otherwise), "case")
            yield (
                f"note: {cases} of suite {_names(self._judged_otherwise)} asked the judge otherwise than ahead of their"
                " turn, so both were asked; a variable of the module that it is given must be the same in every case"
                " and process"
            )


def _names(suites: Mapping[str, str]) -> str:
    return one_line(", ".join(sorted(set(suites.values()))), 60)
