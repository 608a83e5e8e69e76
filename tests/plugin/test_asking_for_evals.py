"""What asks for evals beside paths and marks, and what the line of those that wait counts: contract section 3."""

import pytest

from tests.support.project import OPTIONS, Project
from tests.support.row_evals import PASS, rows


@pytest.mark.parametrize(
    ("named", "count"), [("own.deep", 2), ("own.deep.test_it", 2), ("own.deep.test_it::test_it[b]", 1)]
)
def test_evals_are_asked_for_by_the_name_of_their_module(project: Project, named: str, count: int) -> None:
    project.eval(PASS.replace("test_echo", "test_it"), rows("a", "b"), name="it")
    (project.root / "own").mkdir()
    (project.root / "evals").rename(project.root / "own" / "deep")
    for folder in ("own", "own/deep"):
        (project.root / folder / "__init__.py").touch()
    project.write(tox_ini=f"[pytest]\n{OPTIONS}llmeval_paths = own/deep\n")
    project.run("--pyargs", named, inside=False).assert_outcomes(passed=count)
    project.run("--pyargs", "own", inside=False).assert_outcomes(deselected=1)
