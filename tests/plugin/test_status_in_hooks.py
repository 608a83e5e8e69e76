"""What a hook of the project's own learns of the exit status: docs/howto/existing-project.md."""

import re
from pathlib import Path

import pytest

from tests.support.project import Project

PAGE = Path(__file__).parents[2] / "docs/howto/existing-project.md"


@pytest.mark.parametrize(("bar", "status"), [(0.5, 1), (0.0, 0)])
def test_a_hook_finds_what_the_gate_makes_of_the_status(
    project: Project, spread: list[str], bar: float, status: int
) -> None:
    """Behind its ``yield``; before it pytest's own status is all there is."""
    (hook,) = re.findall(r"here in `conftest\.py`:\n\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    project.write(conftest_py=hook, thresholds_yaml=f"version: 1\nsuites: {{echo: {{exact: {{min: {bar}}}}}}}\n")
    project.eval("def test_echo(response, score):\n    score.exact(response, 'other')\n", [{"input": "x"}])
    result = project.run("evals", *spread, inside=False)
    assert result.ret == status
    result.stdout.fnmatch_lines([f"*status {status}"])
