"""Progress lines of a long run, by a clock that the test moves."""

import pytest

from pytest_llmeval.bridge.display.progress import Progress


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lines_of(finished: list[tuple[float, str, float | None]], *, total: int, is_terminal: bool = True) -> list[str]:
    """Return what was put out while cases finished at these seconds, with these outcomes and costs."""
    clock, lines = Clock(), list[str]()
    progress = Progress(total, lines.append, is_terminal=is_terminal, clock=clock)
    for at, outcome, cost in finished:
        clock.now = 100.0 + at
        progress.add(outcome, cost)
    return lines


def test_a_short_run_says_nothing() -> None:
    assert lines_of([(second, "passed", 0.0) for second in range(10)], total=100) == []


def test_a_line_names_how_many_how_fast_how_long_still_and_what_was_spent() -> None:
    finished: list[tuple[float, str, float | None]] = [(n / 2, "passed", 0.001) for n in range(18)]
    finished += [(9.5, "missed", 0.001), (10.0, "error", 0.001)]
    assert lines_of(finished, total=150) == ["llmeval 20/150, 1 missed, 1 errors, 2.0/s, 1:05 left, $0.0200"]


@pytest.mark.parametrize(("is_terminal", "count"), [(True, 9), (False, 3)])
def test_a_terminal_gets_a_line_every_10_seconds_and_a_log_every_30(is_terminal: bool, count: int) -> None:
    lines = lines_of([(float(n), "passed", 0.0) for n in range(1, 99)], total=1000, is_terminal=is_terminal)
    assert len(lines) == count


def test_the_last_case_gets_no_line() -> None:
    assert lines_of([(50.0, "passed", 0.0)], total=1) == []


def test_slow_runs_are_told_by_the_minute() -> None:
    assert lines_of([(40.0, "passed", 0.0)], total=3) == ["llmeval 1/3, 0 missed, 0 errors, 1.5/min, 1:20 left, $0"]


def test_a_cost_of_which_nothing_is_known_is_unknown() -> None:
    assert lines_of([(1.0, "passed", None), (12.0, "error", None)], total=4)[0].endswith(" left, cost unknown")


def test_what_a_call_without_an_answer_cost_hides_not_what_the_others_did() -> None:
    finished: list[tuple[float, str, float | None]] = [(1.0, "passed", 0.5), (2.0, "error", None)]
    for last, spent in ((0.25, "at least $0.7500"), (None, "at least $0.5000")):
        assert lines_of([*finished, (12.0, "passed", last)], total=4)[0].endswith(f" left, {spent}")


def test_a_skipped_case_without_a_call_hides_no_price() -> None:
    assert lines_of([(1.0, "skipped", None), (12.0, "passed", 0.5)], total=4)[0].endswith("$0.5000")


def test_a_case_that_ran_again_counts_once_and_as_its_last_attempt() -> None:
    clock, lines = Clock(), list[str]()
    progress = Progress(4, lines.append, is_terminal=True, clock=clock)
    progress.add("missed", 0.5)
    progress.add("error", 0.25, before=("missed", 0.5))
    progress.add("passed", 0.5, before=("error", 0.25))
    clock.now += 10.0
    progress.add("missed", 0.25)
    assert lines == ["llmeval 2/4, 1 missed, 0 errors, 12.0/min, 0:10 left, $0.7500"]


def test_a_cost_is_known_again_once_the_case_of_which_it_was_not_has_passed() -> None:
    clock, lines = Clock(), list[str]()
    progress = Progress(4, lines.append, is_terminal=True, clock=clock)
    progress.add("passed", 0.5)
    progress.add("error", None)
    progress.add("passed", 0.25, before=("error", None))
    clock.now += 10.0
    progress.add("missed", 0.25)
    assert lines[0].endswith(" left, $1.0000")
