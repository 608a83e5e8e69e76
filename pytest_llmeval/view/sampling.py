"""Which cases of a run stand in files: those that a reader looks for first, up to a number."""

from dataclasses import dataclass
from typing import Literal

from pytest_llmeval.store.browsing import Against, BrowsingReader, CasePair, Wanted
from pytest_llmeval.store.records import Run

__all__ = ["Sampled", "sampled"]

_WORST: tuple[Literal["missed", "error"], ...] = ("missed", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Some cases of a run."""

    pairs: list[CasePair]
    """Misses, errors, flips, then the others; each kind in the order of recording."""
    total: int
    """Cases of the run."""

    @property
    def words(self) -> str | None:
        """Which cases there are; None where it is all of them."""
        if len(self.pairs) == self.total:
            return None
        return (
            f"{len(self.pairs):,} of {self.total:,} cases stand here: misses first, then errors, flips and others, as"
            " many as find room. llmeval view shows all of them."
        )


def sampled(reader: BrowsingReader, run: Run, against: Against | None, *, most: int) -> Sampled:
    """Return at most ``most`` cases of a run; a case that flipped since ``against`` comes with its partner."""
    flips = [] if against is None else reader.page(run.id, Wanted(flipped=against), size=most).pairs
    flipped = {pair.case.id: pair for pair in flips}
    worst = [pair for outcome in _WORST for pair in reader.page(run.id, Wanted(outcome=outcome), size=most).pairs]
    others = reader.page(run.id, Wanted(), size=most).pairs
    found = {pair.case.id: flipped.get(pair.case.id, pair) for pair in (*worst, *flips, *others)}
    return Sampled(pairs=list(found.values())[:most], total=reader.count(run.id, Wanted()))
