"""Sessions that come to another end than their own: stopped after failures, broken by a plugin, without answers."""

import threading

import pytest

from pytest_llmeval.bridge.config.model_setup import ModelHosts
from pytest_llmeval.models.local.host import EmbeddedModel
from pytest_llmeval.models.vllm.host import VllmModels
from tests.support.project import Project

ROWS = [{"id": f"r{n}", "input": f"q{n}", "target": f"q{n}"} for n in range(6)]
EXACT = "def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n"
ERRORS = EXACT + "    if sample.id in {broken}:\n        raise RuntimeError('not now')\n"
GATED = "version: 1\nsuites: {echo: {exact: {min: 0.5}, settings: {max_error_rate: 0.9}}}\n"


def refusal(project: Project) -> str:
    """Return why the newest run can be no baseline."""
    done = project.llmeval("baseline", "set", "main", "--even-red")
    assert done.ret == 4
    return done.stderr.str()


@pytest.mark.parametrize(
    ("arguments", "status"), [(("-x",), 1), (("--maxfail=2",), 1), (("--maxfail=2", "-n2"), 2)], ids=["x", "2", "2-n2"]
)
def test_maxfail_counts_errors_and_no_misses(project: Project, arguments: tuple[str, ...], status: int) -> None:
    """The gate is not asked for a run that was stopped, whatever came before; the statuses are pytest's own."""
    rows = [{**ROWS[0], "target": "other"}, {**ROWS[1], "target": "other"}, {**ROWS[2], "target": "other"}, *ROWS[3:]]
    project.eval(ERRORS.format(broken=("r3", "r4")), rows)
    project.write(thresholds_yaml=GATED)
    result = project.run("evals", *arguments)
    assert result.ret == status
    count = 1 if "-x" in arguments else 2
    result.stdout.fnmatch_lines(["gate: stopped, not judged*", f"*stopping after {count} failures*"])
    run = project.last_run()
    assert (run["status"], run["verdict"], run["exit_code"]) == ("interrupted", "none", status)
    assert project.rows("SELECT * FROM verdicts") == []
    assert "was interrupted" in refusal(project)


def test_the_status_that_pytest_sets_last_is_the_runs(project: Project, dist_args: list[str]) -> None:
    """It counts warnings once the run has been judged and shown."""
    project.eval(f"{EXACT}    import warnings\n    warnings.warn('old')\n", ROWS[:1])
    project.write(thresholds_yaml=GATED)
    assert project.run("evals", "--max-warnings=0", "-Walways", *dist_args).ret == 6
    run = project.last_run()
    assert (run["status"], run["exit_code"], run["verdict"]) == ("finished", 6, "pass")
    done = project.llmeval("baseline", "set", "main")
    assert (done.ret, "is not green (exit status 6" in done.stderr.str()) == (4, True)


def test_a_plugin_that_breaks_leaves_a_run_that_was_not_judged(project: Project) -> None:
    """Status 3 is pytest's; what had ended is kept, and the rest is asked when the run goes on."""
    project.eval(EXACT, ROWS)
    project.write(
        thresholds_yaml=GATED,
        conftest_py="""
        import os

        seen = []

        def pytest_runtest_logreport(report):
            if report.when == "call" and not os.path.exists("fixed"):
                seen.append(report.nodeid)
                if len(seen) == 3:
                    raise ValueError("a plugin broke")
        """,
    )
    assert project.run("evals", inside=False).ret == 3
    run = project.last_run()
    assert (run["status"], run["exit_code"], run["verdict"]) == ("interrupted", 3, "none")
    assert project.rows("SELECT * FROM verdicts") == []
    assert "was interrupted" in refusal(project)
    kept = len(project.cases())
    assert kept >= 2
    asked = len(project.server.ledger)
    (project.root / "fixed").touch()
    assert project.run("evals", "--resume=last", model="", inside=False).ret == 0
    assert project.cases() == dict.fromkeys((row["id"] for row in ROWS), "passed")
    assert len(project.server.ledger) <= asked + len(ROWS) - kept


def test_a_plugin_that_breaks_in_the_first_process_ends_the_calls_of_all(project: Project) -> None:
    """Workers learn of it at once: xdist would let them run what they were given, for some seconds."""
    project.eval(EXACT, [{"id": f"r{n:03}", "input": f"q{n}", "target": f"q{n}"} for n in range(400)])
    project.model = project.server.spec("fault-slow-20")
    project.write(
        conftest_py="""
        import time

        def pytest_configure(config):
            if not hasattr(config, "workerinput"):
                config.pluginmanager.register(Breaking())

        class Breaking:
            seen = 0

            def pytest_runtest_logreport(self, report):
                self.seen += report.when == "call"
                if self.seen == 3:
                    with open("broke.txt", "w") as file:
                        file.write(str(time.monotonic()))
                    raise ValueError("a plugin broke")
        """
    )
    assert project.run("evals", "-n2", "--max-connections=1").ret == 3
    broke_s = float((project.root / "broke.txt").read_text())
    assert [entry for entry in project.server.ledger if entry.time_s > broke_s + 1] == []
    assert project.last_run()["status"] == "interrupted"


def test_a_plugin_that_breaks_at_the_end_takes_no_run_with_it(project: Project, dist_args: list[str]) -> None:
    """Pytest ends with a traceback, and the run is judged all the same."""
    project.eval(EXACT, ROWS)
    project.write(
        thresholds_yaml=GATED,
        conftest_py="""
        def pytest_sessionfinish(session):
            if not hasattr(session.config, "workerinput"):
                raise ValueError("a plugin broke")
        """,
    )
    result = project.run("evals", *dist_args, inside=False)
    assert "ValueError: a plugin broke" in result.stderr.str()
    assert result.ret == 1
    run = project.last_run()
    assert (run["status"], run["verdict"]) == ("finished", "pass")
    assert set(project.cases().values()) == {"passed"}
    assert list((project.root / ".llmeval").glob("*.journal*")) == []
    assert len(project.rows("SELECT * FROM calls")) == len(ROWS)


def test_the_folder_of_the_socket_may_go_meanwhile(project: Project) -> None:
    """Somebody cleans the temporary folder, say."""
    project.eval("", ROWS)
    project.write(
        evals__test_echo_py="""
        import pathlib
        import shutil

        import pytest

        @pytest.mark.llmeval("data/echo.jsonl")
        def test_echo(sample, response, score, pytestconfig):
            if sample.id == "r5":
                shutil.rmtree(pathlib.Path(pytestconfig.workerinput["llmeval_socket"]).parent)
            score.exact(response, sample.target)
        """,
        thresholds_yaml=GATED,
    )
    assert project.run("evals", "-n2").ret == 0
    assert project.cases() == dict.fromkeys((row["id"] for row in ROWS), "passed")
    assert (project.last_run()["status"], project.last_run()["verdict"]) == ("finished", "pass")


def test_a_model_of_this_machine_that_cannot_be_ended_keeps_no_other_running(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU that broke says so again when its memory is freed; the status is that of the run."""
    ended, before = [], set(threading.enumerate())

    class Broken:
        def close(self) -> None:
            ended.append("hf")
            raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(ModelHosts, "_start_hf", lambda hosts, *_: setattr(hosts, "_hf", Broken()))
    monkeypatch.setattr(VllmModels, "stop", lambda models: ended.append("vllm"))
    monkeypatch.setattr(EmbeddedModel, "stop", lambda model: ended.append("local"))
    project.eval(EXACT, ROWS)
    assert project.run("evals", "-p", "no:xdist").ret == 0
    assert sorted(ended) == ["hf", "local", "vllm"]
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("llmeval-")]


def test_a_suite_without_answers_is_no_baseline_though_something_failed_as_well(project: Project) -> None:
    project.eval(ERRORS.format(broken=tuple(row["id"] for row in ROWS)), ROWS)
    project.write(
        thresholds_yaml=GATED.replace("0.9", "0.02"), tests__test_own_py="def test_own():\n    assert False\n"
    )
    assert project.run("evals", "tests").ret == 1
    assert (project.last_run()["status"], project.last_run()["exit_code"]) == ("unmeasurable", 1)
    assert "is unmeasurable" in refusal(project)


def test_a_case_that_is_skipped_before_its_setup_is_a_case_that_was_skipped(
    project: Project, spread: list[str]
) -> None:
    """A hook of the project's stands before all others, and what it skips has ended all the same."""
    rows = [{**row, "slice": f"of {row['id']}"} for row in ROWS]
    project.eval(EXACT, rows)
    project.write(
        thresholds_yaml=GATED,
        conftest_py="""
        import pytest

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_setup(item):
            if item.name.endswith("[r1]"):
                pytest.skip("not here")
            return (yield)
        """,
    )
    result = project.run("evals", *spread)
    assert result.ret == 0, result.stdout.str()
    result.assert_outcomes(passed=5, skipped=1)
    assert project.cases() == {row["id"]: "skipped" if row["id"] == "r1" else "passed" for row in ROWS}
    assert (project.last_run()["status"], project.last_run()["verdict"]) == ("finished", "pass")
    assert project.rows("SELECT slices FROM cases WHERE sample_id = 'r1'") == [{"slices": '["of r1"]'}]
    digests = project.rows("SELECT input_digest FROM cases")
    assert len({row["input_digest"] for row in digests}) == len(ROWS)


@pytest.mark.parametrize(
    ("body", "rules", "status", "state"),
    [
        (EXACT, GATED, 10, "unmeasurable"),
        (EXACT, "", 10, "interrupted"),
        (EXACT + "    assert sample.id != 'r2'\n", "", 1, "interrupted"),
    ],
    ids=["gated", "plain", "failed"],
)
def test_a_run_that_lacks_a_case_never_reports_success(
    project: Project, body: str, rules: str, status: int, state: str, spread: list[str]
) -> None:
    """A plugin took a test out of pytest's hands and told nobody."""
    project.eval(body, ROWS)
    project.write(
        conftest_py="""
        def pytest_runtest_protocol(item):
            return True if item.name.endswith("[r1]") else None
        """
    )
    if rules:
        project.write(thresholds_yaml=rules)
    result = project.run("evals", *spread)
    assert result.ret == status
    result.stdout.fnmatch_lines(["note: 1 case of the run did not finish", "continue with: pytest --resume * evals*"])
    is_why = state == "interrupted" and status == 10
    assert is_why == ("note: status 10: a run that lacks cases never reports success" in result.stdout.lines)
    assert (project.last_run()["status"], project.last_run()["exit_code"]) == (state, status)
    assert state in refusal(project)
    (project.root / "conftest.py").unlink()
    assert project.run("evals", "--resume=last", model="").ret == (status if status == 1 else 0)
    assert len(project.cases()) == len(ROWS)


@pytest.mark.parametrize(
    ("given", "status"), [("returncode=77", 77), ("returncode=0", 2), ("returncode=1", 2), ("", 2)]
)
def test_an_eval_that_ends_the_session_has_it_end_as_it_says(project: Project, given: str, status: int) -> None:
    """But never as one that passed, or as one whose gate failed."""
    project.eval(
        f"def test_echo(sample, response):\n    if sample.id == 'r2':\n        pytest.exit('stop', {given})\n", ROWS
    )
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {min: 0.5}}}\n")
    assert project.run("evals", "-p", "no:xdist", inside=False).ret == status
    run = project.last_run()
    assert (run["status"], run["exit_code"], run["verdict"]) == ("interrupted", status, "none")
    assert project.cases() == {"r0": "passed", "r1": "passed"}


def test_a_row_that_changed_meanwhile_is_one_error_of_its_case(project: Project) -> None:
    """Every plugin has begun its setup by then, and finds in its teardown what it left."""
    project.eval("def test_echo(sample, response):\n    pass\n", ROWS)
    project.write(
        conftest_py="""
        import pathlib

        def pytest_runtestloop():
            path = pathlib.Path("data/echo.jsonl")
            path.write_text(path.read_text().replace("q1", "Q1"))
        """
    )
    result = project.run("evals", "-p", "no:xdist")
    result.assert_outcomes(passed=5, errors=1)
    assert project.cases() == {row["id"]: "error" if row["id"] == "r1" else "passed" for row in ROWS}


def test_misses_without_any_rule_may_be_what_rules_begin_from(project: Project) -> None:
    """A run that is red by an error, or by an xfail that passed, may not."""
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n", [
        {"id": "a", "input": "x", "target": "x"}, {"id": "b", "input": "x", "target": "y"},
    ])  # fmt: skip
    assert project.run("evals").ret == 1
    assert project.llmeval("baseline", "set", "main").ret == 0


def test_a_call_that_comes_when_the_run_is_closed_changes_nothing_of_it(project: Project) -> None:
    """Of a thread that a test left behind, say: the run is recorded in full by then."""
    project.write(
        conftest_py="""
            import pytest
            import sys

            @pytest.hookimpl(tryfirst=True)
            def pytest_terminal_summary(terminalreporter):
                ask = getattr(sys.modules.get("test_echo"), "ASK", None)
                if ask is not None:
                    with pytest.raises(Exception, match="model echo of a case that has ended: "):
                        ask("late")
                    terminalreporter.write_line("asked late")
        """
    )
    project.eval(
        """
        def test_echo(model):
            global ASK
            ASK = model.generate_sync
            ASK("in time")
        """,
        ROWS[:2],
    )
    result = project.run("evals", "-p", "no:xdist")
    assert result.ret == 0, result.stdout.str()
    assert "asked late" in result.stdout.str()
    assert "cannot be written" not in result.stdout.str()
    assert (project.last_run()["status"], project.last_run()["verdict"]) == ("finished", "none")


def test_a_session_told_to_end_while_a_plugin_finishes_is_interrupted(project: Project) -> None:
    """All cases are there by then; the plugin's work is not, and what it may have said of the session."""
    project.eval(EXACT, ROWS)
    project.write(
        thresholds_yaml=GATED,
        conftest_py="""
            import os
            import signal

            import pytest

            @pytest.hookimpl(tryfirst=True)
            def pytest_sessionfinish():
                os.kill(os.getpid(), signal.SIGTERM)
        """,
    )
    result = project.run("evals", inside=False)
    run = project.last_run()
    assert (result.ret, run["exit_code"], run["status"], run["verdict"]) == (2, 2, "interrupted", "none")
    result.stdout.fnmatch_lines(["gate: stopped, not judged*"])
    assert "was interrupted" in refusal(project)


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_session_told_to_end_while_its_summary_is_shown_is_interrupted(
    project: Project, number: str, dist_args: list[str]
) -> None:
    """The run has been judged by then; what it ends with is what its process ends with."""
    project.eval(EXACT, ROWS)
    project.write(
        thresholds_yaml=GATED,
        conftest_py=f"""
            import os
            import signal

            def pytest_terminal_summary():
                os.kill(os.getpid(), signal.{number})
        """,
    )
    result = project.run("evals", *dist_args, inside=False)
    run = project.last_run()
    assert (result.ret, run["exit_code"], run["status"], run["verdict"]) == (2, 2, "interrupted", "none")
    assert project.rows("SELECT * FROM verdicts") == []
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    result.stdout.fnmatch_lines(["llmeval: interrupted while the session ended: status 2"])
    assert "was interrupted" in refusal(project)


BREAKING_LATE = """
def pytest_configure(config):
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Breaking())

class Breaking:
    def pytest_runtest_logfinish(self, nodeid):
        if "r5" in nodeid:
            raise RuntimeError("broke")
"""


def test_an_internal_error_of_a_worker_is_no_pass(project: Project) -> None:
    """xdist goes on to its end, where all rows may be there."""
    rows = [{"id": f"r{number}", "input": "x"} for number in range(6)]
    project.eval("def test_echo(response, score):\n    score.record('n', 1)\n", rows)
    project.write(evals__conftest_py=BREAKING_LATE, thresholds_yaml="version: 1\nsuites: {echo: {n: {min: 0.5}}}\n")
    result = project.run("evals", "-n2")
    assert result.ret == 3
    assert project.last_run()["status"] != "finished"
