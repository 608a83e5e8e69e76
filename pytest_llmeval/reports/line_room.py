"""How many columns a line may have, in a session and in the command alike."""

from collections.abc import Mapping

__all__ = ["table_columns"]

_WIDEST = 400
"""Columns of a line that is not cut."""
_CI = ("CI", "BUILD_NUMBER")
"""Variables by which pytest, too, knows a CI, in whose logs it shortens nothing.

https://docs.pytest.org/en/stable/explanation/ci.html
"""


def table_columns(width: int, *, is_terminal: bool, environ: Mapping[str, str]) -> int:
    """Return how many columns a line of a table may have, whose names are cut where it is longer.

    In the log of a CI, and in a pipe whose reader set no COLUMNS, so many that hardly a name is.

    Args:
        width: of the terminal, or what stands for it where there is none.
        is_terminal: whether a terminal shows the lines.
        environ: the environment.
    """
    is_log = any(environ.get(name) for name in _CI)
    return max(width, _WIDEST) if is_log or not (is_terminal or _is_told(environ)) else width


def _is_told(environ: Mapping[str, str]) -> bool:
    """Whether COLUMNS says how wide lines may be, as ``shutil.get_terminal_size`` reads it."""
    try:
        return int(environ.get("COLUMNS", "")) > 0
    except ValueError:
        return False
