"""A call or a judgement of which nothing came, in a body that catches it or was to fail."""

import pytest

from tests.support.project import Project

ROWS = [{"id": f"r{number}", "input": "x", "target": "y"} for number in range(4)]
RULES = "version: 1\nsuites: {echo: {pass_rate: {min: 0.5}}}\n"
CATCHING = """
def test_echo(model, judge, score):
    try:
        %s
    except Exception:
        %s
    score.contains("a", "a")
"""


def catching(project: Project, asked: str, otherwise: str, *, rules: str = "") -> None:
    """Write an eval that catches what ``asked`` raises, and goes on by ``otherwise``."""
    project.eval(CATCHING % (asked, otherwise), ROWS)
    if rules:
        project.write(thresholds_yaml=rules)


OTHERWISE = ("pass", "assert 0", "pytest.skip('no answer')")


@pytest.mark.parametrize(
    ("otherwise", "rules", "spread"),
    [*((otherwise, rules, []) for otherwise in OTHERWISE for rules in ("", RULES)), ("assert 0", "", ["-n2"])],
)
def test_calls_that_end_for_want_of_a_key_or_money_never_end_in_success(
    project: Project, otherwise: str, rules: str, spread: list[str]
) -> None:
    catching(project, "model.generate_sync()", otherwise, rules=rules)
    result = project.run("evals", *spread, model=f"openai:fault-status-401@{project.server.url}")
    assert result.ret == 10
    assert project.last_run()["status"] == "unmeasurable"
    assert {row["error_kind"] for row in project.rows("SELECT error_kind FROM cases")} == {"auth"}


def test_an_expected_failure_is_none_of_the_key(project: Project, spread: list[str]) -> None:
    rows = [{**row, "marks": ["xfail"]} for row in ROWS]
    project.eval("def test_echo(response, score):\n    score.contains('a', 'a')\n", rows)
    result = project.run("evals", *spread, model=f"openai:fault-status-401@{project.server.url}")
    assert result.ret == 10
    result.assert_outcomes(xfailed=4)
    assert project.last_run()["status"] == "unmeasurable"


@pytest.mark.parametrize("asked", [
    "model.generate_sync()",
    "judge.generate_sync()",
    "score.judge_sync('an answer', rubric='qa')",
])  # fmt: skip
@pytest.mark.parametrize("otherwise", ["pass", "assert 0"])
def test_what_was_not_answered_is_an_error_and_never_a_pass_or_a_miss(
    project: Project, asked: str, otherwise: str
) -> None:
    catching(project, asked, otherwise, rules=RULES)
    broken = f"openai:fault-status-400@{project.server.url}"
    model, judge = (broken, project.model) if asked.startswith("model") else (project.model, broken)
    assert project.run("evals", f"--judge-model={judge}", model=model).ret == 10
    assert set(project.cases().values()) == {"error"}
    assert {row["error_kind"] for row in project.rows("SELECT error_kind FROM cases")} == {"bad_request"}


@pytest.mark.parametrize(
    "otherwise",
    [
        "raise RuntimeError('no answer') from None",
        "score.contains(None, 'a')",
        "0 / 0",
        "raise ExceptionGroup('one task', [KeyError('gone')]) from None",
    ],
)
@pytest.mark.parametrize("rules", ["", RULES.replace("suites", "defaults: {max_error_rate: 1}\nsuites")])
def test_what_else_breaks_because_of_it_hides_no_refused_key(project: Project, otherwise: str, rules: str) -> None:
    """Neither where the application breaks over it later, as one does that was told of it by a status of HTTP."""
    project.eval(CATCHING.replace('score.contains("a", "a")', otherwise) % ("model.generate_sync()", "pass"), ROWS)
    if rules:
        project.write(thresholds_yaml=rules)
    assert project.run("evals", model=f"openai:fault-status-401@{project.server.url}").ret == 10
    assert {row["error_kind"] for row in project.rows("SELECT error_kind FROM cases")} == {"auth"}
    errors = [row["error"] for row in project.rows("SELECT error FROM cases WHERE attempts > 0")]
    told = "fault 401" if otherwise.startswith("score") else "fault 401; behind it the case raised "
    assert errors and all(told in each for each in errors)


@pytest.mark.parametrize("body", [
    "def test_echo(waiting, response):\n    pass\n",
    "async def test_echo(waiting, response):\n    pass\n",
    "async def test_echo(waiting, model):\n    await model.generate()\n",
])  # fmt: skip
def test_what_was_asked_ahead_of_a_case_that_is_skipped_before_is_no_failure_of_it(
    project: Project, body: str, spread: list[str]
) -> None:
    project.write(
        evals__conftest_py="""
        import time
        import pytest

        @pytest.fixture
        def waiting():
            time.sleep(0.2)
            pytest.skip("not here")
        """
    )
    project.eval(body, ROWS)
    result = project.run("evals", *spread, model=f"openai:fault-status-401@{project.server.url}")
    assert result.ret == 0
    assert set(project.cases().values()) == {"skipped"}
