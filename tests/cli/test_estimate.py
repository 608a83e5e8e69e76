"""What a run would take is told of all that it would run, or of nothing."""

from tests.cli.conftest import Command
from tests.support.project import Project

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


def test_where_no_eval_is_selected_it_is_said(project: Project, installed: Command) -> None:
    project.eval(BODY, ROWS)
    done = installed("estimate", "evals", "-k", "nothing", f"--model={project.model}", cwd=project.root)
    assert done.status == 4 and done.err.startswith("llmeval: ")
