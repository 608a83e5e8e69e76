"""Runs in which each suite that ran is whole, while other suites were left out: contract section 6."""

import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from tests.plugin.test_baseline import ROWS as RULED_ROWS
from tests.plugin.test_baseline import RULES, base_run, only_verdict
from tests.support.project import OPTIONS, Project, jsonl
from tests.support.row_evals import EXACT

ROWS = [{"id": name, "input": "yes", "target": "yes"} for name in "ab"]
BOTH = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)

@pytest.mark.llmeval("data/both.jsonl")
@pytest.mark.regression
def test_other(sample, response, score):
    score.exact(response, sample.target)
"""
PARTIAL = "note: partial run (cases were left out): *"


@pytest.fixture
def both(project: Project) -> Project:
    """A project with two suites of two rows in one file."""
    project.eval(BOTH, ROWS, name="both")
    return project


@pytest.mark.parametrize(
    "arguments",
    [
        ["evals", "-k", "test_echo"],
        ["evals", "--deselect=evals/test_both.py::test_other"],
        ["evals/test_both.py::test_echo"],
        ["-m", "llmeval", "-k", "not test_other"],
        ["evals", "-k", "test_echo", "-n2"],
        ["evals/test_both.py::test_echo", "-n2"],
    ],
    ids=" ".join,
)
def test_a_suite_that_was_left_out_whole_makes_the_run_partial(both: Project, arguments: list[str]) -> None:
    """What else ran is whole, and is no baseline for what did not."""
    result = both.run(*arguments)
    assert result.ret == 0
    assert (both.settings()["partial"], list(both.settings()["suites"])) == (True, ["echo"])
    assert both.settings()["suites"]["echo"]["left_out"] == []
    result.stdout.fnmatch_lines(["note: 1 suite not selected: other", PARTIAL])


IN_CLASSES = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)

class TestGroup:
    @pytest.mark.llmeval("data/both.jsonl")
    def test_group(self, sample, response, score):
        score.exact(response, sample.target)

    class TestInner:
        @pytest.mark.llmeval("data/both.jsonl")
        def test_inner(self, sample, response, score):
            score.exact(response, sample.target)

class TestAttack:
    @pytest.mark.judge_attack
    @pytest.mark.llmeval("data/both.jsonl")
    def test_attack(self, response):
        pass
"""


@pytest.mark.parametrize(
    ("selection", "left_out"),
    [
        (["evals/test_both.py::test_echo"], "2 suites not selected: group, inner"),
        (["evals/test_both.py", "-k", "test_echo"], "2 suites not selected: group, inner"),
        (["evals/test_both.py::test_echo", "evals/test_both.py::TestGroup::test_group"], "1 suite not selected: inner"),
        (["evals/test_both.py::TestGroup"], "1 suite not selected: echo"),
        (["evals/test_both.py::test_echo", "evals/test_both.py::TestGroup"], ""),
        (["evals/test_both.py::test_echo", "-n2"], "2 suites not selected: group, inner"),
        (["evals/test_both.py::TestGroup", "-n2"], "1 suite not selected: echo"),
    ],
    ids=["function", "words", "function and method", "class", "all", "function-n2", "class-n2"],
)
def test_evals_in_a_class_that_no_node_id_names_are_left_out_like_functions(
    project: Project, selection: list[str], left_out: str
) -> None:
    """However deep it lies, and though pytest does not look into it; attacks on the judge wait there, too."""
    project.eval(IN_CLASSES, ROWS, name="both")
    result = project.run(*selection)
    assert (result.ret, project.settings()["partial"]) == (0, bool(left_out))
    if left_out:
        result.stdout.fnmatch_lines([f"note: {left_out}"])


IN_SETS = """
import pytest

@pytest.mark.llmeval("data/both.jsonl")
@pytest.mark.parametrize("said", ["no", pytest.param("yes", marks=pytest.mark.regression)])
def test_sets(sample, model, score, said):
    score.exact(model.generate_sync(said), sample.target)
"""
NODES = [f"evals/test_sets.py::test_sets[{name}-no]" for name in "ab"]


@pytest.mark.parametrize(
    ("selection", "left_out"),
    [
        (["evals", "--lf"], "1 suite not selected: sets[[]yes]"),
        (NODES, "1 suite not selected: sets[[]yes]"),
        ([*NODES, "-n2"], "1 suite not selected: sets[[]yes]"),
        ([*NODES, "-m", "llmeval"], "1 suite not selected: sets[[]yes]"),
        ([*NODES, "-m", "not regression"], ""),
        (["evals"], ""),
    ],
    ids=["last failed", "node ids", "node ids-n2", "words that hold", "words that do not", "all"],
)
def test_a_parameter_set_that_no_node_id_names_is_left_out_like_a_function(
    project: Project, selection: list[str], left_out: str
) -> None:
    """Nor ``--lf``: pytest shows nobody what these leave out. What ``-m`` leaves out makes no run partial."""
    project.write(data__both_jsonl=jsonl(*ROWS), evals__test_sets_py=IN_SETS)
    project.write(thresholds_yaml="version: 1\nsuites:\n  'sets[no]': {exact: {max: 1}}\n")
    assert project.run("evals").ret == 0
    result = project.run(*selection)
    assert (result.ret, project.settings()["partial"]) == (0, bool(left_out))
    assert project.llmeval("baseline", "set", "main", "last").ret == (4 if left_out else 0)
    if left_out:
        result.stdout.fnmatch_lines([f"note: {left_out}", PARTIAL])
    chosen = "note: --lf ran only what had missed or failed: *"
    assert ("--lf" in selection) == any(line.startswith(chosen[:-1]) for line in result.outlines)


def test_what_is_wrong_in_a_class_that_no_node_id_names_stops_nobody(project: Project, spread: list[str]) -> None:
    """Its dataset is not read, and nothing is said of a class that cannot be collected."""
    broken = IN_CLASSES.replace('"data/both.jsonl")\n    def test_group', '"data/none.jsonl")\n    def test_group')
    init = "\nclass TestWithInit:\n    def __init__(self): pass\n    def test_a(self): pass\n"
    project.eval(broken + init, ROWS, name="both")
    result = project.run("evals/test_both.py::test_echo", *spread)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: 2 suites not selected: group, inner"])
    result.stdout.no_fnmatch_line("*TestWithInit*")


def test_a_class_that_no_node_id_names_is_not_looked_into_where_no_eval_runs(project: Project) -> None:
    """Nor in files without any: other people's tests are theirs."""
    tests = "def pytest_generate_tests(metafunc):\n    print('made', metafunc.definition.nodeid)\n"
    project.write(
        conftest_py=tests, tests__test_own_py="def test_a(): pass\nclass TestB:\n    def test_b(self): pass\n"
    )
    project.eval(IN_CLASSES + "\ndef test_plain():\n    pass\n", ROWS, name="both")
    project.run("evals/test_both.py::test_plain", "-s").stdout.no_fnmatch_line("made *::TestGroup::*")
    result = project.run("evals/test_both.py::test_echo", "tests/test_own.py::test_a", "-s")
    result.stdout.no_fnmatch_line("made *::TestB::*")
    result.stdout.fnmatch_lines(["made *::TestGroup::*"])


def test_what_left_out_cases_of_several_suites_is_told_once(both: Project) -> None:
    left_out = [f"--deselect=evals/test_both.py::test_{name}[a]" for name in ("echo", "other")]
    result = both.run("evals", *left_out)
    result.stdout.fnmatch_lines(["note: partial run (2 cases were not selected): *"])


def test_a_suite_with_rules_that_lost_its_eval_is_warned_of(
    both: Project, dist_args: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the run is shown; where only a part was collected nobody knows, and one line counts what was not."""
    monkeypatch.setenv("COLUMNS", "200")
    rules = "".join(f"  {name}: {{exact: {{min: 0.5, max_drop: 0.1}}}}\n" for name in ("echo", "other", "third"))
    both.write(thresholds_yaml=f"version: 1\nbaseline: main\nsuites:\n{rules}")
    both.eval(
        "def test_third(sample, response, score):\n    score.exact(response, sample.target)\n", ROWS, name="third"
    )
    assert both.run("evals").ret == 0
    assert both.llmeval("baseline", "set", "main", "last").ret == 0
    result = both.run("evals/test_third.py")
    result.stdout.fnmatch_lines(["not judged (no case of their suites was selected): 4 rules of echo, other"])
    result.stdout.no_fnmatch_line("*renamed, removed*")
    both.write(evals__test_both_py=(both.root / "evals/test_both.py").read_text().replace("test_other", "test_bills"))
    result = both.run("evals", *dist_args)
    assert result.ret == 0
    warning = (
        "warning: suite 'other' (baseline main has 2 cases of it) has rules, but no eval in llmeval_paths defines it:"
        " renamed, removed or elsewhere?"
    )
    result.stdout.fnmatch_lines([warning, "what differs from it: suite other, not collected now*"])
    for command in ("show", "gate"):
        both.llmeval(command, "last").stdout.fnmatch_lines([warning])


def test_a_run_without_a_whole_suite_can_be_no_baseline(both: Project) -> None:
    assert both.run("evals", "-k", "test_echo").ret == 0
    both.write(thresholds_yaml="version: 1\nbaseline: main\nsuites: {echo: {exact: {max_drop: 0.02}}}\n")
    refused = both.llmeval("baseline", "set", "main", "last")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(
        ["*is partial (cases were left out); a baseline needs all rows: run the evals without that*"]
    )
    assert both.run("evals").ret == 0
    assert both.llmeval("baseline", "set", "main", "last").ret == 0
    result = both.run("evals", "-k", "test_echo")
    result.stdout.fnmatch_lines(["not judged (rows were left out: *"])


def test_a_slice_that_a_suite_has_no_row_of_leaves_it_out_whole(project: Project, spread: list[str]) -> None:
    """Though the other suite has no other rows."""
    project.eval("def test_echo(response):\n    pass\n", [{**row, "slice": "hard"} for row in ROWS])
    project.eval("def test_other(response):\n    pass\n", [{**row, "slice": "easy"} for row in ROWS], name="other")
    result = project.run("evals", "--slice=hard", *spread)
    assert (result.ret, project.settings()["partial"]) == (0, True)
    result.stdout.fnmatch_lines(["note: 1 suite not selected: other"])


def test_a_run_of_other_suites_is_not_of_the_same_selection(both: Project) -> None:
    """A full run is none to compare one with that leaves out a suite, whichever way that was said."""
    both.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {max_drop: 0.02}}}\n")
    assert both.run("evals", "--run-name=whole").ret == 0
    some = ["evals", "--deselect=evals/test_both.py::test_other"]
    both.run(*some, "--baseline=whole").stdout.fnmatch_lines(["*is not of the same selection*"])
    assert both.run(*some, "--run-name=part").ret == 0
    result = both.run(*some, "--baseline=part")
    result.stdout.no_fnmatch_line("*not of the same selection*")
    result.stdout.fnmatch_lines(["gate: PASS*"])


@pytest.mark.parametrize("arguments", [["-m", "regression"], ["evals", "-m", "regression", "-k", "test_other"]])
def test_a_suite_that_m_alone_left_out_leaves_the_run_whole(both: Project, arguments: list[str]) -> None:
    """So it is where -k leaves out the same cases."""
    result = both.run(*arguments)
    assert result.ret == 0
    assert (both.settings()["partial"], list(both.settings()["suites"])) == (False, ["other"])
    result.stdout.no_fnmatch_line("note: *")


def test_a_parameter_set_that_was_left_out_whole_makes_the_run_partial(project: Project) -> None:
    project.eval(
        "@pytest.mark.parametrize('how', ['first', 'second'])\ndef test_echo(response, how):\n    pass\n", ROWS
    )
    result = project.run("evals", "-k", "second")
    assert result.ret == 0
    assert (project.settings()["partial"], list(project.settings()["suites"])) == (True, ["echo[second]"])
    result.stdout.fnmatch_lines(["note: 1 suite not selected: echo[[]first]"])


def test_suites_that_wait_leave_the_run_whole(project: Project) -> None:
    """Nobody cut them: attacks on the judge are asked for by name, by the mark of their function or of their rows."""
    attack = (
        '@pytest.mark.judge_attack\n@pytest.mark.llmeval("data/echo.jsonl")\ndef test_attack(response):\n    pass\n'
    )
    rows = '@pytest.mark.llmeval([{"input": "x", "marks": ["judge_attack"]}])\ndef test_rows(response):\n    pass\n'
    project.eval(f"def test_echo(response):\n    pass\n\n{attack}\n{rows}", ROWS)
    assert project.run("evals").ret == 0
    assert (project.settings()["partial"], list(project.settings()["suites"])) == (False, ["echo"])


def test_a_file_that_lf_passed_over_makes_the_run_partial(project: Project, spread: list[str]) -> None:
    """It collects none of its rows; the suite that failed runs whole."""
    project.eval("def test_echo(response):\n    assert not response.text\n", ROWS)
    project.eval("def test_other(response):\n    pass\n", ROWS, name="other")
    assert project.run("evals", *spread).ret == 1
    assert project.settings()["partial"] is False
    result = project.run("evals", "--lf", *spread)
    assert (project.settings()["partial"], list(project.settings()["suites"])) == (True, ["echo"])
    result.stdout.fnmatch_lines(["note: --lf passed over 1 file", PARTIAL])


def test_the_answers_of_a_partial_run_scored_again_are_a_partial_run(both: Project) -> None:
    assert both.run("evals", "-k", "test_echo").ret == 0
    assert both.run("evals", "--llmeval-rescore=last", model="").ret == 0
    assert (both.settings()["partial"], list(both.settings()["suites"])) == (True, ["echo"])


@pytest.mark.parametrize("selection", [["evals", "-k", "test_echo"], ["evals/test_both.py::test_echo"]], ids=" ".join)
def test_a_whole_run_of_which_a_suite_is_scored_again_is_partial_then(both: Project, selection: list[str]) -> None:
    assert both.run("evals").ret == 0
    result = both.run(*selection, "--llmeval-rescore=last", model="")
    assert result.ret == 0
    assert both.settings()["partial"] is True
    result.stdout.fnmatch_lines(["note: 1 suite not selected: other"])
    store = SqliteStore(both.root / ".llmeval" / "llmeval.db")
    assert store.find_run("last").left_out
    store.close()


LEFT_OUT = """
@pytest.mark.parametrize("style", ["long", "longer"])
def test_style(sample, response, style):
    assert response.text

@pytest.mark.llmeval("data/two.jsonl")
def test_extractions(response):
    assert response.text

@pytest.mark.judge_attack
@pytest.mark.llmeval("data/two.jsonl")
def test_extraction_3(response):
    pass
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "regression"],
        ["evals", "-k", "extractions or longer"],
        ["evals", "--deselect=evals/test_one.py"],
        ["evals", "--ignore=evals/test_one.py"],
        ["evals", "--lf"],
    ],
    ids=" ".join,
)
def test_a_suite_that_is_there_and_was_left_out_is_not_misspelt(project: Project, arguments: list[str]) -> None:
    """Nor one that waits, or whose module skips itself: what has rules is like a suite without any that ran."""
    project.eval("def test_extraction(response):\n    pass\n", ROWS, name="one")
    project.eval(LEFT_OUT, [{**row, "marks": ["regression"]} for row in ROWS], name="two")
    skips = "import pytest\npytest.skip('no', allow_module_level=True)\n"
    project.write(evals__test_three_py=f"{skips}pytest.mark.llmeval\n")
    names = ["extraction", "style[long]", "extraction_3", "extraction_4"]
    project.write(
        thresholds_yaml="version: 1\nsuites:\n" + "".join(f"  {name}: {{pass_rate: {{min: 1}}}}\n" for name in names)
    )
    if "--lf" in arguments:
        project.eval(LEFT_OUT.replace("text\n", "text != 'yes'\n"), name="two")
        assert project.run("evals").ret == 1
    result = project.run(*arguments)
    assert result.ret == (1 if "--lf" in arguments else 0), result.stderr.str()
    result.stdout.no_fnmatch_line("*renamed or*")


def test_evals_outside_of_the_folders_are_not_known_to_be_all(project: Project) -> None:
    project.eval("def test_extractions(response):\n    pass\n", ROWS)
    (project.root / "evals").rename(project.root / "tests")
    project.write(thresholds_yaml="version: 1\nsuites: {extraction: {pass_rate: {min: 1}}}\n")
    assert project.run("tests/test_echo.py").ret == 0


def test_rows_that_a_mark_expression_leaves_out_are_not_missed(project: Project) -> None:
    project.eval(EXACT, [{**row, "marks": ["regression"]} if "slice" in row else row for row in RULED_ROWS])
    project.write(thresholds_yaml=RULES.format(baseline=""))
    base = base_run(project)
    assert project.run("evals", "-mregression", f"--baseline={base}").ret == 0
    found = only_verdict(project)
    assert (found["verdict"], found["n"]) == ("pass", 20)


def test_a_row_that_waits_and_that_m_leaves_out_hides_no_row_that_k_left_out(project: Project) -> None:
    """It counts once; where ``-m`` is not an expression pytest says so."""
    marks = {"attack": ["judge_attack", "slow"], "fast": [], "other": []}
    project.eval("def test_echo(response):\n    pass\n", [{"id": i, "input": i, "marks": m} for i, m in marks.items()])
    project.write(tox_ini=f"[pytest]\nmarkers = slow\n{OPTIONS}")
    result = project.run("evals", "-m", "not slow", "-k", "fast")
    assert (result.ret, list(project.cases()), project.settings()["partial"]) == (0, ["fast"], True)
    result = project.run("evals", "-m", "foo(")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: Wrong expression passed to '-m': foo(: *"])


@pytest.mark.parametrize(
    ("arguments", "is_gone", "status"),
    [
        (["evals"], True, 0),
        (["evals/test_echo.py"], True, 4),
        (["-m", "not regression and llmeval", "-n2"], True, 0),
        (["evals", "-m", "not regression", "-n2"], False, 4),
    ],
)
def test_a_run_takes_the_name_from_one_with_a_suite_that_is_gone_for_good(
    both: Project, arguments: list[str], is_gone: bool, status: int
) -> None:
    """Where it may be there still nobody would see its regressions any more. Scored again, a run is what it was."""
    assert both.run("evals").ret == 0
    assert both.llmeval("baseline", "set", "main").ret == 0
    if is_gone:
        both.eval("def test_echo(response):\n    pass\n", ROWS)
        (both.root / "evals" / "test_both.py").unlink()
    assert both.run(*arguments).ret == 0
    assert both.llmeval("baseline", "set", "main").ret == status
    assert both.llmeval("rescore", "last").ret == 0
    assert both.llmeval("baseline", "set", "main").ret == status
