"""Command line: write the files, or check them with ``--check``."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from .files import file_bytes

_SHIPPED = Path(__file__).parents[2] / "json_extraction"


def main(arguments: list[str] | None = None) -> int:
    """Write the files or compare them; return 1 if a compared file differs, else 0."""
    parser = argparse.ArgumentParser(prog="python -m data.generators.json_extraction", description=__doc__)
    parser.add_argument("--out", type=Path, default=_SHIPPED, metavar="DIR", help="folder of the files")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    options = parser.parse_args(arguments)
    different = 0
    for name, content in file_bytes().items():
        path = options.out / name
        if options.check:
            same = path.is_file() and path.read_bytes() == content
            different += not same
            print(f"{name}: {'same' if same else 'DIFFERENT'}")
        else:
            options.out.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            print(f"{hashlib.sha256(content).hexdigest()}  {name}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
