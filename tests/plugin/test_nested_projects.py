"""A project in a folder of another: its run is its own, wherever pytest was started."""

import pytest

from tests.support.project import Project

INNER = "svc"
ECHO = """
import pytest

@pytest.mark.llmeval([{"input": "yes"}, {"input": "no"}])
def test_a(response, score):
    score.exact(response, "yes")
"""


@pytest.fixture
def nested(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project whose inner one has stricter rules, with pytest to be started in the outer one."""
    project.write(
        thresholds_yaml="version: 1\nsuites: {a: {exact: {min: 0.1}}}\n",
        svc__thresholds_yaml="version: 1\nsuites: {a: {exact: {min: 0.9}}}\n",
        svc__evals__test_a_py=ECHO,
        svc__pytest_ini="[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n",
    )
    monkeypatch.chdir(project.root)
    return project


def test_the_inner_ones_rules_judge_its_run(nested: Project) -> None:
    """And its database keeps it, also where the outer one has one."""
    nested.run("--co", "-q")
    (nested.root / ".llmeval").mkdir(exist_ok=True)
    (nested.root / ".llmeval" / "llmeval.db").touch()
    result = nested.run(f"{INNER}/evals")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["gate: FAIL (1 fail)*", "run * is in .llmeval/llmeval.db*"])
    assert (nested.root / INNER / ".llmeval" / "llmeval.db").is_file()
    assert not (nested.root / ".llmeval" / "llmeval.db").stat().st_size


def test_what_a_person_names_is_read_where_they_stand(nested: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an option or by a variable; what the ini file names lies in the rootdir."""
    assert nested.run(f"{INNER}/evals", "--thresholds=thresholds.yaml").ret == 0
    with monkeypatch.context() as patched:
        patched.setenv("LLMEVAL_THRESHOLDS", "thresholds.yaml")
        assert nested.run(f"{INNER}/evals").ret == 0
    ini = nested.root / INNER / "pytest.ini"
    ini.write_text(ini.read_text("utf-8") + "llmeval_thresholds = thresholds.yaml\n", encoding="utf-8")
    assert nested.run(f"{INNER}/evals").ret == 1


def test_the_command_finds_the_same(nested: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the inner project's folder."""
    nested.run(f"{INNER}/evals")
    monkeypatch.chdir(nested.root / INNER)
    done = nested.llmeval("gate")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*min=0.9*"])
