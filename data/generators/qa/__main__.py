"""Command line: ``python -m data.generators.qa [--check] [--out DIR]``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ..files import Rows, differing, write
from .build import build

SHIPPED = Path(__file__).resolve().parents[2] / "qa"


def encode(rows: Rows) -> bytes:
    """Return the rows as UTF-8 JSON Lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the three files, or with ``--check`` compare them; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m data.generators.qa", description="Make the QA rows.")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="folder of the files (default: data/qa)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    options = parser.parse_args(argv)
    splits = build()
    if not options.check:
        for path in write(splits, options.out, encode):
            sys.stdout.write(f"wrote {path}\n")
        return 0
    names = differing(splits, options.out, encode)
    for name in names:
        sys.stderr.write(f"{name} differs from what the generator makes\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
