"""What a run would take is told of all that it would run, or of nothing."""

import os

from tests.cli.conftest import Command
from tests.support.project import OPTIONS, Project

ROWS = [{"id": "a", "input": "q"}]
BODY = "def test_echo(response):\n    pass\n"
BROKEN = "import no_such_module\n"


def test_a_module_that_cannot_be_imported_is_no_cheap_one(project: Project, installed: Command) -> None:
    """Though the other evals were collected; the error is told, whatever stands on stderr."""
    project.eval(BODY, ROWS)
    (project.root / "evals" / "test_other.py").write_text(BROKEN, "utf-8")
    said = "import atexit, os\natexit.register(os.write, 2, b'a word on stderr')\n"
    (project.root / "conftest.py").write_text(said, "utf-8")
    for flags in ([], ["--json"]):
        done = installed("estimate", *flags, "evals", f"--model={project.model}", cwd=project.root)
        assert (done.status, done.out) == (4, "")
        assert "a word on stderr" in done.err and "No module named 'no_such_module'" in done.err
        assert '"estimate"' not in done.err, "what the others take"


def test_without_a_path_it_is_of_the_evals(project: Project, installed: Command) -> None:
    """The value of an option is none; a folder of another name, and one named by -m, is found, too."""
    project.eval(BODY, ROWS)
    (project.root / "tests").mkdir()
    project.write(tests__test_own_py="def test_own():\n    pass\n")
    for options in ([], ["testpaths = tests\n"], ["llmeval_paths = checks\n"]):
        project.pytester.makeini(f"[pytest]\n{OPTIONS}{''.join(options)}")
        if "checks" in str(options):
            (project.root / "evals").rename(project.root / "checks")
        done = installed("estimate", "--json", "--model", project.model, cwd=project.root)
        assert (done.status, done.err) == (0, "")
        assert [each["cases"] for each in done.json()] == [1]


def test_a_run_that_goes_on_beside_broken_modules_or_warnings_is_estimated(
    project: Project, installed: Command
) -> None:
    project.eval(BODY, ROWS)
    (project.root / "evals" / "test_other.py").write_text(BROKEN, "utf-8")
    model = f"--model={project.model}"
    goes_on = installed("estimate", "--json", "evals", model, "--continue-on-collection-errors", cwd=project.root)
    assert (goes_on.status, goes_on.err) == (0, "")
    (project.root / "evals" / "test_other.py").write_text("import warnings\nwarnings.warn('old')\n", "utf-8")
    warned = installed("estimate", "--json", "evals", model, "--max-warnings=0", cwd=project.root)
    assert (warned.status, warned.json()) == (0, goes_on.json())


def test_what_our_own_plugin_said_is_told_with_one_prefix(project: Project, installed: Command) -> None:
    project.eval("@pytest.mark.judge_attack\n" + BODY, ROWS)
    done = installed("estimate", "--model", project.model, cwd=project.root)
    assert done.status == 4
    assert done.err.endswith(f"1 eval function waits; run it with: pytest -m judge_attack --model {project.model}\n")
    assert done.err.startswith("llmeval: ") and done.err.count("llmeval: ") == 1


def test_a_suite_whose_code_changed_since_its_run_is_named(project: Project, installed: Command) -> None:
    """Where its code decides how many calls it makes: --max-cost may be set by what is said. Once for all its sets."""
    sets = "@pytest.mark.parametrize('style', ['short', 'long'])\n"
    asks = f"{sets}def test_echo(model, style):\n    model.generate_sync()\n"
    project.eval(asks, ROWS)
    project.eval(BODY.replace("echo", "fixed"), ROWS, name="fixed")
    assert project.run("evals").ret == 0
    run = project.last_run()["id"]
    told = f"suite echo: its code has changed since run {run}, whose calls are counted here"
    for others, notes in (("", [False, False]), ("    pass\n", [True, False])):
        project.eval(asks + others, ROWS)
        project.eval((BODY + others).replace("echo", "fixed"), ROWS, name="fixed")
        done = installed("estimate", "evals", f"--model={project.model}", cwd=project.root)
        said = " ".join(done.out.split())
        assert (done.status, [said.count(told), "suite fixed" in said]) == (0, notes)


def test_what_a_mark_skips_costs_nothing_and_what_was_to_fail_answers_as_it_did(
    project: Project, installed: Command
) -> None:
    """Of a suite whose cases are all skipped the calls are known before any run, and are none."""
    rows = [{"id": name, "input": "q" * 8} for name in "abc"]
    project.eval("@pytest.mark.skip\n" + BODY, rows)
    project.eval(BODY.replace("echo", "some"), [rows[0], {**rows[1], "marks": ["skip"]}], name="some")
    project.eval("@pytest.mark.xfail\ndef test_fails(response):\n    assert not response.text\n", rows, name="fails")
    assert project.run("evals").ret == 0
    done = installed("estimate", "--json", "evals", f"--model={project.model}", cwd=project.root)
    took = {each["suite"]: (each["cases"], each["estimate"]) for each in done.json()}
    assert {suite: (cases, told["calls"]) for suite, (cases, told) in took.items()} == {
        "echo": (3, 0),
        "some": (2, 1),
        "fails": (3, 3),
    }
    assert took["echo"][1] == {"calls": 0, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}
    assert (
        took["fails"][1]["output_tokens"]
        == project.rows("SELECT sum(output_tokens) AS all_ FROM calls")[0]["all_"] * 3 / 4
    )


def test_where_no_eval_is_selected_it_is_said(project: Project, installed: Command) -> None:
    project.eval(BODY, ROWS)
    done = installed("estimate", "evals", "-k", "nothing", f"--model={project.model}", cwd=project.root)
    assert done.status == 4 and done.err.startswith("llmeval: ")


def test_a_database_that_cannot_be_written_is_read(project: Project, installed: Command) -> None:
    """As it is: its answers say how much the next run takes. That run itself is refused."""
    project.eval(BODY, [{"id": "a", "input": "q" * 400}])
    assert project.run("evals").ret == 0
    estimate = ["estimate", "--json", "evals", f"--model={project.model}"]
    (before,) = installed(*estimate, cwd=project.root).json()
    assert before["estimate"]["output_tokens"] is not None
    refuses = "import os\naccess = os.access\nos.access = lambda path, mode: mode != os.W_OK and access(path, mode)\n"
    (project.root / "conftest.py").write_text(refuses, "utf-8")
    folder = project.root / ".llmeval"
    for log in folder.glob("*.db-*"):
        log.unlink()
    os.utime(folder, (1, 1))
    done = installed(*estimate, cwd=project.root)
    assert (done.status, done.err) == (0, "")
    assert done.json() == [before]
    assert folder.stat().st_mtime == 1, "nothing was put beside it"
    assert project.run("evals", "--co", fresh=True).ret == 0
    result = project.run("evals", fresh=True)
    assert result.ret == 4
    assert "llmeval.db: cannot be written; change its mode" in result.stdout.str() + result.stderr.str()
