"""Plain tables: aligned, shrinking, no wider than they may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.reports.table import Column, table_lines, table_width

COLUMNS: list[Column] = [("name", "left"), ("n", "right"), ("id", "fixed")]
ROWS = [["short", "1", "abc"], ["a much longer name", "1000", "d"]]


def test_columns_are_aligned() -> None:
    assert table_lines(COLUMNS, ROWS, width=80, indent="  ") == [
        "  name                   n  id",
        "  short                  1  abc",
        "  a much longer name  1000  d",
    ]


def test_a_wide_column_gives_way_in_its_middle() -> None:
    assert table_lines(COLUMNS, ROWS, width=25) == [
        "name               n  id",
        "short              1  abc",
        "a much... name  1000  d",
    ]


def test_numbers_and_ids_are_never_cut() -> None:
    lines = table_lines(COLUMNS, [["short", "123456789012", "20250102-030405-abc123"]], width=1)
    assert lines[1] == "short  123456789012  20250102-030405-abc123"


def test_no_column_becomes_narrower_than_eight() -> None:
    assert table_lines(COLUMNS, ROWS, width=1)[2] == "a m...me  1000  d"


def test_the_widest_column_gives_way_first() -> None:
    columns: list[Column] = [("a", "left"), ("b", "left")]
    assert table_lines(columns, [["x" * 30, "y" * 10]], width=30)[1] == "x" * 8 + "..." + "x" * 7 + "  " + "y" * 10


def test_signs_that_take_two_columns_are_counted_so() -> None:
    """Those of Chinese, Japanese and Korean, and full-width forms."""
    rows = [["\u6f22\u5b57", "1", "x"], ["abcd", "\uff11", "y"], ["\u6f22" * 20, "22", "z"]]
    assert table_lines(COLUMNS, rows, width=24) == [
        "name               n  id",
        "\u6f22\u5b57               1  x",
        "abcd              \uff11  y",
        "\u6f22\u6f22\u6f22...\u6f22\u6f22\u6f22   22  z",
    ]
    assert table_width(COLUMNS, rows) == 40 + 2 + 2 + 2 + 2


def test_marks_on_a_sign_take_no_column() -> None:
    """Accents that stand apart from their letter, vowels of Thai; a name that is cut ends with no mark of nothing."""
    rows = [["cafe\u0301", "1", "x"], ["\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48", "2", "y"], ["e\u0301" * 20, "3", "z"]]
    assert table_lines(COLUMNS, rows, width=15) == [
        "name      n  id",
        "cafe\u0301      1  x",
        "\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48        2  y",
        "e\u0301e\u0301e\u0301...e\u0301e\u0301  3  z",
    ]


def test_columns_that_can_be_spared_are_left_out_where_names_at_their_narrowest_find_no_room() -> None:
    spare = ["n", "id"]
    assert table_lines(COLUMNS, ROWS, width=20, spare=spare)[2] == "a m...ame  1000  d"
    assert table_lines(COLUMNS, ROWS, width=18, spare=spare) == [
        "name           id",
        "short          abc",
        "a muc... name  d",
    ]
    assert table_lines(COLUMNS, ROWS, width=8, spare=spare) == ["name", "short", "a m...me"]


def test_columns_that_can_be_spared_are_left_out_before_names_look_the_same() -> None:
    columns: list[Column] = [("rule", "left"), ("interval", "right"), ("verdict", "fixed")]
    rows = [["max_drop=0.02", "0.1..0.2", "pass"], ["max_error_rate=0.02", "0.3..0.4", "unmeasurable"]]
    kept, spared = table_lines(columns, rows, width=38), table_lines(columns, rows, width=38, spare=["interval"])
    assert [line.split()[0] for line in kept] == ["rule", "max_drop=0.02", "max_er...=0.02"]
    assert table_lines(columns, rows, width=35)[1:] == [
        "max_...0.02  0.1..0.2  pass",
        "max_...0.02  0.3..0.4  unmeasurable",
    ]
    assert table_lines(columns, rows, width=35, spare=["interval"])[1:] == [
        "max_drop=0.02        pass",
        "max_error_rate=0.02  unmeasurable",
    ]
    assert spared == kept  # they are told apart


def test_no_column_is_left_out_for_names_that_look_the_same_without_it_too() -> None:
    """Only what finds no room at all."""
    columns: list[Column] = [("name", "left"), ("interval", "right"), ("change", "right")]
    rows = [["x" * 60 + each + "y" * 60, "0.1..0.2", "+0.25"] for each in "ab"]
    spare = ["interval", "change"]
    assert table_lines(columns, rows, width=40, spare=spare) == table_lines(columns, rows, width=40)
    assert table_lines(columns, rows, width=18, spare=spare)[1] == "xxxx...yyy   +0.25"


def test_a_table_without_rows_has_its_header() -> None:
    assert table_lines(COLUMNS, [], width=80) == ["name  n  id"]


def test_a_table_says_how_wide_it_wants_to_be() -> None:
    assert table_width(COLUMNS, ROWS) == max(map(len, table_lines(COLUMNS, [*ROWS, ["", "", "abc"]], width=80)))


@given(
    st.lists(st.tuples(st.text("abc ", max_size=40), st.text("0123", max_size=6), st.text("xyz", max_size=6))),
    st.integers(0, 100),
)
def test_no_line_is_wider_than_allowed_where_columns_can_give_way(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = table_lines(COLUMNS, rows, width=width, indent=" ")
    least = 1 + 8 + 2 + 6 + 2 + 6
    assert max(map(len, lines)) <= max(width, least)
    assert len(lines) == len(rows) + 1


@pytest.mark.parametrize("width", [80, 20])
def test_lines_have_no_blanks_at_their_end(width: int) -> None:
    assert all(line == line.rstrip() for line in table_lines(COLUMNS, [["a", "1", ""], *ROWS], width=width))
