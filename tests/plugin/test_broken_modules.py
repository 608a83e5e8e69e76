"""What only ``-m`` brought in and that cannot be collected: modules outside the testpaths, and rows."""

from typing import Any

import pytest

from tests.plugin.test_selection import ROWS
from tests.support.project import OPTIONS, Project, jsonl
from tests.support.row_evals import EXACT

BROKEN = "import nothing_of_that_name  # as pytest.mark.llmeval needs it\n"
OWN = "import pytest\n\n@pytest.mark.unit\n@pytest.mark.regression\ndef test_own():\n    pass\n"


@pytest.fixture
def mixed(project: Project) -> Project:
    """A project whose testpaths leave out an eval and a module that cannot be imported."""
    project.eval(EXACT, ROWS)
    project.write(
        tox_ini=f"[pytest]\nmarkers =\n    slow\n    unit\n{OPTIONS}testpaths = tests\n",
        tests__test_own_py=OWN,
        evals__test_broken_py=BROKEN,
    )
    return project


def test_a_broken_module_ends_no_session_that_asks_for_ordinary_tests(mixed: Project, dist_args: list[str]) -> None:
    result = mixed.run("-m", "unit and not llmeval", *dist_args)
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    line = "llmeval: not run: evals/test_broken.py: ModuleNotFoundError: No module named 'nothing_of_that_name'"
    assert result.stdout.str().count(line) == result.stdout.str().count("test_broken") == 1


@pytest.mark.parametrize(
    ("module", "text", "told"),
    [
        ("evals__conftest_py", "raise OSError('two\\nlines')\n", "evals: ConftestImportFailure: OSError: two"),
        ("finetune__test_broken_py", "mark.train =\n", "finetune/test_broken.py: SyntaxError: invalid syntax"),
    ],
)
def test_whatever_cannot_be_collected_is_told_in_one_line(mixed: Project, module: str, text: str, told: str) -> None:
    mixed.write(**{module: text})
    result = mixed.run("-m", "unit")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"llmeval: not run: {told}*"])


@pytest.mark.parametrize(
    "expression",
    [
        "slow",  # the mark of a row
        "regression and not llmeval or regression and absent",  # an ordinary test has it too
        "absent",  # may be met in the module alone
    ],
)
def test_a_broken_module_ends_a_session_that_may_ask_for_its_evals(mixed: Project, expression: str) -> None:
    result = mixed.run("-m", expression)
    assert result.ret == 2
    result.stdout.fnmatch_lines(["ERROR evals/test_broken.py*"])
    assert mixed.server.ledger == []


def test_m_regression_runs_no_part_of_the_evals(mixed: Project, spread: list[str]) -> None:
    """Though none of those that can be imported has the mark."""
    mixed.eval(EXACT, ROWS[2:])
    result = mixed.run("-m", "regression", *spread)
    assert result.ret == (1 if "-n2" in spread else 2)
    result.stdout.fnmatch_lines(["ERROR evals/test_broken.py*"])
    assert mixed.server.ledger == []


@pytest.mark.parametrize(
    ("good", "expression", "status"),
    [([], "regression", 4), (ROWS[2:], "regression or slow", 4), ([], "train", 0), (ROWS[2:], "slow", 0)],
)
def test_a_row_that_cannot_be_read_may_be_the_one_that_a_mark_of_ours_asks_for(
    project: Project, good: list[dict[str, Any]], expression: str, status: int
) -> None:
    """A test of that mark elsewhere does not make the session green, unless the evals are left out by name."""
    project.eval(f"{EXACT}\ndef test_plain(): pass\n", ROWS)
    project.write(tox_ini=f"[pytest]\nmarkers = slow\n{OPTIONS}")
    project.write(data__echo_jsonl=jsonl(*good, {"input": "b", "tagret": "b", "marks": ["regression"]}))
    marks = "".join(f"@pytest.mark.{mark}\n" for mark in ("regression", "slow", "train"))
    project.write(tests__test_more_py=f"import pytest\n\n{marks}def test_more():\n    pass\n")
    result = project.run("-m", expression)
    assert result.ret == status
    told = (result.stderr if status else result.stdout).str()
    assert "unknown key 'tagret'" in told
    assert project.server.ledger == []
    more = "tests/test_more.py"
    for names in (["-k", "more"], ["--deselect", "evals"], [f"{more}::test_more", "evals/test_echo.py::test_plain"]):
        assert project.run("-m", expression, *names).ret == 0
