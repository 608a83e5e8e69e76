"""Turns measurements into Markdown."""

import importlib.metadata
import math
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from bench import Measurement
from contestants import CONTESTANTS
from kill import Kill
from rivals import version
from targets import target

__all__ = ["calls_table", "kill_table", "line", "machine", "setting", "start_up_table"]

REFERENCE = "bare-aiohttp"


def machine(venvs: Path, rivals: Iterable[str], latency_ms: float, memory: str) -> str:
    """Return when, where and with what was measured; ``rivals`` are the other tools that take part."""
    packages = ("pytest", "pytest-llmeval", "pytest-xdist", "openai", "httpx2", "aiohttp")
    versions = [f"{name} {_version(name)}" for name in packages]
    others = [f"{name} {version(venvs, name, name)} (openai {version(venvs, name, 'openai')})" for name in rivals]
    load = os.getloadavg()[0]
    lines = [
        f"{_host()}; load average before: {load:.1f}.",
        f"{', '.join(versions)}.",
        *([f"{', '.join(others)}."] if others else []),
        f"The server answers after {latency_ms:g} ms. Wall time is from the start of the command to its exit; CPU is "
        f"user and system time of the process tree; memory is the largest sum of {memory.upper()} over the tree, "
        "looked at every 50 ms.",
    ]
    return "\n".join(lines)


def setting() -> str:
    """Return when, where and with which version of the package something is simulated."""
    return f"{_host()}, pytest-llmeval {_version('pytest-llmeval')}."


def calls_table(rows: int, connections: int, latency_ms: float, measured: Mapping[str, Measurement]) -> str:
    """Return the table of one setting; ``measured`` has one entry per contestant."""
    head = (
        f"### {rows:,} rows, {connections} connections\n\n"
        "| contestant | rows | wall s | CPU s | peak MiB | requests | in flight | mean "
        "| wall ÷ bare | CPU ÷ bare | MiB ÷ bare | target |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    reference = measured.get(REFERENCE)
    lines = [_calls_line(each, reference, target(each, rows, connections, measured)) for each in _ordered(measured)]
    least_s = math.ceil(rows / connections) * latency_ms / 1000
    notes = [f"The latency alone makes {least_s:.2f} s."]
    if reference is not None and reference.counts["requests"]:
        server_ms = reference.counts["cpu_s"] / reference.counts["requests"] * 1000
        notes.append(f"The server took {server_ms:.2f} ms of CPU for each request of {REFERENCE}.")
    if any(each.rows != rows for each in measured.values()):
        notes.append(
            "~ of fewer rows: the ratio is of the time for each row, in which the start weighs more than it would."
        )
    return "\n".join([head, *lines, "", *notes])


def _calls_line(each: Measurement, reference: Measurement | None, verdict: str) -> str:
    cost = each.cost
    if cost.status != 0:
        reason = "took too long" if cost.status is None else f"exit {cost.status}"
        return f"| {each.contestant} | {each.rows:,} | n/a ({reason}) | | | {each.counts['requests']:,} | | | | | | |"
    return line(
        each.contestant,
        f"{each.rows:,}",
        f"{cost.wall_s:.2f}",
        f"{cost.cpu_s:.2f}",
        f"{cost.peak_kib / 1024:.0f}",
        f"{each.counts['requests']:,}",
        each.counts["max_in_flight"],
        "–" if each.mean is None else f"{each.mean:.3f}",
        _ratio(each, reference, lambda one: one.cost.wall_s / one.rows),
        _ratio(each, reference, lambda one: one.cost.cpu_s / one.rows),
        _ratio(each, reference, lambda one: one.cost.peak_kib, same_rows=True),
        verdict,
    )


def start_up_table(rows: int, measured: Mapping[str, Measurement]) -> str:
    """Return how long each contestant takes to its first request."""
    lines = [
        f"### From the start of the command to the first request, {rows} rows\n",
        "| contestant | s | target |\n|---|---|---|",
    ]
    for each in _ordered(measured):
        seconds = each.first_request_s
        if each.cost.status != 0 or seconds is None:
            lines.append(line(each.contestant, f"n/a (exit {each.cost.status})", ""))
            continue
        verdict = ""
        if each.contestant.startswith("ours"):
            verdict = f"{'met' if seconds <= 1.5 else 'missed'}: at most 1.5"
        lines.append(line(each.contestant, f"{seconds:.2f}", verdict))
    return "\n".join(lines)


def kill_table(connections: int, kills: Sequence[Kill]) -> str:
    """Return what a kill -9 of the process group at half time costs."""
    lines = [
        f"### After kill -9 at half of the answers, {connections} connections\n",
        "| contestant | rows | answers sent | results on disk | second run | its requests | asked again "
        "| of these, answered before | share kept |\n|---|---|---|---|---|---|---|---|---|",
    ]
    for each in kills:
        if each.fault:
            lines.append(line(each.contestant, f"{each.rows:,}", f"n/a ({each.fault})", *[""] * 6))
            continue
        lines.append(
            line(
                each.contestant,
                f"{each.rows:,}",
                f"{each.finished:,}",
                f"{each.on_disk:,}",
                f"{'resumes' if each.resumed else 'starts again'}, "
                + ("took too long" if each.status is None else f"exit {each.status}"),
                f"{each.requests_again:,}",
                f"{each.repeated:,}",
                f"{each.repeated_finished:,}",
                "n/a" if each.kept is None else f"{each.kept:.1%}",
            )
        )
    return "\n".join(lines)


def _ordered(measured: Mapping[str, Measurement]) -> Iterable[Measurement]:
    return [measured[each.name] for each in CONTESTANTS if each.name in measured]


def _ratio(
    each: Measurement,
    reference: Measurement | None,
    value: Callable[[Measurement], float],
    *,
    same_rows: bool = False,
) -> str:
    if reference is None or reference.cost.status != 0 or (same_rows and each.rows != reference.rows):
        return "–"
    mark = "~" if each.rows != reference.rows else ""
    return f"{mark}{value(each) / value(reference):.2f}"


def line(*cells: object) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _host() -> str:
    day, python = time.strftime("%Y-%m-%d"), platform.python_version()
    return f"{day}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {python}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
