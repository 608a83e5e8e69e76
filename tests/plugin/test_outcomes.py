"""What a case comes to, and what status the session ends with: contract sections 1 and 4."""

from typing import Any

import pytest

from tests.support.project import OPTIONS, Project
from tests.support.row_evals import EXACT

ROWS = [{"id": "good", "input": "yes", "target": "yes"}, {"id": "bad", "input": "no", "target": "yes"}]
GATED = """
version: 1
suites:
  echo: {exact: {min: 0.5}}
"""


def test_without_rules_a_miss_is_a_plain_failure(project: Project, dist_args: list[str]) -> None:
    project.eval(EXACT, ROWS)
    result = project.run("evals", *dist_args)
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*exact: 0 is under the pass mark 1*", '*expected "yes"*', '*got "no"*'])
    assert project.cases() == {"good": "passed", "bad": "missed"}


def test_with_rules_the_gate_decides_and_a_miss_passes(project: Project, dist_args: list[str]) -> None:
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml=GATED)
    result = project.run("evals", *dist_args)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*gate: PASS (1 pass)*", "*1 passed, 1 missed*"])
    assert project.last_run()["verdict"] == "pass"
    assert project.last_run()["exit_code"] == 0


def test_a_failing_rule_ends_with_1(project: Project, dist_args: list[str]) -> None:
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml=GATED.replace("0.5", "0.6"))
    result = project.run("evals", *dist_args)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*exact*0.500*min=0.6*fail*", "*gate: FAIL (1 fail)*"])
    assert project.last_run()["verdict"] == "fail"


def test_a_plain_assert_is_a_miss_seen_by_pass_rate(project: Project) -> None:
    project.eval("def test_echo(sample, response):\n    assert response.text == sample.target\n", ROWS)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {min: 0.5}}}\n")
    result = project.run("evals")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*1 passed, 1 missed*"])
    error = project.rows("SELECT error FROM cases WHERE outcome = 'missed'")[0]["error"]
    assert error.splitlines()[0].startswith("assert '"), error
    assert "\n" in error, "pytest's explanation, line by line"


def test_every_scorer_of_a_body_is_recorded_before_the_miss(project: Project) -> None:
    project.eval(
        """
        def test_echo(sample, response, score):
            score.exact(response, sample.target)
            score.contains(response, "n", name="has_n")
            score.record("length", len(response.text))
        """,
        ROWS[1:],
    )
    project.run("evals")
    scores = project.rows("SELECT name, value, passed FROM scores ORDER BY name")
    assert scores == [
        {"name": "exact", "value": 0.0, "passed": 0},
        {"name": "has_n", "value": 1.0, "passed": 1},
        {"name": "length", "value": 2.0, "passed": None},
    ]


@pytest.mark.parametrize("header", ["def", "async def"])
def test_a_response_that_is_compared_with_a_string_tells_of_its_text(project: Project, header: str) -> None:
    project.eval(f"{header} test_echo(response):\n    assert response == 'yes'\n", ROWS[:1])
    assert project.run("evals").ret == 1
    (case,) = project.rows("SELECT outcome, error FROM cases")
    assert case["outcome"] == "missed" and "a Response equals no string: compare response.text" in case["error"]


def test_a_wrong_call_of_a_scorer_is_a_line_of_the_test(project: Project) -> None:
    """Of the code behind it nothing is shown: what is wrong stands in the test."""
    project.eval("def test_echo(response, score):\n    score.exact(response, 'x', case_fold=True)\n", ROWS[:1])
    text = project.run("evals").stdout.str()
    assert "score.exact: got an unexpected keyword argument 'case_fold'; its settings are" in text
    assert "evals/test_echo.py:" in text and "book.py" not in text


def test_an_error_is_no_miss_and_has_no_score(project: Project, spread: list[str]) -> None:
    project.eval(EXACT, ROWS)
    result = project.run("evals", *spread, model=f"openai:fault-status-400@{project.server.url}")
    assert result.ret == 1  # an ungated suite has errors
    assert project.cases() == {"good": "error", "bad": "error"}
    assert {row["error_kind"] for row in project.rows("SELECT error_kind FROM cases")} == {"bad_request"}
    assert project.rows("SELECT * FROM scores") == []
    result.stdout.fnmatch_lines(["*bad_request: *"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_errors_above_the_rate_make_a_gated_run_unmeasurable(project: Project, spread: list[str]) -> None:
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml=GATED)
    result = project.run("evals", *spread, model=f"openai:fault-status-400@{project.server.url}")
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*gate: UNMEASURABLE*"])
    assert "continue with" not in result.stdout.str()  # nothing was answered
    assert project.last_run()["status"] == "unmeasurable"
    assert project.last_run()["exit_code"] == 10


def test_authentication_is_unmeasurable_in_any_suite(project: Project, spread: list[str]) -> None:
    project.eval(EXACT, ROWS)
    result = project.run("evals", *spread, model=f"openai:fault-status-401@{project.server.url}")
    assert result.ret == 10
    assert {row["error_kind"] for row in project.rows("SELECT error_kind FROM cases")} == {"auth"}


TOGETHER: list[tuple[str, str, str | None, int, str]] = [
    ("tasks.create_task(model.generate())", "error", "auth", 10, "HTTP 401"),
    ("raise ExceptionGroup('two', [AssertionError('a'), AssertionError('b')])", "missed", None, 1, "a"),
    (
        "raise ExceptionGroup('two', [AssertionError('a'), ExceptionGroup('one', [ValueError('v')])])",
        "error",
        "code",
        1,
        "ValueError: v",
    ),
    (
        "late = pytest.fail.Exception('Timeout (>1.0s) from pytest-timeout.')\n"
        "                raise BaseExceptionGroup('two', [AssertionError('a'), late])",
        "error",
        "timeout",
        1,
        "Timeout (>1.0s)",
    ),
]
"""Bodies in which several things fail at once, and what their case comes to."""


@pytest.mark.parametrize(
    ("body", "outcome", "kind", "status", "error", "spread"),
    [*((*each, []) for each in TOGETHER), (*TOGETHER[0], ["-n2"])],
)
def test_of_failures_that_come_together_the_gravest_decides(
    project: Project, body: str, outcome: str, kind: str | None, status: int, error: str, spread: list[str]
) -> None:
    project.eval(
        f"""
        async def test_echo(sample, model):
            import asyncio
            async with asyncio.TaskGroup() as tasks:
                {body}
        """,
        [ROWS[1]],
    )
    result = project.run("evals", *spread, model=f"openai:fault-status-401@{project.server.url}")
    (case,) = project.rows("SELECT outcome, error_kind, error FROM cases")
    assert (case["outcome"], case["error_kind"], result.ret) == (outcome, kind, status)
    assert error in case["error"]
    assert "sub-exception" not in case["error"]


@pytest.mark.parametrize(("rules", "kind", "status"), [("", "code", 1), (GATED, "auth", 10)], ids=["none", "gated"])
def test_a_fault_of_the_code_hides_the_end_of_the_calls_only_where_it_fails_by_itself(
    project: Project, rules: str, kind: str, status: int
) -> None:
    project.eval(
        """
        def test_echo(sample, response, score):
            from pytest_llmeval import CallError
            from pytest_llmeval.core.errors import ErrorKind
            score.exact(response, sample.target)
            if sample.id == "bad":
                raise ExceptionGroup("two", [CallError("refused", kind=ErrorKind.AUTH), ValueError("v")])
        """,
        [ROWS[0] | {"id": name} for name in ("bad", *"abcdefghijklmnopqrstu")],
    )
    if rules:
        project.write(thresholds_yaml=rules)
    result = project.run("evals")
    found = project.rows("SELECT error_kind FROM cases WHERE outcome = 'error'")
    assert ([row["error_kind"] for row in found], result.ret) == ([kind], status)


def test_a_rule_that_fails_anyway_fails_despite_errors(project: Project) -> None:
    project.eval(
        """
        def test_echo(sample, response, score):
            if sample.id == "crash":
                raise RuntimeError("boom")
            score.exact(response, sample.target)
        """,
        [{"id": name, "input": "no", "target": "yes"} for name in (*"abcdefghi", "crash")],
    )
    project.write(thresholds_yaml=GATED)
    assert project.run("evals").ret == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("raise RuntimeError('boom')", "code"),
        ("score.token_f1(response, 5)", "scorer"),
        ("score.record('x', float('nan'))", "scorer"),
    ],
)
def test_what_breaks_in_a_body_is_an_error_with_a_kind(project: Project, body: str, kind: str) -> None:
    project.eval(f"def test_echo(response, score):\n    {body}\n", ROWS[:1])
    result = project.run("evals")
    assert result.ret == 1
    assert project.rows("SELECT outcome, error_kind FROM cases") == [{"outcome": "error", "error_kind": kind}]


def test_an_own_scorer_that_raises_is_an_error_and_never_a_score(project: Project) -> None:
    project.eval(
        """
        def test_echo(sample, response, score):
            score.fragile(response)
            score.exact(response, sample.input)
            assert sample.id == "good", "the other one is a miss beside it"
        """,
        ROWS[:2],
    )
    project.write(
        conftest_py="""
        from pytest_llmeval import scorer

        @scorer
        def fragile(response, target=None):
            return 1 / 0
        """
    )
    project.run("evals")
    assert project.rows("SELECT outcome, error_kind FROM cases") == [{"outcome": "error", "error_kind": "scorer"}] * 2
    scores = {row["name"]: row["value"] for row in project.rows("SELECT name, value FROM scores")}
    assert scores == {"fragile": None, "exact": 1.0}


def test_a_broken_fixture_is_an_error(project: Project) -> None:
    project.eval("def test_echo(broken, response):\n    pass\n", ROWS[:1])
    project.write(conftest_py="import pytest\n\n@pytest.fixture\ndef broken():\n    assert False\n")
    result = project.run("evals")
    result.assert_outcomes(errors=1)
    assert project.rows("SELECT outcome, error_kind FROM cases") == [{"outcome": "error", "error_kind": "code"}]


def test_a_broken_teardown_turns_a_pass_into_an_error(project: Project) -> None:
    project.eval("def test_echo(broken, response):\n    pass\n", ROWS[:1])
    project.write(conftest_py="import pytest\n\n@pytest.fixture\ndef broken():\n    yield\n    raise OSError('late')\n")
    assert project.run("evals").ret == 1
    assert project.cases() == {"good": "error"}


def test_skip_and_xfail_are_as_in_pytest(project: Project, dist_args: list[str]) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "s", "input": "x", "marks": ["skip"]},
        {"id": "x", "input": "x", "target": "y", "marks": ["xfail"]},
        {"id": "xpass", "input": "x", "target": "x", "marks": ["xfail"]},
        {"id": "late", "input": "x", "target": "x"},
        {"id": "p", "input": "x", "target": "x"},
    ]
    project.eval(f"{EXACT}    if sample.id == 'late':\n        pytest.skip()\n", rows)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {min: 1.0}}}\n")
    result = project.run("evals", *dist_args)
    result.assert_outcomes(passed=1, skipped=2, xfailed=1, xpassed=1)
    assert result.ret == 0
    assert project.cases() == {each: "skipped" for each in ("s", "x", "xpass", "late")} | {"p": "passed"}
    assert [row["n"] for row in project.rows("SELECT n FROM verdicts")] == [1]
    result.stdout.fnmatch_lines(["3 cases were skipped or xfailed after they had been scored: they count nowhere"])


def test_pytest_timeout_is_an_error_of_kind_timeout(project: Project) -> None:
    project.eval("def test_echo(response):\n    import time\n    time.sleep(30)\n", ROWS[:1])
    assert project.run("evals", "--timeout=1", inside=False).ret == 1
    assert project.rows("SELECT outcome, error_kind FROM cases") == [{"outcome": "error", "error_kind": "timeout"}]


def test_an_ordinary_failure_is_not_hidden_by_the_gate(project: Project, dist_args: list[str]) -> None:
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml=GATED, evals__test_plain_py="def test_plain():\n    assert False\n")
    assert project.run("evals", *dist_args).ret == 1


def test_x_passes_over_misses_and_stops_at_errors(project: Project) -> None:
    project.eval(EXACT, [ROWS[1], ROWS[0]])
    project.write(thresholds_yaml=GATED)
    assert project.run("evals", "-x").ret == 0
    assert project.cases() == {"bad": "missed", "good": "passed"}


def test_max_error_rate_lets_a_single_error_pass(project: Project) -> None:
    project.eval(
        """
        def test_echo(sample, response, score):
            if sample.id == "r0":
                raise RuntimeError("boom")
            score.exact(response, sample.target)
        """,
        [{"id": f"r{n}", "input": "a", "target": "a"} for n in range(10)],
    )
    project.write(thresholds_yaml=GATED)
    result = project.run("evals")
    assert result.ret == 0
    result.assert_outcomes(passed=9, errors=1)


def test_rules_on_latency_alone_leave_misses_plain_failures(project: Project) -> None:
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {latency_s: {max_p95: 60}}}\n")
    result = project.run("evals")
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1
    assert project.last_run()["verdict"] == "pass"


def test_junit_carries_outcome_and_scores(project: Project, dist_args: list[str]) -> None:
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml=GATED)
    project.run("evals", "--junitxml=junit.xml", *dist_args)
    text = (project.root / "junit.xml").read_text()
    assert '<property name="llmeval_outcome" value="missed"' in text
    assert '<property name="llmeval_score_exact" value="0.0"' in text


def test_reruns_do_not_roll_a_miss_again(project: Project) -> None:
    """Its body runs once, too."""
    project.eval(
        """
        def test_echo(sample, response, score):
            with open("ran.txt", "a") as file:
                file.write(f"{sample.id}\\n")
            score.exact(response, sample.target)
        """,
        ROWS,
    )
    project.write(thresholds_yaml=GATED)
    result = project.run("evals", "--reruns=2")
    assert result.ret == 0
    assert sorted((project.root / "ran.txt").read_text().split()) == ["bad", "good"]
    result.stdout.no_re_match_line(r".*\d rerun")
    assert len(project.server.ledger) == 2


def test_coverage_below_its_bar_still_fails(project: Project) -> None:
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml=GATED, evals__unused_py="def never():\n    return 1\n")
    result = project.run("evals", "--cov=evals", "--cov-fail-under=100", inside=False)
    assert result.ret == 1


def test_a_strict_xfail_that_passes_fails_as_in_pytest_and_is_judged_by_nobody(
    project: Project, spread: list[str]
) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "x", "input": "x", "target": "x", "marks": ["xfail"]},
        {"id": "p", "input": "x", "target": "x"},
    ]
    project.eval(EXACT, rows)
    project.write(
        thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {min: 1.0}}}\n",
        tox_ini=f"[pytest]\n{OPTIONS}xfail_strict = true\n",
    )
    result = project.run("evals", *spread)
    result.stdout.fnmatch_lines(["*XPASS(strict)*", "*1 failed, 1 passed*"])
    assert result.ret == 1
    assert project.cases() == {"x": "skipped", "p": "passed"}
    assert [row["verdict"] for row in project.rows("SELECT verdict FROM verdicts")] == ["pass"]


def test_a_fixture_that_is_not_there_is_named(project: Project) -> None:
    project.eval("def test_echo(sample, respons):\n    pass\n", ROWS[:1])
    project.run("evals")
    (case,) = project.rows("SELECT error_kind, error FROM cases")
    assert (case["error_kind"], case["error"]) == ("code", "fixture: 'respons' not found")


def test_what_a_conftest_fails_is_a_miss_that_says_why(project: Project, spread: list[str]) -> None:
    hook = """
    import pytest
    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(item, call):
        report = (yield).get_result()
        if report.when == "call": report.outcome, report.longrepr = "failed", "not by our rules"
    """
    project.eval(EXACT, ROWS[:1])
    project.write(conftest_py=hook, thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {min: 0}}}\n")
    project.run("evals", *spread).stdout.fnmatch_lines(["*missed: good*", "*not by our rules*"])
    assert project.rows("SELECT outcome, error FROM cases") == [{"outcome": "missed", "error": "not by our rules"}]
