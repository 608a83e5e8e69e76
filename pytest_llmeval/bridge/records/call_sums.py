"""Counts of calls and how they were answered; the process of a second look writes its own to a file."""

import contextlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pytest_llmeval.bridge.records.engine_room import EngineRoom

__all__ = ["CallSum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSum:
    """The numbers in the summary's line ``calls:``."""

    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """Requests without a usable answer, by kind of fault."""
    peak: int = 0
    """Largest number of requests in flight at one moment."""
    cached: int = 0
    recalled: int = 0
    """Answers received in an earlier session."""
    waited_s: float = 0.0
    """Seconds that cases waited for answers in their turns."""

    @classmethod
    def of(cls, room: EngineRoom, *, waited_s: float) -> "CallSum":
        """Return the counts of this process."""
        return cls(
            requests=room.limiter.requests,
            faults=Counter({str(kind): count for kind, count in room.limiter.faults.items()}),
            peak=room.limiter.peak,
            cached=room.counts.cached,
            recalled=room.counts.recalled,
            waited_s=waited_s,
        )

    def __add__(self, later: "CallSum") -> "CallSum":
        """Return the sum of two looks, one after the other."""
        return CallSum(
            requests=self.requests + later.requests,
            faults=self.faults + later.faults,
            peak=max(self.peak, later.peak),
            cached=self.cached + later.cached,
            recalled=self.recalled + later.recalled,
            waited_s=self.waited_s + later.waited_s,
        )

    def write(self, path: Path) -> None:
        """Write the counts for the process that waits for this one; do nothing if the folder is gone."""
        with contextlib.suppress(OSError):
            path.write_text(json.dumps(asdict(self)), encoding="ascii")

    @classmethod
    def read(cls, path: Path) -> "CallSum":
        """Return the counts that the other process wrote; all 0 if it was killed before."""
        try:
            found = json.loads(path.read_text("ascii"))
        except (OSError, ValueError):
            return cls()
        return cls(**{**found, "faults": Counter(found["faults"])})
