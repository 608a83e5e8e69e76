"""Calls of ``score`` that a body began and did not wait for: told as one without ``await`` is."""

import time
from collections.abc import Callable

import pytest

from tests.support.judges import Judged, Messages, named, verdict
from tests.support.project import Project

ROWS = [{"id": "a", "input": "no", "target": "yes"}]
BODY = """
async def test_echo(sample, model, score{fixtures}):
    import asyncio
    answer = await model.generate()
    {last}
"""
TWO = "score.judge(answer, rubric='qa'), score.judge(answer, rubric='qa', name='b')"
NEVER = "score.judge(...) was not awaited: await "


def slow(messages: Messages) -> str:
    """Judge after a while."""
    time.sleep(0.5)
    return verdict(messages)


LEFT = (
    f"asyncio.gather({TWO})",
    f"asyncio.gather({TWO}); await asyncio.sleep(0)",
    "asyncio.create_task(score.judge(answer, rubric='qa'))",
    "asyncio.ensure_future(asyncio.wait_for(score.judge(answer, rubric='qa'), 9)); await asyncio.sleep(0)",
)


@pytest.mark.parametrize("judge", [verdict, slow], ids=["quick", "slow"])
@pytest.mark.parametrize("fixtures", ["", ", tmp_path"], ids=["ahead", "in turn"])
def test_a_task_that_judges_and_that_nobody_awaits_is_an_error_of_the_test(
    project: Project, judged_by: Judged, judge: Callable[[Messages], str], fixtures: str
) -> None:
    for number, last in enumerate(LEFT):
        body = BODY.format(fixtures=fixtures, last=last).replace("echo", f"n{number}")
        project.eval(body, [*ROWS, {**ROWS[0], "id": "b"}], name=f"n{number}")
    result = project.run("evals", named(project, judged_by(judge)), "-p", "no:xdist")
    assert result.ret == 1
    result.assert_outcomes(errors=2 * len(LEFT))
    cases = project.rows("SELECT suite, outcome, error_kind, error FROM cases ORDER BY suite")
    assert [
        (case["suite"], case["outcome"], case["error_kind"], case["error"].startswith(NEVER)) for case in cases
    ] == [(f"n{number}", "error", "code", True) for number in range(len(LEFT)) for _ in "ab"]
    for told in ("never retrieved", "never awaited", "Warning"):
        assert told not in result.stdout.str()


@pytest.mark.parametrize("rules", ["", "version: 1\nsuites: {echo: {pass_rate: {min: 0.1}}}\n"], ids=["plain", "gated"])
def test_it_is_one_in_a_worker_too(project: Project, judged_by: Judged, rules: str, spread: list[str]) -> None:
    project.eval(BODY.format(fixtures="", last=f"asyncio.gather({TWO})"), ROWS)
    if rules:
        project.write(thresholds_yaml=rules)
    result = project.run("evals", named(project, judged_by(slow)), *spread)
    assert result.ret == (10 if rules else 1)
    assert project.rows("SELECT outcome, error_kind FROM cases") == [{"outcome": "error", "error_kind": "code"}]


IN_THREADS = """
import pathlib
import threading
import time
from collections.abc import Callable

import pytest
from pytest_llmeval import scorer

BEGUN = pathlib.Path("begun.txt")

@scorer
def hangs(response):
    BEGUN.touch()
    time.sleep(1.5)
    return 1

@pytest.fixture
def begin():
    def run(call):
        threading.Thread(target=call).start()
        while not BEGUN.exists():
            time.sleep(0.01)
    return run

@pytest.fixture
def left(begin, score):
    yield
    begin(lambda: score.hangs("x"))
"""


def hanging(project: Project) -> Callable[[Messages], str]:
    """Return a judge that tells that it was asked, and takes its time."""

    def judge(messages: Messages) -> str:
        (project.root / "begun.txt").touch()
        time.sleep(1.5)
        return verdict(messages)

    return judge


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ("def test_echo(score, begin):\n    begin(lambda: score.hangs('x'))\n", "hangs"),
        ("def test_echo(score, begin):\n    begin(lambda: score.judge_sync('no', rubric='qa'))\n", "judge_sync"),
        ("def test_echo(score, begin):\n    begin(lambda: score.prefer_sync('a', 'b', rubric='qa'))\n", "prefer_sync"),
        (
            "async def test_echo(score, begin):\n    import asyncio\n"
            "    asyncio.get_running_loop().run_in_executor(None, score.hangs, 'x')\n    begin(lambda: None)\n",
            "hangs",
        ),
        ("def test_echo(left):\n    pass\n", "hangs"),
    ],
    ids=["sync", "judge", "prefer", "executor", "fixture"],
)
def test_what_runs_on_in_a_thread_is_an_error_of_the_test(
    project: Project, judged_by: Judged, spread: list[str], body: str, call: str
) -> None:
    project.eval(body, ROWS)
    project.write(conftest_py=IN_THREADS)
    result = project.run("evals", named(project, judged_by(hanging(project))), *spread, inside=False)
    assert result.ret == 1
    (case,) = project.rows("SELECT outcome, error_kind, error FROM cases")
    assert (case["outcome"], case["error_kind"]) == ("error", "code")
    told = f"score.{call}(...) still ran when its test had ended: wait for the thread, task or future that it is in"
    assert case["error"] == told


@pytest.mark.parametrize(
    "last",
    [
        f"await asyncio.gather({TWO})",
        f"tasks = [asyncio.create_task(each) for each in ({TWO})]; await asyncio.wait(tasks)",
        "await asyncio.to_thread(score.judge_sync, answer, rubric='qa')",
        "await asyncio.to_thread(lambda: asyncio.run(score.judge(answer, rubric='qa')))",
    ],
)
def test_what_is_awaited_counts(project: Project, judged_by: Judged, last: str) -> None:
    project.eval(BODY.format(fixtures="", last=last), ROWS)
    assert project.run("evals", named(project, judged_by(verdict))).ret == 1
    assert project.cases() == {"a": "missed"}


@pytest.mark.parametrize(
    "last",
    [
        "task = asyncio.create_task(score.judge(answer, rubric='qa')); await asyncio.sleep(0); task.cancel()",
        f"asyncio.gather({TWO}).cancel()",
        "try: await asyncio.wait_for(score.judge(answer, rubric='qa'), 0.05)\n    except TimeoutError: pass",
    ],
)
def test_what_a_body_gave_up_is_not_forgotten(project: Project, judged_by: Judged, last: str) -> None:
    project.eval(BODY.format(fixtures="", last=last), ROWS)
    result = project.run("evals", named(project, judged_by(slow)))
    assert project.cases() == {"a": "passed"}, result.stdout.str()
    assert result.ret == 0


def test_what_a_fixture_waits_for_counts(project: Project, judged_by: Judged, spread: list[str]) -> None:
    """The threads of a pool that ends when the fixture is torn down, say."""
    project.eval(
        "def test_echo(response, score, pool):\n    pool.submit(score.judge_sync, response, rubric='qa')\n", ROWS
    )
    project.write(
        conftest_py="""
        from concurrent.futures import ThreadPoolExecutor

        import pytest

        @pytest.fixture
        def pool():
            with ThreadPoolExecutor() as pool:
                yield pool
        """
    )
    assert project.run("evals", named(project, judged_by(slow)), *spread).ret == 1
    assert project.cases() == {"a": "missed"}
