"""Under xdist: one process writes what is recorded, and a worker that dies counts as an error."""

import pytest

from tests.support.project import Project

ROWS = [
    {"id": f"r{n:02}", "input": f"q{n}", "target": f"q{n}", "slice": "even" if n % 2 == 0 else "odd"} for n in range(12)
]
BODY = """
async def test_echo(sample, model, score):
    response = await model.generate()
    if sample.id == "r03":
        raise RuntimeError("boom")
    if sample.id == "r05":
        pytest.skip("not now")
    score.exact(response, "q4" if sample.id == "r07" else sample.target)
    score.record("length", len(response.text))
"""
GATED = """
version: 1
defaults: {max_error_rate: 0.2}
suites:
  echo: {exact: {min: 0.5}, slices: {odd: {exact: {min: 0.99}}}}
"""


def test_a_dead_worker_counts_towards_the_error_rate_of_its_suite(project: Project) -> None:
    """One error is below the bar: the gate, not the crash, decides the status."""
    project.eval(
        "def test_echo(sample, response):\n    if sample.id == 'r03':\n        __import__('os')._exit(1)\n", ROWS
    )
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {min: 0.5}}}\n")
    result = project.run("evals", "-n2")
    assert (result.ret, project.last_run()["status"], len(project.cases())) == (0, "finished", 12)
    assert project.rows("SELECT sample_id, error_kind FROM cases WHERE outcome != 'passed'") == [
        {"sample_id": "r03", "error_kind": "worker_crashed"}
    ]
    result.stdout.fnmatch_lines(["*11 passed*1 error*"])


def test_workers_write_no_file_of_their_own(project: Project) -> None:
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    project.run("evals", "-n2")
    assert sorted(path.name for path in (project.root / ".llmeval").iterdir()) == [".gitignore", "llmeval.db"]


def test_ordinary_tests_and_evals_share_workers(project: Project) -> None:
    project.eval("def test_echo(response):\n    pass\n", ROWS[:4])
    project.write(
        evals__test_plain_py="import pytest\n\n@pytest.mark.parametrize('n', range(4))\ndef test_plain(n):\n    pass\n"
    )
    project.run("evals", "-n2").assert_outcomes(passed=8)
    assert len(project.cases()) == 4


def test_a_call_whose_params_have_numbers_as_keys_is_one_call(project: Project, dist_args: list[str]) -> None:
    """As ``logit_bias`` of OpenAI has them; JSON, by which a worker asks, sorts them as texts."""
    project.eval("def test_echo(response):\n    pass\n", ROWS[:2], marker="params={'logit_bias': {9: 1, 10: -1}}")
    project.run("evals", *dist_args)
    sent = [entry.body["logit_bias"] for entry in project.server.ledger]
    assert (sent, len(project.rows("SELECT id FROM calls"))) == ([{"9": 1, "10": -1}] * 2, 2)


def test_verbose_lines_name_workers_and_misses(project: Project) -> None:
    project.eval(BODY, ROWS)
    project.write(thresholds_yaml=GATED)
    result = project.run("evals", "-n2", "-v")
    result.stdout.fnmatch_lines(["*[[]gw?[]]*MISSED evals/test_echo.py::test_echo[[]r07[]]*"])


@pytest.mark.timeout(60)
def test_workers_that_may_be_on_another_machine_run_no_eval(project: Project) -> None:
    """They would look for the engine's socket there for ever; ordinary tests run on them as ever."""
    project.eval(BODY, ROWS[:2])
    project.write(tests__test_own_py="def test_own():\n    pass\n")
    far = ("--dist=load", "--px=id=near//popen", f"--tx=socket//installvia=near//chdir={project.root}")
    result = project.run("-m", "llmeval", *far, inside=False)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: --tx: xdist worker gw0 *--shard i/N*llmeval merge*"])
    assert project.server.ledger == []
    project.run(*far, inside=False).assert_outcomes(passed=1)
    near = ("--dist=load", "--tx", f"popen//chdir={project.root}")
    assert project.run("-m", "llmeval", *near, inside=False).ret == 0
    assert len(project.server.ledger) == 2


@pytest.mark.parametrize("drawn", ["random.sample(range(20), 20)", "random.sample(range(1000), 20)"])
def test_rows_in_an_order_of_each_process_are_a_usage_error_with_the_reason(project: Project, drawn: str) -> None:
    """xdist deals cases out by their number, and would only say that the tests differ."""
    project.write(
        evals__test_echo_py=f"""
        import random
        import pytest

        def rows():
            return [{{"input": f"q{{number}}"}} for number in {drawn}]

        @pytest.mark.llmeval(dataset=rows)
        def test_echo(response):
            pass
        """
    )
    assert project.run("evals", "-n0").ret == 0
    result = project.run("evals", "-n2")
    assert result.ret == 4
    told = result.stdout.str() + result.stderr.str()
    assert "suite 'echo': its rows are others, or in another order, in each process of -n" in told
    assert "Different tests" not in told
    assert len(project.server.ledger) == 20


def test_inputs_that_each_process_makes_anew_are_a_usage_error_before_any_is_paid_twice(project: Project) -> None:
    """What one process asks ahead would not be what the case asks in another; metadata costs nothing."""
    row = '{{"id": f"r{{number}}", "input": f"q{{number}}{of_process}", "metadata": {{"process": os.getpid()}}}}'
    for of_process, status in ((" {os.getpid()}", 4), ("", 0)):
        project.write(
            evals__test_echo_py=f"""
            import os
            import pytest

            def rows():
                return [{row.format(of_process=of_process)} for number in range(20)]

            @pytest.mark.llmeval(dataset=rows)
            def test_echo(response):
                pass
            """
        )
        result = project.run("evals", "-n2")
        assert result.ret == status
        told = "suite 'echo': its rows are others, or in another order, in each process of -n: give them fixed inputs"
        assert (told in result.stdout.str() + result.stderr.str()) is (status == 4)
        assert len(project.server.ledger) == (0 if status else 20)


def test_a_baseline_that_means_an_earlier_run_means_it_in_workers_that_come_later(project: Project) -> None:
    """``last`` would be this session's own run, which is not whole yet."""
    project.eval(
        'def test_echo(response, score):\n    score.contains(response, "q")\n', [{"input": f"q{n}"} for n in range(8)]
    )
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {contains: {mode: noninferior, margin: 0.9}}}\n")
    assert project.run("evals").ret == 0
    before = project.last_run()["id"]
    project.write(
        evals__conftest_py="""
        import time

        def pytest_configure(config):
            if getattr(config, "workerinput", {}).get("workerid") == "gw1":
                time.sleep(2)
        """
    )
    result = project.run("evals", "-n2", "--baseline=last")
    assert result.ret == 0
    assert len(project.cases()) == 8
    assert project.rows("SELECT baseline_value FROM verdicts WHERE run_id = ?", project.last_run()["id"])
    assert project.last_run()["id"] != before
