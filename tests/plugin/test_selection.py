"""Which items of a session run, and which wait until they are asked for: contract section 3."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import OPTIONS, Project, jsonl
from tests.support.row_evals import EXACT

ROWS: list[dict[str, Any]] = [
    {"id": "quick", "input": "a", "target": "a", "marks": ["regression"]},
    {"id": "slow", "input": "b", "target": "b", "marks": ["regression", "slow"]},
    {"id": "plain", "input": "c", "target": "c"},
]
TRAINING = """
import pytest

@pytest.mark.train
def test_train():
    pass
"""


@pytest.fixture
def mixed(project: Project) -> Project:
    """A project with one ordinary test and one eval of three rows."""
    project.eval(EXACT, ROWS)
    project.write(tests__test_own_py="def test_own():\n    pass\n", tox_ini="[pytest]\nmarkers = slow\n" + OPTIONS)
    return project


def is_partial(project: Project) -> Any:
    """Return whether the newest run says of itself that rows were left out."""
    return project.settings()["partial"]


WAITS = "llmeval: 1 eval function waits; run it with: pytest evals --model="


def in_testpaths(project: Project) -> None:
    """Write an ini file that has pytest look into the folder ``tests``."""
    project.write(tox_ini=f"[pytest]\nmarkers = slow\n{OPTIONS}testpaths = tests\n")


def as_fifo(path: Path) -> None:
    """Put a pipe in the place of a file: whoever opens it to read waits for ever."""
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("arguments", [[], ["."], ["-m", "not slow"], ["-k", "not nothing"]])
def test_nobody_asked_so_evals_wait_in_one_line(mixed: Project, arguments: list[str]) -> None:
    result = mixed.run(*arguments)
    result.assert_outcomes(passed=1, deselected=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"{WAITS}*"])
    assert mixed.server.ledger == []


def test_waiting_is_the_same_in_every_distribution(mixed: Project, dist_args: list[str]) -> None:
    result = mixed.run(*dist_args)
    assert result.ret == 0
    assert result.stdout.str().count(WAITS) == 1
    assert mixed.server.ledger == []
    assert not (mixed.root / ".llmeval").exists()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("arguments", [[], ["-m", "not slow"], ["tests"]])
def test_the_dataset_of_a_waiting_eval_is_not_opened(mixed: Project, arguments: list[str]) -> None:
    """A pipe stands in its place: a session that opens it hangs or complains."""
    as_fifo(mixed.root / "data" / "echo.jsonl")
    result = mixed.run(*arguments)
    result.assert_outcomes(passed=1, deselected=0 if "tests" in arguments else 1)
    result.stdout.no_fnmatch_line("*echo.jsonl*")


@pytest.mark.parametrize(
    "arguments",
    [
        ["evals"],
        ["evals/"],
        ["evals/test_echo.py"],
        ["evals/test_echo.py::test_echo"],
        ["-m", "llmeval"],
        [".", "evals/test_echo.py"],
        ["-m", "llmeval and not train"],
    ],
)
def test_an_eval_that_was_asked_for_runs(mixed: Project, arguments: list[str]) -> None:
    result = mixed.run(*arguments)
    assert result.ret == 0
    assert mixed.cases() == {"quick": "passed", "slow": "passed", "plain": "passed"}
    result.stdout.no_fnmatch_line("*waits;*")


def test_a_node_id_with_its_row_runs_that_row(mixed: Project) -> None:
    assert mixed.run("evals/test_echo.py::test_echo[slow]").ret == 0
    assert mixed.cases() == {"slow": "passed"}


def test_evals_run_where_pytest_was_started_in_their_folder(mixed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mixed.root / "evals")
    result = mixed.run()
    result.assert_outcomes(passed=3)
    assert (mixed.root / ".llmeval" / "llmeval.db").is_file()


def test_a_folder_above_the_evals_does_not_ask_for_them(mixed: Project) -> None:
    """Only a path that lies in the folder asks: the rootdir by its full name is as good as a dot."""
    mixed.run(str(mixed.root)).assert_outcomes(passed=1, deselected=1)


@pytest.mark.parametrize(
    ("expression", "ran"),
    [
        ("regression", {"quick": "passed", "slow": "passed"}),
        ("regression and not slow", {"quick": "passed"}),
        ("slow", {"slow": "passed"}),
        ("llmeval and not regression", {"plain": "passed"}),
    ],
)
def test_m_chooses_rows_by_their_marks(mixed: Project, expression: str, ran: dict[str, str]) -> None:
    assert mixed.run("-m", expression).ret == 0
    assert mixed.cases() == ran


def test_m_reaches_evals_that_the_testpaths_leave_out(mixed: Project, spread: list[str]) -> None:
    in_testpaths(mixed)
    assert mixed.run("-m", "regression and not slow", *spread).ret == 0
    assert mixed.cases() == {"quick": "passed"}


def test_m_brings_no_ordinary_test_from_outside_the_testpaths(mixed: Project) -> None:
    """What only our widening collected stays out, though its mark is asked for."""
    in_testpaths(mixed)
    mixed.write(evals__test_more_py="import pytest\n\n@pytest.mark.regression\ndef test_more():\n    assert False\n")
    result = mixed.run("-m", "regression")
    assert result.ret == 0
    assert mixed.cases() == {"quick": "passed", "slow": "passed"}


def test_evals_outside_the_testpaths_are_counted_without_importing_them(mixed: Project) -> None:
    in_testpaths(mixed)
    source = (mixed.root / "evals" / "test_echo.py").read_text()
    mixed.write(evals__test_echo_py="raise RuntimeError('imported')\n" + source)
    result = mixed.run()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"{WAITS}*"])


def test_a_path_outside_the_evals_says_nothing_of_them(mixed: Project) -> None:
    result = mixed.run("tests")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*waits;*")


@pytest.mark.parametrize("arguments", [[], ["-m", "regression"]])
def test_a_foreign_folder_called_evals_is_left_alone(project: Project, arguments: list[str]) -> None:
    """It holds no eval of ours: outside the testpaths it is neither collected nor counted."""
    project.write(
        tests__test_own_py="import pytest\n\n@pytest.mark.regression\ndef test_own():\n    pass\n",
        evals__test_theirs_py="raise RuntimeError('imported')\n",
    )
    in_testpaths(project)
    result = project.run(*arguments)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*waits;*")


def test_ordinary_tests_beside_evals_run_as_ever(mixed: Project) -> None:
    mixed.write(evals__test_more_py="def test_more():\n    pass\n")
    mixed.run().assert_outcomes(passed=2, deselected=1)


def test_the_ini_key_names_other_folders(mixed: Project) -> None:
    """All in which something waits are named; functions are counted, not rows."""
    (mixed.root / "evals").rename(mixed.root / "checks")
    mixed.eval(EXACT.replace("test_echo", "test_other"), ROWS, name="other")
    mixed.write(tox_ini=f"[pytest]\n{OPTIONS}markers = slow\nllmeval_paths = checks evals data\n")
    result = mixed.run()
    result.assert_outcomes(passed=1, deselected=2)
    result.stdout.fnmatch_lines(["llmeval: 2 eval functions wait; run them with: pytest checks evals --model=*"])
    mixed.run("checks").assert_outcomes(passed=3)


def test_evals_outside_the_folders_run_like_any_test(mixed: Project, spread: list[str]) -> None:
    """Those that wait are told of all the same; beside evals that were asked for attacks on the judge are not."""
    text = (mixed.root / "evals" / "test_echo.py").read_text().replace("test_echo", "test_beside")
    attack = "\n@pytest.mark.judge_attack" + text.removeprefix("import pytest\n").replace("test_beside", "test_attack")
    mixed.write(tests__test_beside_py=text + attack)
    result = mixed.run(*spread)
    assert (result.ret, result.parseoutcomes()["passed"], len(mixed.server.ledger)) == (0, 4, 3)
    assert result.stdout.str().count("; run ") == result.stdout.str().count(WAITS) == 1
    mixed.run("tests").stdout.no_fnmatch_line("*; run *with: *")


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["evals"], 0),
        (["evals/test_attack.py"], 0),
        (["evals/test_attack.py::test_attack"], 1),
        (["evals/test_attack.py::test_attack[one]"], 1),
        (["-m", "judge_attack"], 1),
    ],
)
def test_a_judge_attack_needs_m_or_its_own_node_id(project: Project, arguments: list[str], count: int) -> None:
    project.eval("@pytest.mark.judge_attack\ndef test_attack(response):\n    pass\n", ROWS[:1], name="attack")
    project.write(data__attack_jsonl=jsonl({"id": "one", "input": "a"}))
    project.run(*arguments).assert_outcomes(passed=count, deselected=1 - count)


@pytest.mark.parametrize(
    ("arguments", "ran"),
    [
        (["evals"], {"plain"}),
        (["evals/test_echo.py"], {"plain"}),
        (["evals/test_echo.py::test_echo"], {"plain", "attack"}),
        (["evals/test_echo.py::test_echo[attack]"], {"attack"}),
        (["-m", "judge_attack"], {"attack"}),
    ],
)
def test_a_row_with_the_mark_judge_attack_waits_alike(project: Project, arguments: list[str], ran: set[str]) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "plain", "input": "a"},
        {"id": "attack", "input": "b", "marks": ["judge_attack"]},
    ]
    project.eval("def test_echo(response):\n    pass\n", rows)
    assert project.run(*arguments).ret == 0
    assert set(project.cases()) == ran


def test_a_waiting_judge_attack_row_leaves_the_run_whole(project: Project) -> None:
    """It needs to be asked for, as a waiting function does: nobody cut the selection."""
    rows: list[dict[str, Any]] = [
        {"id": "plain", "input": "a"},
        {"id": "attack", "input": "b", "marks": ["judge_attack"]},
    ]
    project.eval("def test_echo(response):\n    pass\n", rows)
    result = project.run("evals")
    assert result.ret == 0
    assert is_partial(project) is False
    result.stdout.no_fnmatch_line("note: partial*")


@pytest.mark.parametrize(
    ("arguments", "count"),
    [([], 0), (["finetune"], 0), (["-m", "train"], 1), (["finetune/test_adapter.py::test_train"], 1)],
)
def test_training_needs_m_or_its_own_node_id(project: Project, arguments: list[str], count: int) -> None:
    project.write(finetune__test_adapter_py=TRAINING)
    project.run(*arguments).assert_outcomes(passed=count, deselected=1 - count)


def test_m_train_reaches_finetune_outside_the_testpaths(project: Project) -> None:
    project.write(finetune__test_adapter_py=TRAINING, tests__test_own_py="def test_own():\n    pass\n")
    in_testpaths(project)
    project.run("-m", "train").assert_outcomes(passed=1, deselected=1)


def test_marks_called_train_elsewhere_are_the_projects_own(project: Project) -> None:
    project.write(tests__test_own_py=TRAINING)
    project.run().assert_outcomes(passed=1)


def test_k_chooses_rows_by_their_ids(mixed: Project) -> None:
    result = mixed.run("evals", "-k", "slow or plain")
    assert result.ret == 0
    assert set(mixed.cases()) == {"slow", "plain"}
    result.stdout.fnmatch_lines(["note: partial run*"])


def test_deselect_leaves_out_a_row(mixed: Project) -> None:
    assert mixed.run("evals", "--deselect=evals/test_echo.py::test_echo[slow]").ret == 0
    assert set(mixed.cases()) == {"quick", "plain"}


def test_m_alone_is_no_partial_run(mixed: Project) -> None:
    result = mixed.run("evals", "-m", "regression")
    assert result.ret == 0
    assert set(mixed.cases()) == {"quick", "slow"}
    assert is_partial(mixed) is False
    result.stdout.no_fnmatch_line("note: partial*")


@pytest.mark.parametrize("arguments", [["evals"], ["-m", "llmeval"]])
def test_co_lists_cases_without_a_call_or_a_file(mixed: Project, arguments: list[str]) -> None:
    result = mixed.run(*arguments, "--co", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["evals/test_echo.py::test_echo[[]quick[]]"])
    assert mixed.server.ledger == []
    assert not (mixed.root / ".llmeval").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--setup-plan"],
        ["--setup-only"],
        ["--setup-plan", "-n2"],
        ["--fixtures-per-test", "-n2"],
        ["--fixtures", "--model=gpt-4o-mini"],
        ["--markers"],
        ["--help"],
    ],
)
def test_sessions_that_only_show_something_make_no_call(mixed: Project, arguments: list[str]) -> None:
    mixed.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.5}}}\n")
    result = mixed.run("evals", *arguments)  # a model that nobody asks needs no key
    assert result.ret == 0, result.stderr.str()
    assert mixed.server.ledger == []
    assert not (mixed.root / ".llmeval").exists()


def test_setup_only_gives_fixtures_their_row_and_asks_nobody(mixed: Project) -> None:
    mixed.write(
        conftest_py="""
        import pytest

        @pytest.fixture(autouse=True)
        def document(llmeval_sample):
            return llmeval_sample.input.upper()
        """
    )
    result = mixed.run("evals", "--setup-only")
    assert (result.ret, len(mixed.server.ledger)) == (0, 0)


def test_x_stops_at_the_first_plain_failure(mixed: Project) -> None:
    mixed.write(data__echo_jsonl=jsonl(*({"id": name, "input": "a", "target": "b"} for name in "xyz")))
    assert mixed.run("evals", "-x").ret == 1
    assert mixed.cases() == {"x": "missed"}


@pytest.mark.parametrize("broken", ["data__echo_jsonl", "thresholds_yaml"])
@pytest.mark.parametrize("arguments", [[], ["evals", "-k", "test_more"], ["-m", "slow"]])
def test_what_is_broken_ends_no_session_without_an_eval(mixed: Project, broken: str, arguments: list[str]) -> None:
    test = "import pytest\n\n@pytest.mark.slow\ndef test_more():\n    pass\n"
    rows = jsonl(*ROWS[:1], ROWS[2])
    mixed.write(evals__test_more_py=test, data__echo_jsonl=rows)
    mixed.write(**{broken: '{"input": "a", "id": "quick"\n'})
    result = mixed.run(*arguments)
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] >= 1


@pytest.mark.parametrize("broken", ["data__echo_jsonl", "thresholds_yaml"])
def test_what_is_broken_ends_a_session_that_asked_for_it(mixed: Project, broken: str) -> None:
    """Ordinary tests beside the eval do not hide it."""
    mixed.write(evals__test_more_py="def test_more():\n    pass\n", **{broken: "{'\n"})
    result = mixed.run("evals")
    assert result.ret == 4
    assert mixed.server.ledger == []


def test_a_good_row_that_m_asks_for_shows_that_another_row_is_broken(mixed: Project) -> None:
    mixed.write(tests__test_more_py="import pytest\n\n@pytest.mark.regression\ndef test_more():\n    pass\n")
    mixed.write(data__echo_jsonl=jsonl(*ROWS) + "{broken\n")
    result = mixed.run("-m", "regression")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*echo.jsonl:4: *"])
    assert mixed.server.ledger == []


@pytest.mark.parametrize("how", ["rootdir", "folder"])
def test_evals_behind_a_symbolic_link_are_asked_for_by_its_path(
    mixed: Project, tmp_path_factory: pytest.TempPathFactory, how: str
) -> None:
    if how == "rootdir":
        link = tmp_path_factory.mktemp("other") / "linked"
        link.symlink_to(mixed.root)
        asked = link / "evals"
    else:
        (mixed.root / "evals").rename(mixed.root / "real")
        (mixed.root / "evals").symlink_to("real")
        asked = mixed.root / "evals"
    assert mixed.run(str(asked), "-k", "quick").ret == 0
    assert len(mixed.server.ledger) == 1
    assert mixed.run(f"{asked / 'test_echo.py'}::test_echo", "-k", "quick").ret == 0
    assert len(mixed.server.ledger) == 2


def test_a_path_that_is_given_twice_runs_each_case_as_often_and_counts_it_once(
    mixed: Project, spread: list[str]
) -> None:
    result = mixed.run("--keep-duplicates", "evals/test_echo.py", "evals/test_echo.py", *spread)
    assert result.ret == 0
    assert len(mixed.cases()) == len(mixed.server.ledger) == 3
    result.stdout.no_fnmatch_line("*partial*")
