"""What this plugin promises beside bare asyncio and bare pytest, and whether a measurement keeps it."""

from collections.abc import Mapping

from bench import Measurement

__all__ = ["target"]

WALL = {(1_000, 32): 1.25, (1_000, 128): 1.7, (10_000, 128): 2.0}
"""At most so many times the wall time of bare-aiohttp, by rows and connections."""
MEMORY_MIB = 250
"""Of one process at 10,000 rows."""
ROW_KIB = 5
"""Of memory beyond bare pytest under xdist, for each row and process."""
PROCESSES = 3
"""With ``-n2``: the controller and two workers."""


def target(each: Measurement, rows: int, connections: int, measured: Mapping[str, Measurement]) -> str:
    """Return the targets of one contestant, each with ``met`` or ``missed``; nothing for those without."""
    done = {name: one for name, one in measured.items() if one.cost.status == 0}
    if each.contestant in ("ours", "ours-async"):
        return "; ".join(_alone(each, rows, connections, done))
    if each.contestant == "ours-n2":
        return "; ".join(_distributed(each, done))
    return ""


def _alone(each: Measurement, rows: int, connections: int, done: Mapping[str, Measurement]) -> list[str]:
    said = []
    most, bare = WALL.get((rows, connections)), done.get("bare-aiohttp")
    if most is not None and bare is not None:
        said.append(_said(each.cost.wall_s / bare.cost.wall_s <= most, f"wall ÷ bare ≤ {most}"))
    if rows == 10_000:
        said.append(_said(each.cost.peak_kib < MEMORY_MIB * 1024, f"< {MEMORY_MIB} MiB"))
    return said


def _distributed(each: Measurement, done: Mapping[str, Measurement]) -> list[str]:
    said = []
    ours, bare, bare_n2 = (done.get(name) for name in ("ours", "bare-pytest", "bare-pytest-n2"))
    if ours is not None and bare is not None and bare_n2 is not None:
        most_s = ours.cost.wall_s + bare_n2.cost.wall_s - bare.cost.wall_s
        said.append(_said(each.cost.wall_s <= most_s, f"wall ≤ {most_s:.2f} s"))
    if bare_n2 is not None:
        most_kib = bare_n2.cost.peak_kib + ROW_KIB * each.rows * PROCESSES
        said.append(_said(each.cost.peak_kib <= most_kib, f"≤ {most_kib / 1024:.0f} MiB"))
    return said


def _said(met: bool, text: str) -> str:
    return f"{'met' if met else 'missed'}: {text}"
