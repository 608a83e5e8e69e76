"""``--lf`` with misses, which passed in pytest's eyes, and with evals that wait: contract sections 1 and 3."""

import json
from typing import Any

import pytest

from tests.support.project import Project, jsonl
from tests.support.row_evals import EXACT

ROWS = [{"id": "good", "input": "yes", "target": "yes"}, {"id": "bad", "input": "no", "target": "yes"}]
EVAL = f"""
import pytest

@pytest.mark.llmeval("data/echo.jsonl"){EXACT}"""


@pytest.fixture
def gated(project: Project) -> Project:
    """A project with an eval that has a miss and rules, so that it is green, and with an ordinary test."""
    project.eval(EXACT, ROWS)
    project.write(
        thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.5}}}\n",
        tests__test_own_py="def test_own():\n    pass\n",
    )
    return project


def remembered(project: Project) -> set[str]:
    """Return the node ids that ``--lf`` would run."""
    path = project.root / ".pytest_cache" / "v" / "cache" / "lastfailed"
    data: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return set(data)


def test_lf_runs_misses_again(gated: Project, dist_args: list[str]) -> None:
    assert gated.run("evals", *dist_args).ret == 0
    gated.server.ledger.clear()
    result = gated.run("evals", "--lf", *dist_args)
    assert result.ret == 1  # 0 of 1 is under min=0.5
    result.stdout.fnmatch_lines(["note: --lf ran only what had missed or failed: *", "gate: FAIL (1 fail)"])
    assert gated.cases() == {"bad": "missed"}
    assert len(gated.server.ledger) == 1


def test_lf_forgets_a_miss_that_was_mended(gated: Project) -> None:
    gated.run("evals")
    gated.eval(EXACT, [ROWS[0], {**ROWS[1], "input": "yes"}])
    gated.run("evals", "--lf")
    assert remembered(gated) == set()


def test_a_plain_lf_runs_the_ordinary_tests_and_keeps_the_eval_remembered(gated: Project, spread: list[str]) -> None:
    gated.run("evals")
    gated.server.ledger.clear()
    result = gated.run("--lf", *spread)
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == 1
    assert gated.server.ledger == []
    assert remembered(gated) == {"evals/test_echo.py::test_echo[bad]"}


def test_a_plain_lf_runs_the_ordinary_test_that_failed_alone(gated: Project) -> None:
    gated.write(tests__test_two_py="def test_a():\n    assert False\n\ndef test_b():\n    pass\n")
    gated.run("evals")
    gated.run()
    gated.run("--lf").assert_outcomes(failed=1)
    assert remembered(gated) == {"evals/test_echo.py::test_echo[bad]", "tests/test_two.py::test_a"}


def test_an_ordinary_test_beside_evals_is_remembered_and_forgotten_as_ever(gated: Project) -> None:
    gated.write(evals__test_more_py="def test_more():\n    assert False\n")
    gated.run("evals")
    gated.run("--lf").assert_outcomes(failed=1)
    gated.write(evals__test_more_py="def test_more():\n    assert True\n")
    gated.run("--lf").assert_outcomes(passed=1)
    assert remembered(gated) == {"evals/test_echo.py::test_echo[bad]"}


@pytest.mark.parametrize("changed", [["--epochs=2"], ["--model=second"]])
def test_lf_with_other_node_ids_runs_none_and_says_so(gated: Project, changed: list[str]) -> None:
    gated.run("evals")
    gated.write(models_yaml=f"models:\n  second:\n    spec: {gated.model}\n")
    gated.server.ledger.clear()
    result = gated.run("evals", "--lf", *changed)
    assert gated.server.ledger == []
    assert result.ret == 5
    result.stdout.fnmatch_lines(["*--lf: none of these evals failed last time*"])


def test_lf_tells_a_bracket_in_a_folder_from_that_of_a_case(gated: Project) -> None:
    folder = gated.root / "evals" / "of[one]"
    folder.mkdir()
    (gated.root / "evals" / "test_echo.py").rename(folder / "test_echo.py")
    gated.run("evals")
    assert remembered(gated) == {"evals/of[one]/test_echo.py::test_echo[bad]"}
    result = gated.run("evals", "--lf", "--epochs=2")
    result.stdout.fnmatch_lines(["*--lf: none of these evals failed last time*"])


def test_lf_has_nothing_to_choose_where_what_failed_has_gone(gated: Project, spread: list[str]) -> None:
    """An ordinary test of the file that has another name now, or a row: as in pytest, all run."""
    gated.write(evals__test_echo_py=EVAL + "\ndef test_helper():\n    assert False\n")
    gated.run("evals")
    gated.write(evals__test_echo_py=EVAL + "\ndef test_helper_2():\n    pass\n")
    gated.write(data__echo_jsonl=jsonl(ROWS[0]))
    result = gated.run("evals", "--lf", *spread)
    assert result.ret == 0
    result.assert_outcomes(passed=2)
    assert gated.cases() == {"good": "passed"}


def test_lf_runs_a_case_that_is_named_though_another_one_failed(gated: Project) -> None:
    gated.run("evals")
    result = gated.run("evals/test_echo.py::test_echo[good]", "--lf")
    result.assert_outcomes(passed=1)
    assert result.ret == 0


def test_lf_without_a_cache_plugin_is_no_crash(gated: Project) -> None:
    assert gated.run("evals", "-p", "no:cacheprovider").ret == 0
    assert remembered(gated) == set()


def test_ff_puts_misses_first(gated: Project) -> None:
    gated.run("evals")
    gated.server.ledger.clear()
    assert gated.run("evals", "--ff", "--max-connections=1").ret == 0
    assert [entry.body["messages"][0]["content"] for entry in gated.server.ledger] == ["no", "yes"]
