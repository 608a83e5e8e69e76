"""What one row more costs, between the fewest and the most rows that were run."""

from collections.abc import Callable, Mapping, Sequence

from bench import Measurement
from tables import line
from targets import PROCESSES, ROW_KIB

__all__ = ["slopes_table"]

PAIRS = (("ours", "bare-pytest", 1), ("ours-n2", "bare-pytest-n2", PROCESSES))
"""This plugin, pytest alone, and the number of processes of both."""


def slopes_table(connections: int, measured: Sequence[Measurement]) -> str:
    """Return the table; empty where nobody ran two numbers of rows."""
    lines = []
    for ours, bare, processes in PAIRS:
        ends = [_ends(name, connections, measured) for name in (ours, bare)]
        if None in ends:
            continue
        cpu_ms = [_slope(each, lambda one: one.cost.cpu_s * 1000) for each in ends if each]
        kib = [_slope(each, lambda one: one.cost.peak_kib) / processes for each in ends if each]
        verdict = ""
        if processes > 1:
            verdict = f"{'met' if kib[0] - kib[1] <= ROW_KIB else 'missed'}: at most {ROW_KIB} KiB beyond {bare}"
        lines.append(line(ours, f"{cpu_ms[0]:.2f}", f"{cpu_ms[1]:.2f}", f"{kib[0]:.1f}", f"{kib[1]:.1f}", verdict))
    head = (
        f"### One row more, {connections} connections\n\n"
        "| | CPU ms | bare | KiB in each process | bare | target |\n|---|---|---|---|---|---|"
    )
    return "\n".join([head, *lines]) if lines else ""


def _ends(name: str, connections: int, measured: Sequence[Measurement]) -> tuple[Measurement, Measurement] | None:
    runs: Mapping[int, Measurement] = {
        each.rows: each
        for each in measured
        if each.contestant == name
        and each.cost.status == 0
        and (each.connections == connections or each.counts["requests"] == 0)
    }
    few, many = min(runs, default=0), max(runs, default=0)
    return None if few == many else (runs[few], runs[many])


def _slope(ends: tuple[Measurement, Measurement], value: Callable[[Measurement], float]) -> float:
    few, many = ends
    return (value(many) - value(few)) / (many.rows - few.rows)
