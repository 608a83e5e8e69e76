"""Write rows as JSON Lines, or compare them with the files that are there."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[dict[str, Any]]
_DATA = Path(__file__).resolve().parents[1]


def run(
    name: str,
    build: Callable[[], Mapping[str, Rows]],
    argv: Sequence[str] | None,
    *,
    description: str,
    ensure_ascii: bool = False,
) -> int:
    """Write the files that a generator makes, or with ``--check`` compare them; return the exit status.

    Args:
        name: of the generator, and of the folder of its files.
        build: returns the rows of each file.
        argv: of the command line; None stands for that of the process.
        description: for its help.
        ensure_ascii: whether all other characters are escaped in the files.
    """
    parser = argparse.ArgumentParser(prog=f"python -m data.generators.{name}", description=description)
    parser.add_argument("--out", type=Path, default=_DATA / name, help=f"folder of the files (default: data/{name})")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    options = parser.parse_args(argv)
    different = 0
    for stem, rows in build().items():
        path = options.out / f"{stem}.jsonl"
        content = "".join(json.dumps(row, ensure_ascii=ensure_ascii) + "\n" for row in rows).encode("utf-8")
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            sys.stdout.write(f"wrote {path}\n")
        elif not path.is_file() or path.read_bytes() != content:
            different += 1
            sys.stderr.write(f"{path.name} differs from what the generator makes\n")
    return 1 if different else 0
