"""``--resume``: only what is missing is asked, and the run is judged over all of its cases (contract, section 3)."""

import contextlib
import sqlite3
from collections import Counter

import pytest

from tests.support.fault_server import FaultServer
from tests.support.project import OPTIONS, Project, jsonl
from tests.support.sessions import Held, Session, asked, requests, wait_until

ROWS = [{"id": f"r{n}", "input": f"q{n}", "target": f"q{n}"} for n in range(6)]
BODY = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)
    if sample.id == "r3" and not __import__("os").path.exists("fixed"):
        raise RuntimeError("not now")
"""
GATED = "version: 1\nsuites: {echo: {exact: {min: %s}, settings: {max_error_rate: 0.9}}}\n"


def unwrapped(result: pytest.RunResult) -> str:
    """Return what was printed, each run of white space as one blank."""
    return " ".join(result.stdout.str().split())


def resume(project: Project, *arguments: str, model: str = "") -> pytest.RunResult:
    """Go on with the newest run."""
    return project.run("evals", "--resume=last", *arguments, model=model)


@pytest.fixture
def broken(project: Project) -> Project:
    """A project whose run has an error, which the file ``fixed`` takes away."""
    project.eval(BODY, ROWS)
    assert project.run("evals").ret == 1
    assert len(project.server.ledger) == 6
    return project


def test_only_what_has_not_ended_runs_and_its_answer_is_not_asked_again(broken: Project, dist_args: list[str]) -> None:
    before = broken.last_run()
    (broken.root / "fixed").touch()
    result = resume(broken, *dist_args)
    assert result.ret == 0
    assert len(broken.server.ledger) == 6
    result.assert_outcomes(passed=1, deselected=0 if "-n2" in dist_args else 5)
    assert "1 answer received earlier, 5 cases finished earlier" in unwrapped(result)
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
    (project.root / "fixed").touch()
    assert resume(project).ret == status
    assert project.last_run()["verdict"] == verdict
    assert project.rows("SELECT n FROM verdicts WHERE metric = 'exact'") == [{"n": 6}]


def test_a_miss_of_the_first_session_fails_an_ungated_suite_after_the_second(project: Project) -> None:
    project.eval(BODY, [{**ROWS[0], "target": "other"}, *ROWS[1:]])
    assert project.run("evals").ret == 1
    (project.root / "fixed").touch()
    result = resume(project)
    assert result.ret == 1, result.stdout.str()
    assert project.last_run()["exit_code"] == 1


def test_a_run_that_ended_has_its_status_again_and_calls_nobody(project: Project, spread: list[str]) -> None:
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n", ROWS)
    project.write(thresholds_yaml=GATED % "0.5")
    assert project.run("evals").ret == 0
    assert resume(project, *spread).ret == 0
    assert len(project.server.ledger) == 6
    assert (project.last_run()["status"], project.last_run()["verdict"]) == ("finished", "pass")
    assert project.rows("SELECT count(*) AS n FROM runs") == [{"n": 1}]


CHANGES = {
    "the dataset": lambda p: p.write(data__echo_jsonl=jsonl(*ROWS[:-1], {**ROWS[-1], "target": "new"})),
    "the prompt": lambda p: p.write(prompt_txt="Other: {input}\n"),
    "the code of the test or of a scorer": lambda p: p.eval(BODY + "    assert True\n", marker='prompt="prompt.txt"'),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_refused_by_name_and_allowed_on_request(project: Project, what: str) -> None:
    project.write(prompt_txt="Say {input}\n")
    project.eval(BODY, ROWS, marker='prompt="prompt.txt"')
    assert project.run("evals").ret == 1
    calls = len(project.server.ledger)
    CHANGES[what](project)
    result = resume(project)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*{what} of suite 'echo' changed*--llmeval-resume-changed*"])
    assert len(project.server.ledger) == calls
    result = resume(project, "--llmeval-resume-changed")
    assert f"{what} of suite 'echo' changed; the run cannot be a baseline" in unwrapped(result)
    assert f"{what} of suite 'echo' changed" in project.last_run()["settings_json"]


def test_a_row_that_changed_is_asked_again_where_going_on_is_allowed(project: Project, spread: list[str]) -> None:
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n", ROWS)
    assert project.run("evals").ret == 0
    before = project.rows("SELECT input_digest FROM cases WHERE sample_id = 'r2'")
    changed = [{**row, "input": "new", "target": "new"} if row["id"] == "r2" else row for row in ROWS]
    project.write(data__echo_jsonl=jsonl(*changed))
    assert resume(project, "--llmeval-resume-changed", *spread).ret == 0
    assert requests(project.server) == Counter({**{row["input"]: 1 for row in ROWS}, "new": 1})
    assert project.rows("SELECT input_digest FROM cases WHERE sample_id = 'r2'") != before
    assert len(project.cases()) == len(ROWS)


def test_a_strict_xfail_that_passes_is_neither_green_later_nor_final(project: Project, spread: list[str]) -> None:
    """By the gate of the stored run, and where the run goes on: it is asked of nobody again and fails again."""
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n", [
        {**row, "marks": ["xfail"]} if row["id"] == "r1" else row for row in ROWS
    ])  # fmt: skip
    project.write(tox_ini="[pytest]\nxfail_strict = true\nasyncio_default_fixture_loop_scope = function\n")
    assert project.run("evals", *spread).ret == 1
    assert project.cases()["r1"] == "skipped"
    assert project.llmeval("gate", "last").ret == 1
    assert resume(project, *spread).ret == 1
    assert len(project.server.ledger) == len(ROWS)
    assert project.llmeval("baseline", "set", "main", "last").ret == 4


def test_a_scorer_of_ones_own_that_changed_is_refused(project: Project) -> None:
    own = "import pytest_llmeval\n\n@pytest_llmeval.scorer\ndef own(response):\n    return %s\n"
    project.eval("def test_echo(response, score):\n    score.own(response)\n", ROWS)
    project.write(conftest_py=own % "1.0")
    assert project.run("evals", inside=False).ret == 0
    project.write(conftest_py=own % "0.99")
    result = project.run("evals", "--resume=last", model="", inside=False)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*the code of the test or of a scorer of suite 'echo' changed*"])


def test_another_model_is_refused_by_name(broken: Project) -> None:
    """And by its address, in its spec, once."""
    for name, host in (("other", "127.0.0.1"), ("echo", "localhost")):
        result = resume(broken, model=broken.server.spec(name).replace("127.0.0.1", host))
        assert (result.ret, len(broken.server.ledger)) == (4, 6)
        result.stderr.fnmatch_lines([f"*model '{name}' is not what the run asked (openai:echo@*)*"])
        assert "at another address" not in result.stderr.str()


def test_other_params_are_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stand in a variable, so that the code of the test is the same."""
    project.eval(BODY, ROWS, marker='params={"temperature": float(__import__("os").environ["HOW_WARM"])}')
    monkeypatch.setenv("HOW_WARM", "0")
    assert project.run("evals").ret == 1
    monkeypatch.setenv("HOW_WARM", "1.5")
    result = resume(project)
    assert (result.ret, len(project.server.ledger)) == (4, 6)
    result.stderr.fnmatch_lines(["*--resume *: the params of suite 'echo' changed. Start a new run*"])


def test_another_address_of_the_same_model_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.eval(BODY, ROWS)
    monkeypatch.setenv("OPENAI_BASE_URL", project.server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    assert (project.run("evals", model="openai:echo").ret, len(project.server.ledger)) == (1, 6)
    with FaultServer() as other:
        monkeypatch.setenv("OPENAI_BASE_URL", other.url)
        result = resume(project)
        assert result.ret == 4
        result.stderr.fnmatch_lines(["*model 'echo' is asked at another address than the run asked it*"])
        assert project.run("evals", "--co", "--resume=last", model="").ret == 4
        assert not other.ledger
    monkeypatch.setenv("OPENAI_BASE_URL", project.server.url)
    assert project.run("evals", "--co", "--resume=last", model="").ret == 0
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert project.llmeval("rescore", "last").ret == 1  # nobody is asked: r3 fails as it did


def test_the_run_decides_before_the_ini_file_and_the_environment(
    project: Project, monkeypatch: pytest.MonkeyPatch, spread: list[str]
) -> None:
    project.eval(BODY, [{**row, "slice": "odd" if number % 2 else "even"} for number, row in enumerate(ROWS)])
    assert project.run("evals", "--slice=odd", "--limit=2").ret == 1
    usual = {"llmeval_model": "openai:other@http://127.0.0.1:9/v1", "llmeval_epochs": "3"}
    ini = "".join(f"{key} = {value}\n" for key, value in usual.items())
    project.pytester.makeini(f"[pytest]\n{OPTIONS.rstrip()} --limit=1\n{ini}")
    monkeypatch.setenv("LLMEVAL_SLICE", "even")
    monkeypatch.setenv("LLMEVAL_JUDGE_MODEL", "openai:judge@http://127.0.0.1:9/v1")
    (project.root / "fixed").touch()
    assert resume(project, *spread).ret == 0
    assert project.cases() == {"r1": "passed", "r3": "passed"}
    assert len(project.server.ledger) == 2
    assert "--limit is 1 here" in resume(project, "--limit=1").stderr.str()


def test_a_judge_that_the_run_did_not_have_is_refused_by_name(broken: Project) -> None:
    """What was scored before it came has no score of its own."""
    (broken.root / "fixed").touch()
    judge = f"--judge-model={broken.server.spec('late')}"
    result = resume(broken, judge)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*judge 'late' is not what the run asked (it had no judge)*--llmeval-resume-changed*"])
    assert resume(broken, judge, "--llmeval-resume-changed").ret == 0
    assert "judge 'late' is not what the run asked" in broken.last_run()["settings_json"]


def test_a_run_that_goes_on_is_not_resumed(project: Project) -> None:
    project.eval(BODY, ROWS)
    held = Held(project.server, 2)
    with Session(project, "-p", "no:xdist") as session:
        wait_until(lambda: len(project.server.ledger) == 6, "all are asked")
        result = resume(project)
        assert result.ret == 4
        result.stderr.fnmatch_lines(["*is still going on in process*"])
        (project.root / "fixed").touch()
        held.open()
        assert session.end() == 0
    assert len(project.server.ledger) == 6


@pytest.mark.parametrize(("cut", "ids"), [("--limit=4", "r0 r1 r2 r3"), ("--slice=odd", "r1 r3 r5")])
def test_a_run_of_some_rows_goes_on_with_those(project: Project, cut: str, ids: str, spread: list[str]) -> None:
    """The command that is shown names the run alone."""
    project.eval(BODY, [{**row, "slice": "odd" if number % 2 else "even"} for number, row in enumerate(ROWS)])
    assert project.run("evals", cut).ret == 1
    (project.root / "fixed").touch()
    assert resume(project, *spread).ret == 0
    assert project.cases() == dict.fromkeys(ids.split(), "passed")
    assert len(project.server.ledger) == len(ids.split())
    result = resume(project, cut.replace("4", "5").replace("odd", "even"))
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*{cut.partition('=')[0]} is * here and was * for the run*"])


@pytest.mark.parametrize("status", ["running", "finished"])
def test_two_sessions_do_not_take_up_one_run(broken: Project, status: str) -> None:
    """The second one found it free, too, and the first was faster to begin, or to end; it keeps no hold of the file."""
    broken.write(
        conftest_py=f"""
        import os
        import pathlib
        import sqlite3
        import subprocess
        import sys

        import pytest
        from pytest_llmeval.store.processes import process_started

        @pytest.hookimpl(tryfirst=True)
        def pytest_collection_finish(session):
            other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            session.config.add_cleanup(other.kill)
            with sqlite3.connect(".llmeval/llmeval.db") as connection:
                connection.execute(
                    "UPDATE runs SET status = '{status}', finished_at = NULL, exit_code = NULL, pid = ?,"
                    " process_started = ?",
                    [other.pid, process_started(other.pid)],
                )
            connection.close()

        @pytest.hookimpl(trylast=True)
        def pytest_unconfigure(config):
            held = [os.path.realpath(each) for each in pathlib.Path("/proc/self/fd").iterdir()]
            pathlib.Path("held.txt").write_text(" ".join(path for path in held if "llmeval.db" in path))
        """
    )
    (broken.root / "fixed").touch()
    result = broken.run("evals", "--resume=last", model="", inside=False)
    assert result.ret == 4
    told = "is still going on in process" if status == "running" else "was taken up by another session meanwhile"
    result.stderr.fnmatch_lines([f"*{told}*"])
    assert len(broken.server.ledger) == 6
    assert broken.cases()["r3"] == "error"
    assert (broken.root / "held.txt").read_text() == ""


@pytest.mark.parametrize("ref", ["last", "nightly", "id", "beginning"])
def test_a_run_is_named_in_four_ways(project: Project, ref: str) -> None:
    project.eval(BODY, ROWS[3:4])
    project.run("evals", "--run-name=nightly")
    (project.root / "fixed").touch()
    run_id = project.last_run()["id"]
    name = {"id": run_id, "beginning": run_id[:-3]}.get(ref, ref)
    assert project.run("evals", f"--resume={name}", model="").ret == 0
    assert (project.last_run()["id"], project.last_run()["name"]) == (run_id, "nightly")
    assert len(project.server.ledger) == 1
    assert project.run("evals", f"--resume={name}", "--run-name=other", model="").ret == 0
    assert (project.last_run()["id"], project.last_run()["name"]) == (run_id, "other")


@pytest.mark.parametrize("ref", ["last", "nothing"])
def test_a_run_that_is_not_there_is_a_usage_error(project: Project, ref: str) -> None:
    project.eval(BODY, ROWS)
    result = project.run("evals", f"--resume={ref}")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--resume*there is no database*"])
    assert project.server.ledger == []


def test_a_journal_that_was_cut_off_as_it_was_made_is_no_obstacle(broken: Project) -> None:
    """Versions before made its tables first, and a killed process left them without the row of the run."""
    left = broken.root / f".llmeval/llmeval.db.{broken.last_run()['id']}.journal"
    with contextlib.closing(sqlite3.connect(left)) as connection:
        connection.executescript("CREATE TABLE run (facts TEXT NOT NULL); CREATE TABLE answers (id TEXT PRIMARY KEY)")
    (broken.root / "fixed").touch()
    result = resume(broken)
    assert result.ret == 0, result.stderr.str()
    assert not left.exists()


def test_a_journal_of_the_run_that_cannot_be_read_is_named_before_any_call(broken: Project) -> None:
    left = broken.root / f".llmeval/llmeval.db.{broken.last_run()['id']}.journal"
    left.write_text("no database\n" * 200)
    result = resume(broken)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"ERROR: *{left.name}: the journal of *file is not a database*move it away*"])
    assert len(broken.server.ledger) == 6
    left.unlink()
    (broken.root / "fixed").touch()
    assert resume(broken).ret == 0


def test_epochs_that_are_added_are_asked_and_no_others(project: Project) -> None:
    project.eval("def test_echo(sample, response):\n    assert response.text == sample.input\n", ROWS)
    assert project.run("evals", "--epochs=2").ret == 0
    assert len(project.server.ledger) == 12
    assert resume(project, "--epochs=3").ret == 0
    assert len(project.server.ledger) == 18
    assert project.rows("SELECT epoch, count(*) AS n FROM cases GROUP BY epoch") == [
        {"epoch": epoch, "n": 6} for epoch in (1, 2, 3)
    ]
    assert resume(project).ret == 0
    assert len(project.server.ledger) == 18


def test_an_error_of_the_network_is_asked_again(project: Project) -> None:
    """An error is not an answer: resuming is how it is fixed."""
    project.eval(BODY, ROWS[:3])
    project.model = project.server.spec("fault-status-400-1")
    assert project.run("evals").ret == 1
    result = resume(project)
    assert result.ret == 0
    assert sorted(asked(project.server)) == sorted(2 * ["q0", "q1", "q2"])
    assert project.rows("SELECT outcome, attempts FROM cases") == 3 * [{"outcome": "passed", "attempts": 1}]
    assert "3 cases passed after a rerun: r0 of echo (before: bad_request), r1 of echo" in unwrapped(result)
    kept = project.rows("SELECT number, error_kind, error LIKE '%400%' AS said FROM earlier_outcomes")
    assert kept == 3 * [{"number": 1, "error_kind": "bad_request", "said": 1}]
    assert project.rows("SELECT count(*) AS n FROM calls WHERE status = 'bad_request'") == [{"n": 3}]


def test_calls_that_never_had_a_case_are_used_by_it_later(project: Project) -> None:
    """Answers that came ahead of a case which ``-x`` did not let run."""
    project.eval(BODY, [ROWS[3], *ROWS[:3]])
    assert project.run("evals", "-x").ret == 1
    wait_until(lambda: len(project.server.ledger) >= 1, "the first is asked")
    asked_before = len(project.server.ledger)
    kept = project.rows("SELECT count(*) AS n FROM calls WHERE status = 'ok'")[0]["n"]
    assert project.last_run()["status"] == "interrupted"
    (project.root / "fixed").touch()
    assert resume(project).ret == 0
    assert len(project.server.ledger) == asked_before + 4 - kept


def test_another_selection_is_refused_as_such(broken: Project) -> None:
    """So is another way to ask the judges, which would hold for a part of the rows alone."""
    for told, was in {
        "--limit=2": "--limit is 2 here and was 'not given'",
        "--llmeval-judge-panel=escalate": "--llmeval-judge-panel is 'escalate' here and was 'all'",
        "--llmeval-judge-probe=0.5": "--llmeval-judge-probe is 0.5 here and was 'not given'",
    }.items():
        result = resume(broken, told)
        assert result.ret == 4
        result.stderr.fnmatch_lines([f"*{was} for the run*"])


def test_an_address_whose_query_no_run_keeps_must_be_given_again(broken: Project) -> None:
    """Else the rest would be asked at another address than the beginning was."""
    address = f"{broken.server.spec('echo')}?api-version=2024"
    broken.run("evals", model=address)
    asked, result = len(broken.server.ledger), resume(broken)
    assert (result.ret, len(broken.server.ledger)) == (4, asked)
    result.stderr.fnmatch_lines(["*the address of openai:echo@* had a query or a password*give --model again*"])
    (broken.root / "fixed").touch()
    other = resume(broken, model=address.replace("2024", "2025"))
    assert (other.ret, len(broken.server.ledger)) == (4, asked)
    other.stderr.fnmatch_lines(["*model 'echo' is asked at another address than the run asked it*"])
    assert resume(broken, model=address).ret == 0


def test_an_address_that_is_only_written_otherwise_is_known(broken: Project) -> None:
    broken.run("evals", model=f"{broken.server.spec('echo')}/".replace("127.0.0.1", "LOCALHOST"))
    (broken.root / "fixed").touch()
    assert resume(broken).ret == 0
