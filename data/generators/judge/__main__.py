"""Command line: ``python -m data.generators.judge [--check] [--out DIR]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .build import build
from .files import SHIPPED, differing, write


def main(argv: Sequence[str] | None = None) -> int:
    """Write both files, or with ``--check`` compare them; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m data.generators.judge", description="Make the answers and attacks for judges."
    )
    parser.add_argument("--out", type=Path, default=SHIPPED, help="folder of the files (default: data/judge)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    options = parser.parse_args(argv)
    made = build()
    if not options.check:
        for path in write(made, options.out):
            sys.stdout.write(f"wrote {path}\n")
        return 0
    names = differing(made, options.out)
    for name in names:
        sys.stderr.write(f"{name} differs from what the generator makes\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
