"""The command and sessions where nobody can tell where the user's home is: a folder for the cache is asked for."""

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.homeless import leave_home
from tests.support.project import Project

TOLD = "the user's cache folder cannot be found, as there is no home folder: set XDG_CACHE_HOME to a folder"


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_home(monkeypatch)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(("ini", "state"), [("", "problem"), ("llmeval_model = openai:x@http://[::1]:9/v1", "note")])
def test_the_doctor_tells_it(here: Path, llmeval: Command, ini: str, state: str) -> None:
    """It is a problem where the embedded model is what a session would ask."""
    (here / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    (line,) = (line for line in llmeval("doctor").out.splitlines() if "XDG_CACHE_HOME" in line)
    assert line.startswith(f"{state:<8} local:smollm2: {TOLD}")


@pytest.mark.usefixtures("homeless")
def test_weights_have_no_place(here: Path, llmeval: Command) -> None:
    done = llmeval("models", "fetch")
    assert done.status == 4 and TOLD in done.err
    listed = llmeval("models", "list")
    assert listed.status == 0 and "no cache fold" in listed.out


def test_a_session_of_the_embedded_model_is_refused_and_of_others_is_not(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_home(monkeypatch)  # now: pytester gives it one
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.input)\n", [{"input": "a"}])
    result = project.run("evals", model="local:smollm2")
    assert result.ret == 4
    assert TOLD in " ".join(result.stderr.str().split()) and "INTERNALERROR" not in result.stdout.str()
    assert project.run("evals").ret == 0
