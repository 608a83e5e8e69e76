"""``on_inconclusive: escalate``: two epochs more in a child process, before the summary."""

import subprocess
import sys
from collections import Counter

import pytest

from tests.support.project import Project

ROWS = [{"id": f"r{number:02}", "input": f"word {number}", "target": "x"} for number in range(20)]
EVAL = """
def test_echo(sample, response, score, request):
    epoch = int((request.node.name + "-e1").partition("-e")[2][:1])
    score.record("right", int(sample.id[1:]) >= {limits}[epoch - 1])
"""
RULES = """
version: 1
defaults: {{on_inconclusive: {what}}}
suites: {{echo: {{right: {{{rule}, confident: true}}}}}}
"""


def write(project: Project, limits: list[int], *, what: str = "escalate", rule: str = "min: 0.8") -> None:
    """Write an eval in which the first N rows miss, N by epoch."""
    project.eval(EVAL.format(limits=limits), ROWS)
    project.write(thresholds_yaml=RULES.format(what=what, rule=rule))


def asked(project: Project) -> Counter[int]:
    """Return how many cases each epoch of the newest run has."""
    found = project.rows("SELECT epoch FROM cases WHERE run_id = ?", project.last_run()["id"])
    return Counter(row["epoch"] for row in found)


def requests(project: Project) -> int:
    return len(project.server.ledger)


def test_an_inconclusive_run_is_asked_again_and_may_pass(project: Project, dist_args: list[str]) -> None:
    write(project, [5, 0, 0])
    result = project.run("evals", *dist_args)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "llmeval: 1 rule is inconclusive: asking for 2 epochs more, in a process of its own",
            "  right *0.917*pass",
            "calls: 60 requests, at most *",
            "note: escalated: 2 epochs more, 40 cases; each test used half of alpha",
            "gate: PASS (1 pass)",
        ]
    )
    assert asked(project) == {1: 20, 2: 20, 3: 20}
    assert requests(project) == 60
    run = project.last_run()
    assert (run["status"], run["exit_code"], run["verdict"]) == ("finished", 0, "pass")
    assert len(project.rows("SELECT id FROM runs")) == 1
    (third,) = project.rows("SELECT nodeid FROM cases WHERE epoch = 3 AND sample_id = 'r00'")
    assert third["nodeid"] == "evals/test_echo.py::test_echo[r00-e3]"


def test_what_stays_inconclusive_fails(project: Project, spread: list[str]) -> None:
    write(project, [5, 5, 5])
    result = project.run("evals", *spread)
    assert result.ret == 1
    why = "status 1: inconclusive rules fail the run (on_inconclusive: escalate in echo)"
    result.stdout.fnmatch_lines([why, "note: escalated: *", "gate: INCONCLUSIVE (1 inconclusive)"])
    assert requests(project) == 60
    assert project.last_run()["exit_code"] == 1


def test_both_looks_are_at_the_same_baseline(project: Project) -> None:
    """The last run is, when the second look begins, the run itself."""
    project.write(
        thresholds_yaml="version: 1\ndefaults: {on_inconclusive: escalate, alpha: 0.1}\n"
        "suites: {echo: {right: {max_drop: 0}}}\n"
    )
    project.eval(EVAL.format(limits=[0, 0, 0]), ROWS)
    assert project.run("evals").ret == 0
    base = project.last_run()["id"]
    project.eval(EVAL.format(limits=[3, 3, 3]), ROWS)
    result = project.run("evals", "--baseline=last")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"compared with run {base}, of *", "note: escalated: *", "gate: INCONCLUSIVE *"])


@pytest.mark.parametrize(("again", "status", "verdict"), [(2, 0, "PASS"), (4, 1, "INCONCLUSIVE")])
def test_whatever_a_warning_would_be_of_is_asked_again(project: Project, again: int, status: int, verdict: str) -> None:
    """Two rows of 20 got worse: p is 0.125, inconclusive up to 0.2, though each look fails only below 0.025."""
    project.write(
        thresholds_yaml="version: 1\ndefaults: {on_inconclusive: escalate}\nsuites: {echo: {right: {max_drop: 0}}}\n"
    )
    project.eval(EVAL.format(limits=[0, 0, 0]), ROWS)
    assert project.run("evals").ret == 0
    project.eval(EVAL.format(limits=[2, again, again]), ROWS)
    result = project.run("evals", "--baseline=last")
    assert result.ret == status
    result.stdout.fnmatch_lines(["note: escalated: *", f"gate: {verdict} *"])


def test_what_is_decided_is_not_asked_again(project: Project) -> None:
    write(project, [0, 0, 0])
    assert project.run("evals").ret == 0
    write(project, [20, 0, 0])
    assert project.run("evals").ret == 1
    assert requests(project) == 40
    assert "escalated" not in project.settings()


def test_it_is_asked_for_by_the_settings(project: Project) -> None:
    write(project, [5, 0, 0], what="warn")
    assert project.run("evals").ret == 0
    write(project, [5, 0, 0], what="fail")
    assert project.run("evals").ret == 1
    assert requests(project) == 40


@pytest.mark.parametrize(("arguments", "why"), [(["--limit=16"], "the run is partial")])
def test_what_stands_against_it_is_said(project: Project, arguments: list[str], why: str) -> None:
    write(project, [5, 0, 0])
    result = project.run("evals", *arguments)
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"note: not escalated: {why}"])
    assert set(asked(project)) == {1}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [(["--cache=only"], "no model is asked with --cache only"), (["--llmeval-rescore=last"], "no model is asked")],
)
def test_where_no_model_may_be_asked_there_is_no_second_look(
    project: Project, arguments: list[str], why: str, spread: list[str]
) -> None:
    write(project, [5, 0, 0], what="warn")
    assert project.run("evals").ret == 0
    write(project, [5, 0, 0])
    result = project.run("evals", *arguments, *spread, model="" if "rescore" in arguments[0] else None)
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"note: not escalated: {why}", "gate: INCONCLUSIVE (1 inconclusive)"])
    assert requests(project) == 20
    assert asked(project) == {1: 20}


@pytest.mark.parametrize("cache", ["use", "only"])
def test_a_drop_that_would_be_asked_again_passes_where_nobody_may_be_asked(project: Project, cache: str) -> None:
    """Two rows of 20 got worse: what the last look finds inconclusive fails, so it has the half of alpha alone."""
    project.write(
        thresholds_yaml="version: 1\ndefaults: {on_inconclusive: escalate}\nsuites: {echo: {right: {max_drop: 0}}}\n"
    )
    project.eval(EVAL.format(limits=[0, 0, 0]), ROWS)
    assert project.run("evals").ret == 0
    project.eval(EVAL.format(limits=[2, 2, 2]), ROWS)
    assert project.run("evals", "--baseline=last", f"--cache={cache}").ret == 0
    assert set(asked(project)) == ({1} if cache == "only" else {1, 2, 3})


def test_a_budget_that_is_spent_leaves_nothing_for_a_second_look(project: Project) -> None:
    """It was enough for the first one, to the cent."""
    project.write(models_yaml=f"models: {{echo: {{spec: '{project.model}', prices: {{input: 1000, output: 1000}}}}}}\n")
    write(project, [5, 0, 0], what="warn")
    assert project.run("evals", model="echo").ret == 0
    cost = sum(row["cost_usd"] for row in project.rows("SELECT cost_usd FROM calls"))
    write(project, [5, 0, 0])
    result = project.run("evals", f"--max-cost={cost}", model="echo")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["note: not escalated: --max-cost is used up"])
    assert requests(project) == 40
    assert asked(project) == {1: 20}


def test_a_failed_test_beside_it_makes_it_needless(project: Project) -> None:
    write(project, [5, 0, 0])
    project.write(tests__test_own_py="def test_own():\n    assert False\n")
    assert project.run("evals", "tests").ret == 1
    assert requests(project) == 20


def test_a_resumed_run_has_no_third_look(project: Project) -> None:
    write(project, [5, 5, 5])
    assert project.run("evals").ret == 1
    result = project.run("evals", "--resume=last")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["note: not escalated: it had its second look"])
    assert requests(project) == 60


def test_a_budget_is_one_for_both_looks(project: Project) -> None:
    project.write(models_yaml=f"models: {{echo: {{spec: '{project.model}', prices: {{input: 1000, output: 1000}}}}}}\n")
    write(project, [5, 0, 0])
    spent = project.run("evals", model="echo", inside=False)
    assert spent.ret == 0
    cost = sum(row["cost_usd"] for row in project.rows("SELECT cost_usd FROM cases"))
    result = project.run("evals", f"--max-cost={cost / 2:.4f}", model="echo", inside=False)
    assert result.ret == 10  # the second look meets the end of the budget
    cost_then = sum(
        row["cost_usd"] or 0
        for row in project.rows("SELECT cost_usd FROM calls WHERE run_id = ?", project.last_run()["id"])
    )
    assert cost_then <= cost / 2


def test_reports_of_the_session_stay_those_of_the_first_look(project: Project) -> None:
    write(project, [5, 0, 0])
    assert project.run("evals", "--junitxml=out.xml", "--html=out.html", "--self-contained-html").ret == 0
    assert (project.root / "out.xml").read_text().count("<testcase ") == 20
    assert "test_echo[r00]" in (project.root / "out.html").read_text()


def test_a_broken_child_is_shown_and_fails(project: Project) -> None:
    write(project, [5, 0, 0])
    project.write(
        conftest_py="""
        import os

        if "LLMEVAL_ESCALATED" in os.environ:
            raise RuntimeError("no second look")
    """
    )
    result = project.run("evals")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["note: the escalation failed with status 4:", "  ImportError *", "  E   RuntimeError: no second look"]
    )
    assert project.last_run()["exit_code"] == 1


def test_arguments_behind_a_double_dash_stay_there(project: Project) -> None:
    write(project, [5, 0, 0])
    command = [sys.executable, "-m", "pytest", f"--model={project.model}", "--", "evals"]
    assert subprocess.run(command, cwd=project.root, capture_output=True, check=False).returncode == 0
    assert asked(project) == {1: 20, 2: 20, 3: 20}


def test_a_second_look_that_is_stopped_decides_nothing(project: Project) -> None:
    write(project, [5, 0, 0])
    project.write(
        conftest_py="""
        import os

        def pytest_runtest_teardown(item):
            assert "LLMEVAL_ESCALATED" not in os.environ, "no teardown"
    """
    )
    result = project.run("evals", "-x")
    assert result.ret == 1
    run = project.last_run()
    assert (run["status"], run["exit_code"], run["verdict"]) == ("interrupted", 1, "none")
    result.stdout.fnmatch_lines(
        [
            "note: the escalation failed with status 1:",
            "*AssertionError: no teardown",
            "gate: stopped, not judged",
            f"continue with: pytest --resume {run['id']} evals -x",
        ]
    )


def test_an_interrupt_during_the_second_look_is_told(project: Project) -> None:
    write(project, [5, 0, 0])
    project.write(
        conftest_py="""
        import os
        import signal
        import time

        def pytest_runtest_setup(item):
            if "LLMEVAL_ESCALATED" in os.environ:
                os.kill(int(os.environ["LLMEVAL_PARENT_PID"]), signal.SIGINT)
                time.sleep(5)
    """
    )
    result = project.run("evals", inside=False)
    assert result.ret == 2
    run = project.last_run()
    assert (run["status"], run["exit_code"]) == ("interrupted", 2)
    result.stdout.fnmatch_lines(["gate: stopped, not judged", f"continue with: pytest --resume {run['id']} evals *"])
    (project.root / "conftest.py").unlink()
    assert project.run("evals", "--resume=last").ret == 0
    assert asked(project) == {1: 20, 2: 20, 3: 20}


def test_a_total_is_about_the_first_look(project: Project, spread: list[str]) -> None:
    """It was given 40 tokens; that the second one is given 80 more is no reason to fail."""
    write(project, [5, 0, 0], rule="min: 0.8")
    rules = "suites: {echo: {right: {min: 0.8, confident: true}, output_tokens: {max_total: %s}}}\n"
    for most, verdict in ((40, "pass"), (39, "fail")):
        project.write(
            thresholds_yaml=f"version: 1\ndefaults: {{on_inconclusive: escalate}}\n{rules % most}",
        )
        assert project.run("evals", *spread).ret == (verdict == "fail")
        (total,) = project.rows("SELECT * FROM verdicts WHERE metric = 'output_tokens' ORDER BY rowid DESC LIMIT 1")
        assert (total["value"], total["n"], total["verdict"]) == (40, 20, verdict)
        assert asked(project)[3] == (20 if verdict == "pass" else 0)


def test_a_total_stays_about_the_first_look_where_the_run_goes_on_with_more_epochs(project: Project) -> None:
    """Those were asked for by hand, after what the total was to cover."""
    write(project, [5, 0, 0, 0, 0])
    rules = "suites: {echo: {right: {min: 0.8, confident: true}, output_tokens: {max_total: 40}}}\n"
    project.write(thresholds_yaml=f"version: 1\ndefaults: {{on_inconclusive: escalate}}\n{rules}")
    assert project.run("evals").ret == 0
    assert project.run("evals", "--resume=last", "--epochs=5").ret == 0
    assert project.run("evals", "--llmeval-rescore=last", model="").ret == 0
    found = project.rows("SELECT * FROM verdicts WHERE metric = 'output_tokens' ORDER BY rowid DESC LIMIT 2")
    assert [(total["value"], total["n"]) for total in found] == [(40, 20)] * 2
    assert sorted(asked(project)) == [1, 2, 3, 4, 5]
