"""Scores that a fixture makes behind its ``yield``: they count for the case as those of its body do."""

import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from typing import Any

import pytest

from tests.support.fault_server import Entry, FaultHandler
from tests.support.judges import Judged, named, verdict
from tests.support.project import OPTIONS, Project

ROWS = [{"id": "good", "input": "yes", "target": "yes"}, {"id": "bad", "input": "no", "target": "yes"}]
SYNC = "def test_echo(response, checks):\n    assert response.text\n"
ASYNC = "async def test_echo(model, checks):\n    assert await model.generate()\n"
CHECKS = """
import pytest

@pytest.fixture
def checks(sample, response, score):
    yield
    {check}
"""
EXACT = "score.exact(response, sample.target)"
GATED = "version: 1\nsuites: {echo: {pass_rate: {min: 0.4}}}\n"


def told_to_junit(project: Project) -> dict[str, tuple[str, set[str]]]:
    """Return the outcome that JUnit has of each case, and what stands there of failures."""
    found = {}
    for case in ElementTree.parse(project.root / "junit.xml").iter("testcase"):
        for outcome in case.findall(".//property[@name='llmeval_outcome']"):
            found[case.attrib["name"]] = (outcome.attrib["value"], {each.tag for each in case} - {"properties"})
    return found


@pytest.mark.parametrize("body", [SYNC, ASYNC], ids=["sync", "async"])
def test_without_rules_a_miss_in_a_teardown_is_a_plain_failure(project: Project, body: str, spread: list[str]) -> None:
    project.eval(body, ROWS)
    project.write(conftest_py=CHECKS.format(check=EXACT))
    result = project.run("evals", "--junitxml=junit.xml", *spread)
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1
    assert project.cases() == {"good": "passed", "bad": "missed"}
    assert [row["passed"] for row in project.rows("SELECT passed FROM scores ORDER BY passed")] == [0, 1]
    result.stdout.fnmatch_lines(["*exact: 0 is under the pass mark 1*", "FAILED evals/test_echo.py::test_echo?bad?*"])
    result.stdout.no_fnmatch_line("*ERROR*")
    assert told_to_junit(project)["test_echo[bad]"][0] == "missed"


@pytest.mark.parametrize("body", [SYNC, ASYNC], ids=["sync", "async"])
def test_with_rules_the_gate_decides_of_a_miss_in_a_teardown(project: Project, body: str, spread: list[str]) -> None:
    project.eval(body, ROWS)
    project.write(conftest_py=CHECKS.format(check=EXACT), thresholds_yaml=GATED)
    result = project.run("evals", "-x", "--junitxml=junit.xml", *spread)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*pass_rate*0.500*min=0.4*pass*", "*1 passed, 1 missed in *"])
    assert project.cases() == {"good": "passed", "bad": "missed"}
    assert (project.last_run()["verdict"], project.last_run()["exit_code"]) == ("pass", 0)
    assert told_to_junit(project) == {"test_echo[good]": ("passed", set()), "test_echo[bad]": ("missed", set())}
    project.write(thresholds_yaml=GATED.replace("pass_rate: {min: 0.4}", "pass_rate: {min: 0.6}"))
    assert project.run("evals", *spread).ret == 1
    verdicts = {row["metric"]: row["verdict"] for row in project.rows("SELECT metric, verdict FROM verdicts")}
    assert verdicts["pass_rate"] == "fail"


def several(project: Project, bodies_and_checks: Iterable[tuple[str, str]]) -> None:
    """Write evals ``n0`` and so on, over one row: what the body of each does, and its teardown."""
    fixtures = ["import pytest"]
    for number, (body, check) in enumerate(bodies_and_checks):
        made = CHECKS.format(check=check).replace("import pytest\n", "").replace("def checks", f"def checks{number}")
        fixtures.append(made.replace("response, score", "response, model, score"))
        project.eval(f"def test_n{number}(response, checks{number}):\n    {body}\n", ROWS[:1], name=f"n{number}")
    project.write(conftest_py="\n".join(fixtures))


BREAKING = [
    ("score.token_f1(response, 5)", "scorer"),
    ("score.record('x', float('nan'))", "scorer"),
    ("score.exact(response, 'x'), score.token_f1(response, 5)", "scorer"),
    ("for _ in 'ab':\n        try: score.record('x', 1)\n        except Exception: pass", "scorer"),
    ("try: model.generate_sync('x', temperature=float('nan'))\n    except Exception: pass", "bad_request"),
    ("score.judge(response, rubric='qa')", "code"),
    ("assert not response.text", "code"),
]


@pytest.mark.parametrize("gated", [False, True], ids=["plain", "gated"])
def test_what_breaks_in_a_teardown_is_an_error_as_in_a_body(project: Project, gated: bool) -> None:
    several(project, (("assert response.text", check) for check, _ in BREAKING))
    names = [f"n{number}" for number in range(len(BREAKING))]
    if gated:
        rules = "".join(f"  {name}: {{pass_rate: {{min: 0.4}}}}\n" for name in names)
        project.write(thresholds_yaml=f"version: 1\nsuites:\n{rules}")
    result = project.run("evals")
    result.assert_outcomes(passed=len(BREAKING), errors=len(BREAKING))
    assert result.ret == (10 if gated else 1)
    assert project.rows("SELECT suite, outcome, error_kind FROM cases ORDER BY suite") == [
        {"suite": name, "outcome": "error", "error_kind": kind} for name, (_, kind) in zip(names, BREAKING, strict=True)
    ]
    assert project.rows("SELECT DISTINCT suite FROM verdicts WHERE verdict = 'unmeasurable' ORDER BY suite") == [
        {"suite": name} for name in names if gated
    ]


@pytest.mark.parametrize(
    ("status", "adding"),
    [
        (
            1,
            [
                ("assert False", "score.exact('a', 'b')", "missed"),
                ("assert False", "score.token_f1('a', 5)", "error"),
                ("raise OSError", "score.exact('a', 'b')", "error"),
                ("pass", "score.exact('a', 'b'); pytest.skip('late')", "missed"),
            ],
        ),
        (
            0,
            [
                ("pytest.skip()", "score.exact('a', 'b'), score.token_f1('a', 5)", "skipped"),
                ("pytest.xfail()", "score.exact('a', 'b'), score.token_f1('a', 5)", "skipped"),
                ("pass", "score.exact('a', 'b', pass_mark=0)", "passed"),
            ],
        ),
    ],
    ids=["failing", "well"],
)
def test_a_teardown_adds_to_what_the_body_came_to(
    project: Project, status: int, adding: list[tuple[str, str, str]], spread: list[str]
) -> None:
    several(project, ((body, check) for body, check, _ in adding))
    result = project.run("evals", "--junitxml=junit.xml", *spread)
    outcomes = {f"n{number}": outcome for number, (_, _, outcome) in enumerate(adding)}
    assert {row["suite"]: row["outcome"] for row in project.rows("SELECT suite, outcome FROM cases")} == outcomes
    told = {name: outcome for name, (outcome, _) in told_to_junit(project).items()}
    assert told == {f"test_{name}[good]": outcome for name, outcome in outcomes.items()}
    assert result.ret == status
    scored = project.rows("SELECT DISTINCT suite FROM cases JOIN scores ON scores.case_id = cases.id ORDER BY suite")
    assert [row["suite"] for row in scored] == sorted(outcomes)


@pytest.mark.parametrize("behind", ["", "model.generate_sync('more')"], ids=["nothing", "asks"])
def test_a_call_that_a_body_left_decides_nothing_however_long_a_teardown_takes(project: Project, behind: str) -> None:
    """The loser of two that were asked at once, say; where a fixture asks, it may have failed for that."""
    body = """
        async def test_echo(sample, model, checks):
            asyncio.create_task(model.generate("left", temperature=0.5))
            assert (await model.generate()).text
            while not os.path.exists("asked"):
                await asyncio.sleep(0.01)

        import asyncio, os
    """
    project.eval(body, ROWS[:1])
    checks = "while not os.path.exists('failed'): time.sleep(0.01)\n    time.sleep(0.3)\n    "
    project.write(
        conftest_py=f"import os, time\n{CHECKS.format(check=checks + behind)}".replace("response, ", "model, ")
    )
    answer = FaultHandler._normal

    def fail(handler: FaultHandler, entry: Entry) -> None:
        if entry.body.get("temperature") != 0.5:
            return answer(handler, entry)
        (project.root / "asked").touch()
        handler.server.faults.closing.wait(0.5)
        handler._error(400, "no")
        (project.root / "failed").touch()
        return None

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FaultHandler, "_normal", fail)
        result = project.run("evals", "-p", "no:xdist")
    assert project.cases() == {"good": "error" if behind else "passed"}
    assert result.ret == (1 if behind else 0)


def test_what_a_gather_raised_is_told_and_not_what_it_left_behind(project: Project, judged_by: Judged) -> None:
    body = """
        async def test_echo(model, score):
            with contextlib.suppress(Exception):
                await asyncio.gather(model.generate("x", temperature=float("nan")), score.judge("x", rubric="qa"))

        import asyncio, contextlib
    """
    project.eval(body, ROWS[:1])

    def slowly(messages: list[dict[str, Any]]) -> str:
        time.sleep(0.5)
        return verdict(messages)

    assert project.run("evals", "-p", "no:xdist", named(project, judged_by(slowly))).ret == 1
    assert [row["error_kind"] for row in project.rows("SELECT error_kind FROM cases")] == ["bad_request"]


def test_a_strict_xfail_whose_body_passed_is_told_also_where_its_teardown_misses(project: Project) -> None:
    """pytest has reported it by then."""
    project.eval(SYNC, [ROWS[0], {**ROWS[1], "marks": ["xfail"]}])
    strict = f"[pytest]\n{OPTIONS}xfail_strict = true\n"
    project.write(conftest_py=CHECKS.format(check=EXACT), thresholds_yaml=GATED, tox_ini=strict)
    result = project.run("evals")
    assert result.ret == 1
    assert "1 case had to fail and passed (strict xfail)" in " ".join(result.stdout.str().split())


def test_a_miss_in_a_teardown_of_what_is_expected_to_fail_is_expected(project: Project) -> None:
    rows: list[dict[str, Any]] = [{**row, "marks": ["xfail"]} for row in ROWS]
    project.eval(SYNC, rows)
    project.write(conftest_py=CHECKS.format(check=EXACT))
    assert project.run("evals").ret == 0
    assert project.cases() == {"good": "skipped", "bad": "skipped"}


def test_a_judge_that_an_async_fixture_asks_counts(project: Project, judged_by: Judged, dist_args: list[str]) -> None:
    project.eval("async def test_echo(answer):\n    assert answer.text\n", ROWS)
    project.write(
        tox_ini=f"[pytest]\n{OPTIONS.replace('-p no:asyncio ', '')}asyncio_default_fixture_loop_scope = function\n",
        conftest_py="""
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def answer(model, score):
            answer = await model.generate()
            yield answer
            await score.judge(answer, rubric="qa")
        """,
    )
    result = project.run("evals", named(project, judged_by(verdict)), *dist_args)
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=1)
    assert project.cases() == {"good": "passed", "bad": "missed"}


def test_with_epochs_and_resume_such_a_miss_is_a_miss(project: Project, spread: list[str]) -> None:
    """A run that goes on has it as one that ended, and asks for nothing again."""
    project.eval(SYNC, ROWS)
    project.write(conftest_py=CHECKS.format(check=EXACT), thresholds_yaml=GATED)
    project.run("evals", *spread)
    for expected in ("*2 cases finished earlier*", "*4 cases finished earlier*"):
        result = project.run("evals", "--resume=last", "--epochs=2", *spread)
        assert result.ret == 0
        result.stdout.fnmatch_lines([expected])
        assert project.cases() == {"good": "passed", "good-e2": "passed", "bad": "missed", "bad-e2": "missed"}
    assert len(project.server.ledger) == 4


@pytest.mark.parametrize("rules", ["", GATED], ids=["plain", "gated"])
def test_reruns_try_such_a_miss_as_any_other(project: Project, rules: str, spread: list[str]) -> None:
    """Where the gate decides, none is made."""
    project.eval(SYNC, ROWS)
    project.write(conftest_py=CHECKS.format(check=EXACT))
    if rules:
        project.write(thresholds_yaml=rules)
    result = project.run("evals", "--reruns=1", *spread)
    assert result.ret == (0 if rules else 1)
    counts = {"passed": 1, "missed": 1} if rules else {"passed": 1, "failed": 1, "rerun": 1}
    assert result.parseoutcomes() == counts
    assert project.cases() == {"good": "passed", "bad": "missed"}


def test_an_html_report_has_one_row_for_it(project: Project) -> None:
    project.eval(SYNC, ROWS)
    project.write(conftest_py=CHECKS.format(check=EXACT))
    project.run("evals", "--html=report.html", "-p", "no:xdist")
    page = (project.root / "report.html").read_text("utf-8")
    assert "test_echo[bad]::teardown" not in page
    assert "0 is under the pass mark 1" in page
    assert "1 Failed" in page
    assert "1 Passed" in page
    assert "0 Errors" in page


def test_lf_runs_it_again(project: Project) -> None:
    project.eval(SYNC, ROWS)
    project.write(conftest_py=CHECKS.format(check=EXACT), thresholds_yaml=GATED)
    project.run("evals")
    project.run("evals", "--lf").stdout.fnmatch_lines(["*1 missed in *"])
