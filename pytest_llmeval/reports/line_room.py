"""The width of output lines, shared by sessions and the command."""

from collections.abc import Mapping

__all__ = ["table_columns"]

_WIDEST = 400
"""Number of columns of a line that is, in effect, never cut."""
_CI = ("CI", "BUILD_NUMBER")
"""Environment variables that mark a CI, for pytest too, which shortens nothing in CI logs:
https://docs.pytest.org/en/stable/explanation/ci.html"""


def table_columns(width: int, *, is_terminal: bool, environ: Mapping[str, str]) -> int:
    """Return the largest number of columns of a table's line; in a longer one names are cut.

    In a CI log, and in a pipe without COLUMNS, it is so large that hardly any name is cut.

    Args:
        width: the width of the terminal, or its default where there is none.
        is_terminal: whether the lines go to a terminal.
        environ: the environment variables.
    """
    is_log = any(environ.get(name) for name in _CI)
    return max(width, _WIDEST) if is_log or not (is_terminal or _is_told(environ)) else width


def _is_told(environ: Mapping[str, str]) -> bool:
    """Whether COLUMNS sets the width of lines, as ``shutil.get_terminal_size`` reads it."""
    try:
        return int(environ.get("COLUMNS", "")) > 0
    except ValueError:
        return False
