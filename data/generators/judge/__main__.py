"""Command line: ``python -m data.generators.judge [--check] [--out DIR]``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..files import run
from .build import build


def main(argv: Sequence[str] | None = None) -> int:
    """Write both files, or with ``--check`` compare them; return the exit status.

    They are ASCII: what an attack hides from the eye is then seen in the file.
    """
    return run("judge", build, argv, description="Make the answers and attacks for judges.", ensure_ascii=True)


if __name__ == "__main__":
    sys.exit(main())
