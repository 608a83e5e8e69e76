"""Command line: ``python -m data.generators.qa [--check] [--out DIR]``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..files import run
from .build import build


def main(argv: Sequence[str] | None = None) -> int:
    """Write the three files, or with ``--check`` compare them; return the exit status."""
    return run("qa", build, argv, description="Make the QA rows.")


if __name__ == "__main__":
    sys.exit(main())
