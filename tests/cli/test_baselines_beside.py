"""What fails a session beside its evals keeps a run from being a baseline, also where its misses alone would not."""

import pytest

from tests.cli.conftest import Command
from tests.support.project import Project
from tests.support.row_evals import EXACT

ROWS = [{"id": f"r{number}", "input": "yes" if number else "no", "target": "yes"} for number in range(4)]


@pytest.mark.parametrize("dist", [[], ["-n2"]])
@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("import nowhere_to_be_found", "1 file could not be collected, which fails the session: evals/test_other.py"),
        (
            "def test_own(): assert 0",
            "1 test that is not an eval failed, and with it the session: evals/test_other.py",
        ),
    ],
)
def test_a_run_that_failed_beside_its_misses_is_no_baseline(
    project: Project, llmeval: Command, file: str, told: str, dist: list[str]
) -> None:
    project.eval(EXACT, ROWS)
    assert project.run("evals", *dist).ret == 1
    assert llmeval("baseline", "set", "misses", "last").status == 0
    project.write(evals__test_other_py=f"{file}\n")
    assert project.run("evals", "--continue-on-collection-errors", *dist).ret == 1
    refused = llmeval("baseline", "set", "main", "last")
    assert (refused.status, "is not green (exit status 1, verdict none)" in refused.err) == (4, True)
    assert llmeval("baseline", "export", "last", "b.jsonl").status == 4
    assert f"warning: {told}" in " ".join(llmeval("show").out.split())
