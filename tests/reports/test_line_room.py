"""How wide a line may be: as the terminal, and where none shows it so wide that nothing is cut."""

import pytest

from pytest_llmeval.reports.line_room import table_columns


@pytest.mark.parametrize(
    ("is_terminal", "environ", "columns"),
    [
        (True, {}, 80),
        (True, {"COLUMNS": "80"}, 80),
        (False, {"COLUMNS": "80"}, 80),
        (False, {}, 400),
        (False, {"COLUMNS": ""}, 400),
        (False, {"COLUMNS": "0"}, 400),
        (True, {"CI": "true"}, 400),
        (True, {"CI": ""}, 80),
        (False, {"BUILD_NUMBER": "7", "COLUMNS": "80"}, 400),
    ],
)
def test_what_no_terminal_shows_is_not_cut(is_terminal: bool, environ: dict[str, str], columns: int) -> None:
    """A variable of a CI counts as pytest counts it, where it is not empty."""
    assert table_columns(80, is_terminal=is_terminal, environ=environ) == columns


def test_a_wide_terminal_stays_so_in_a_ci() -> None:
    assert table_columns(1000, is_terminal=True, environ={"CI": "1"}) == 1000
