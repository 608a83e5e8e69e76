"""Runs contestants against the latency server, each in a folder of its own."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contestants import BODIES, Contestant
from rivals import bin_folder
from watch import Cost, Memory, measure

__all__ = ["Bench", "Measurement", "Server"]

ROOT = Path(__file__).resolve().parent.parent
OPT_OUT = {
    "ANONYMIZED_TELEMETRY": "False",
    "DEEPEVAL_DISABLE_DOTENV": "1",
    "DEEPEVAL_TELEMETRY_OPT_OUT": "YES",
    "DEEPEVAL_UPDATE_WARNING_OPT_IN": "NO",
    "DO_NOT_TRACK": "1",
    "LOGFIRE_SEND_TO_LOGFIRE": "false",
    "OTEL_SDK_DISABLED": "true",
}
STRIPPED = ("LLMEVAL_", "PYTEST_", "OPENAI_", "INSPECT_", "DEEPEVAL_", "LOGFIRE_", "PYTHON", "COVERAGE_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One contestant, run once."""

    contestant: str
    rows: int
    connections: int
    cost: Cost
    counts: dict[str, Any]
    """The server's, with ``cpu_s`` that it took for them."""
    mean: float | None

    @property
    def first_request_s(self) -> float | None:
        """Seconds from the start of the command to its first request; None without one."""
        first_at: float | None = self.counts["first_request_at"]
        return None if first_at is None else first_at - self.cost.started_at


class Server:
    """The latency server, in a process of its own."""

    def __init__(self, address: str) -> None:
        self.address = address

    @classmethod
    @contextmanager
    def started(cls, latency_ms: float) -> Iterator["Server"]:
        """Start the server, and end it at the end."""
        command = [sys.executable, str(ROOT / "benchmarks" / "latency_server.py"), f"--latency-ms={latency_ms}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            try:
                if not address:
                    raise SystemExit("the latency server did not start; it needs aiohttp: pip install aiohttp")
                yield cls(address)
            finally:
                process.terminate()

    def ask(self, path: str) -> dict[str, Any]:
        """Return the counts after a request of ``path``."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.address + path, timeout=600) as response:
            counts: dict[str, Any] = json.load(response)
        return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where and how contestants are run."""

    server: Server
    folder: Path
    """Takes one folder for each run."""
    venvs: Path
    timeout_s: float
    memory: Memory = "rss"

    def run(self, contestant: Contestant, *, rows: int, connections: int) -> Measurement:
        """Run a contestant in a new folder."""
        folder = self.project(contestant, rows)
        command = self.fill(contestant, contestant.command, folder, connections)
        environ = self.environ(contestant, folder, connections)
        before = self.server.ask("/reset")
        cost = measure(command, folder=folder, environ=environ, timeout_s=self.timeout_s, memory=self.memory)
        counts = self.server.ask("/stats")
        counts["cpu_s"] -= before["cpu_s"]
        if cost.status != 0:
            _show_end(contestant, cost, folder)
        if contestant.after and cost.status == 0:
            after = self.fill(contestant, contestant.after, folder, connections)
            with (folder / "after.txt").open("wb") as output:
                subprocess.run(after, cwd=folder, env=environ, stdout=output, stderr=subprocess.DEVNULL, check=False)
        return Measurement(
            contestant=contestant.name,
            rows=rows,
            connections=connections,
            cost=cost,
            counts=counts,
            mean=contestant.mean(folder) if cost.status == 0 else None,
        )

    def project(self, contestant: Contestant, rows: int) -> Path:
        """Write a new project with its rows; return its folder."""
        number = len(list(self.folder.iterdir()))
        folder = self.folder / f"{number:03d}-{contestant.name}"
        place = folder / contestant.place
        place.parent.mkdir(parents=True)
        place.write_text((BODIES / contestant.body).read_text())
        (folder / "pytest.ini").write_text("[pytest]\n")
        with (folder / "rows.jsonl").open("w") as file:
            for each in range(rows):
                text = f"row number {each} of the dataset, with a text of about one hundred characters in its input"
                file.write(json.dumps({"id": f"row-{each:06d}", "input": text, "target": text}) + "\n")
        return folder

    def fill(self, contestant: Contestant, command: Sequence[str], folder: Path, connections: int) -> list[str]:
        """Return the command with everything filled in."""
        words = {"python": sys.executable, "url": f"{self.server.address}/v1", "connections": connections}
        if contestant.rival is not None:
            words["bin"] = bin_folder(self.venvs, contestant.rival)
        filled: list[str] = []
        for part in command:
            if "*" in part:
                filled.extend(str(found.relative_to(folder)) for found in sorted(folder.glob(part)))
            else:
                filled.append(part.format(**words))
        return filled

    def environ(self, contestant: Contestant, folder: Path, connections: int) -> dict[str, str]:
        """Return the environment: nobody's settings, no telemetry, and homes within the project."""
        environ = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(STRIPPED) and key.lower() not in PROXIES
        }
        environ |= OPT_OUT | {
            "BENCH_URL": f"{self.server.address}/v1",
            "BENCH_CONNECTIONS": str(connections),
            "BENCH_RUBRIC": str(ROOT / "pytest_llmeval" / "rubrics" / "qa.yaml"),
            "OPENAI_API_KEY": "none",
            "XDG_CACHE_HOME": str(folder / ".cache"),
            "XDG_DATA_HOME": str(folder / ".data"),
        }
        if contestant.rival is None:  # pytest alone, with the plugins that the command names, from this checkout
            environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
        return environ | dict(contestant.environ)


def _show_end(contestant: Contestant, cost: Cost, folder: Path) -> None:
    """Show why a contestant did not come to its end."""
    lines = (folder / "output.txt").read_text(errors="replace").strip().splitlines()[-5:]
    print(f"{contestant.name}: exit {cost.status}", *lines, sep="\n    ", file=sys.stderr, flush=True)
