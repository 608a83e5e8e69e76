"""``--resume``: only what is missing is asked, and the run is judged over all of its cases (contract, section 3)."""

import re
import signal
from pathlib import Path

import pytest

from tests.support.project import Project, jsonl
from tests.support.sessions import Held, Session, asked, requests, wait_until

ROWS = [{"id": f"r{n}", "input": f"q{n}", "target": f"q{n}"} for n in range(6)]
BODY = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)
    if sample.id == "r3" and not __import__("os").path.exists("mended"):
        raise RuntimeError("not now")
"""
GATED = "version: 1\nsuites: {echo: {exact: {min: %s}, settings: {max_error_rate: 0.9}}}\n"


def resume(project: Project, *arguments: str, model: str = "") -> pytest.RunResult:
    """Go on with the newest run."""
    return project.run("evals", "--resume=last", *arguments, model=model)


@pytest.fixture
def broken(project: Project) -> Project:
    """A project whose run has an error, which the file ``mended`` takes away."""
    project.eval(BODY, ROWS)
    assert project.run("evals").ret == 1
    assert len(project.server.ledger) == 6
    return project


def test_only_what_has_not_ended_runs_and_its_answer_is_not_asked_again(broken: Project, dist_args: list[str]) -> None:
    before = broken.last_run()
    (broken.root / "mended").touch()
    result = resume(broken, *dist_args)
    assert result.ret == 0
    assert len(broken.server.ledger) == 6
    result.assert_outcomes(passed=1, deselected=0 if "-n2" in dist_args else 5)
    result.stdout.fnmatch_lines(["*1 answer had come before, 5 cases had ended before*"])
    after = broken.last_run()
    assert (after["id"], after["started_at"], after["status"]) == (before["id"], before["started_at"], "finished")
    assert broken.cases() == dict.fromkeys((row["id"] for row in ROWS), "passed")
    assert len(broken.rows("SELECT * FROM calls WHERE status = 'ok'")) == 6


@pytest.mark.parametrize(("bar", "status", "verdict"), [("0.8", 0, "pass"), ("0.9", 1, "fail")])
def test_the_gate_judges_the_cases_of_all_sessions(project: Project, bar: str, status: int, verdict: str) -> None:
    """A miss that the first session saw counts in the second."""
    project.eval(BODY, [{**ROWS[0], "target": "other"}, *ROWS[1:]])
    project.write(thresholds_yaml=GATED % bar)
    project.run("evals")
    (project.root / "mended").touch()
    assert resume(project).ret == status
    assert project.last_run()["verdict"] == verdict
    assert project.rows("SELECT n FROM verdicts WHERE metric = 'exact'") == [{"n": 6}]


def test_a_miss_of_the_first_session_fails_an_ungated_suite_after_the_second(project: Project) -> None:
    project.eval(BODY, [{**ROWS[0], "target": "other"}, *ROWS[1:]])
    assert project.run("evals").ret == 1
    (project.root / "mended").touch()
    result = resume(project)
    assert result.ret == 1, result.stdout.str()
    assert project.last_run()["exit_code"] == 1


def test_a_run_that_ended_has_its_status_again_and_calls_nobody(project: Project, dist_args: list[str]) -> None:
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n", ROWS)
    project.write(thresholds_yaml=GATED % "0.5")
    assert project.run("evals").ret == 0
    assert resume(project, *dist_args).ret == 0
    project.write(thresholds_yaml=GATED % "1.1".replace("1.1", "1.0"))
    assert len(project.server.ledger) == 6
    assert (project.last_run()["status"], project.last_run()["verdict"]) == ("finished", "pass")
    assert project.rows("SELECT count(*) AS n FROM runs") == [{"n": 1}]


CHANGES = {
    "dataset": lambda p: p.write(data__echo_jsonl=jsonl(*ROWS[:-1], {**ROWS[-1], "target": "new"})),
    "prompt": lambda p: p.write(prompt_txt="Other: {input}\n"),
    "code": lambda p: p.write(evals__test_echo_py=(p.root / "evals/test_echo.py").read_text() + "    assert True\n"),
    "scorer": lambda p: p.write(evals__own_py=(p.root / "evals/own.py").read_text().replace("1.0", "0.9")),
}


@pytest.fixture
def whole(project: Project) -> Project:
    """A project with all that can change between two sessions."""
    project.eval(
        "def test_echo(sample, response, score):\n    score.own(response)\n    assert sample.id != 'r3'\n",
        ROWS,
        marker='prompt="prompt.txt"',
    )
    project.write(
        prompt_txt="Say {input}\n",
        evals__own_py="import pytest_llmeval\n\n@pytest_llmeval.scorer\ndef own(response):\n    return 1.0\n",
        conftest_py="from evals.own import own\n",
        evals____init___py="",
    )
    result = project.run("evals", inside=False)
    assert result.ret == 1, result.stdout.str()
    return project


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_refused_by_name_and_allowed_on_request(whole: Project, what: str) -> None:
    calls = len(whole.server.ledger)
    CHANGES[what](whole)
    result = whole.run("evals", "--resume=last", model="", inside=False)
    assert result.ret == 4
    words = {"code": "the code of the test or of a scorer", "scorer": "the code of the test or of a scorer"}
    result.stderr.fnmatch_lines([f"*{words.get(what, f'the {what}')} of suite 'echo' changed*--llmeval-resume-changed*"])
    assert len(whole.server.ledger) == calls
    result = whole.run("evals", "--resume=last", "--llmeval-resume-changed", model="", inside=False)
    result.stdout.fnmatch_lines(["*resumed though*changed; it can be no baseline*"])
    assert "changed" in whole.last_run()["settings_json"]
