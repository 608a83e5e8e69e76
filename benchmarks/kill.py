"""Kills a contestant when half of its answers are there, and counts what it asks again."""

import time
from dataclasses import dataclass
from pathlib import Path

from bench import Bench
from contestants import Contestant
from watch import end_group, measure, start

__all__ = ["Kill", "kill"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """What a kill -9 of the whole process group left."""

    contestant: str
    rows: int
    resumed: bool
    """Whether the tool has a command that takes the run up again."""
    fault: str = ""
    """Why there is nothing to tell."""
    status: int | None = None
    """Exit status of the second run; None where it took too long."""
    requests: int = 0
    """Until the kill."""
    finished: int = 0
    """Answers that the server had sent."""
    on_disk: int = 0
    """Results that the contestant's files show."""
    requests_again: int = 0
    """Of the second run."""
    repeated: int = 0
    """Of those, for rows that were asked before."""
    repeated_finished: int = 0
    """Of those, for rows whose answer had been sent."""

    @property
    def kept(self) -> float | None:
        """The share of the sent answers that was not asked for again; None where the second run failed."""
        if self.status != 0 or not self.finished:
            return None
        return 1 - self.repeated_finished / self.finished


def kill(bench: Bench, contestant: Contestant, *, rows: int, connections: int) -> Kill:
    """Run, kill, run again; the second run is what the tool offers for it, or the same command."""
    folder = bench.project(contestant, rows)
    fault = _run_half(bench, contestant, folder, rows, connections)
    resumed = contestant.again is not None
    if fault:
        return Kill(contestant=contestant.name, rows=rows, fault=fault, resumed=resumed)
    first = bench.server.ask("/stats")
    while first["in_flight"]:
        time.sleep(0.05)
        first = bench.server.ask("/stats")
    on_disk = contestant.kept(folder)
    again = bench.fill(contestant, contestant.again or contestant.command, folder, connections)
    environ = bench.environ(contestant, folder, connections)
    cost = measure(again, folder=folder, environ=environ, timeout_s=bench.timeout_s)
    both = bench.server.ask("/stats")
    return Kill(
        contestant=contestant.name,
        rows=rows,
        status=cost.status,
        resumed=resumed,
        requests=first["requests"],
        finished=first["finished"],
        on_disk=on_disk,
        requests_again=both["requests"] - first["requests"],
        repeated=both["repeated"] - first["repeated"],
        repeated_finished=both["repeated_finished"] - first["repeated_finished"],
    )


def _run_half(bench: Bench, contestant: Contestant, folder: Path, rows: int, connections: int) -> str:
    """Run until half of the answers were sent, then kill; return why it did not come so far, else nothing."""
    command = bench.fill(contestant, contestant.command, folder, connections)
    bench.server.ask("/reset")
    process = start(command, folder=folder, environ=bench.environ(contestant, folder, connections))
    try:
        deadline = time.monotonic() + bench.timeout_s
        while bench.server.ask(f"/wait?finished={rows // 2}&seconds=0.5")["finished"] < rows // 2:
            if process.poll() is not None:
                return f"exit {process.returncode}"
            if time.monotonic() > deadline:
                return f"more than {bench.timeout_s:.0f} s"
    finally:
        end_group(process.pid)
        process.wait()
    return ""
