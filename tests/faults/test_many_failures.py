"""Thousands of failed rows: each costs little, the summary stays short and the counts are right."""

import re

import pytest

from tests.support.project import Project

COUNT = 3000
ROWS = [{"id": f"r{n:04}", "input": "bad" if n % 5 == 0 else "good"} for n in range(COUNT)]
BODY = "def test_echo(sample):\n    assert sample.input == 'good', 'not good'\n"


def test_the_first_twenty_are_shown_and_one_line_counts_the_rest(project: Project) -> None:
    """What others add to the summary is of all reports."""
    project.eval(BODY, ROWS)
    project.write(
        conftest_py="""
        def pytest_terminal_summary(terminalreporter):
            terminalreporter.write_line(f"{len(terminalreporter.stats['failed'])} failed, says the project")
    """
    )
    result = project.run("evals", "-p", "no:cacheprovider")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["600 failed, says the project"])
    lines = result.stdout.lines
    assert sum(line.startswith("FAILED evals/test_echo.py::") for line in lines) == 20
    assert sum(line.startswith("____") for line in lines) == 20
    assert sum("580 cases more failed; -vv shows each" in line for line in lines) == 1
    result.stdout.fnmatch_lines(["*600 failed, 2400 passed in*"])
    assert len(lines) < 700
    assert project.rows("SELECT outcome, count(*) AS n FROM cases GROUP BY outcome ORDER BY outcome") == [
        {"outcome": "missed", "n": 600},
        {"outcome": "passed", "n": 2400},
    ]


@pytest.mark.parametrize("arguments", [["-n2"], ["-vv", "-p", "no:xdist"]])
def test_ordinary_failures_are_never_hidden(project: Project, arguments: list[str]) -> None:
    project.eval(BODY, ROWS[:150])
    project.write(
        evals__test_own_py="""
        import pytest

        @pytest.mark.parametrize("n", range(25))
        def test_own(n):
            assert n < 0
    """
    )
    result = project.run("evals", *arguments)
    assert result.ret == 1
    shown = [line for line in result.stdout.lines if line.startswith("FAILED")]
    assert sum("test_own" in line for line in shown) == 25
    assert sum("test_echo" in line for line in shown) == (30 if "-vv" in arguments else 20)
    result.assert_outcomes(passed=120, failed=55)


def test_misses_of_a_gated_suite_are_no_failures_however_many(project: Project) -> None:
    project.eval(BODY, ROWS[:500])
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {min: 0.7}}}\n")
    result = project.run("evals")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*400 passed, 100 missed*"])
    assert len(result.stdout.lines) < 60
    assert project.rows("SELECT value, n FROM verdicts WHERE metric = 'pass_rate'") == [{"value": 0.8, "n": 500}]


def test_of_an_error_told_in_one_line_pytest_represents_one_frame(project: Project) -> None:
    """All of them took it 30 ms a row; what debuggers see is whole, and so is what pytest shows of expected errors."""
    project.eval(
        """
        def test_echo(response):
            pass

        @pytest.mark.llmeval("data/echo.jsonl")
        def test_own(sample):
            raise ValueError("own")

        @pytest.mark.llmeval("data/echo.jsonl")
        @pytest.mark.xfail(reason="may fail")
        def test_expected(response):
            pass
        """,
        ROWS[:1],
    )
    project.write(
        conftest_py="""
        import pytest

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            if call.excinfo is not None:
                print(f"{item.originalname}: {len(report.longrepr.reprtraceback.reprentries)} represented")
            return report

        def pytest_exception_interact(node, call):
            print(f"{node.originalname}: {len(call.excinfo.traceback)} to debug")
        """
    )
    model = f"openai:fault-status-400@{project.server.url}"
    result = project.run("evals", "-s", "--xfail-tb", "-p", "no:xdist", model=model)
    result.assert_outcomes(errors=2, xfailed=1)
    represented = dict(re.findall(r"(test_\w+): (\d+) represented", result.stdout.str()))
    whole = dict(re.findall(r"(test_\w+): (\d+) to debug", result.stdout.str()))
    assert (represented["test_echo"], represented["test_own"]) == ("1", "1")  # of an error of the code, the body's own
    assert min(int(frames) for frames in (represented["test_expected"], *whole.values())) > 10
    result.stdout.fnmatch_lines(["bad_request: fault-status-400 at *: HTTP 400: fault 400", "*ValueError: own"])
