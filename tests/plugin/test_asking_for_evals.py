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


def test_a_path_is_no_name_of_a_folder_elsewhere(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one of data, which pytest takes for a package only where its ini key says so."""
    project.eval(PASS, rows("a"))
    (project.root / "src" / "evals").mkdir(parents=True)
    monkeypatch.syspath_prepend(project.root / "src")
    project.run("--pyargs", "evals").assert_outcomes(passed=1)


MARKER = "pytest.mark.llmeval([{'id': 'a', 'input': 'x'}])"
ONE = "def test_one(response):\n    pass\n"
TWO = "class TestEcho:\n    def test_one(self):\n        pass\n\n    async def test_two(self):\n        pass\n"


BASE = f"class Base:\n    @{MARKER}\n    def test_one(self):\n        pass\n"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (f"@{MARKER}\n{TWO}", "3 eval functions wait"),
        (f"pytestmark = [pytest.mark.slow, {MARKER}]\n{ONE}{TWO}", "4 eval functions wait"),
        (f"qa = {MARKER}\n@qa\n{ONE}{TWO}", "2 eval functions wait"),
        (TWO.replace(":", f":\n    pytestmark = {MARKER}", 1) + ONE, "3 eval functions wait"),
        (f"{BASE}\n@{MARKER}\n{ONE}", "2 eval functions wait"),
        (f"{BASE}\nfor each in range(5):\n    globals()[f'test_{{each}}'] = {MARKER}(print)\n", "evals wait"),
        ("def pytest_x(item):\n    return item.get_closest_marker('llmeval')\n", "1 eval function waits"),
    ],
    ids=["class", "module", "name", "within class", "other class", "elsewhere", "none"],
)
def test_evals_that_the_testpaths_leave_out_are_counted_wherever_the_marker_stands(
    project: Project, source: str, told: str
) -> None:
    """None is imported; where a marker's functions are elsewhere, no number is told, with another module's neither."""
    project.write(
        evals__test_echo_py=f"import pytest\n\n{source}\nraise RuntimeError('imported')\n",
        evals__test_one_py=f"import pytest\n\n@{MARKER}\n{ONE}",
        tests__test_own_py="def test_own():\n    pass\n",
        tox_ini=f"[pytest]\n{OPTIONS}testpaths = tests\n",
    )
    result = project.run()
    result.assert_outcomes(passed=1)
    lines = [line.partition(";")[0] for line in result.outlines if "with: pytest evals" in line]
    assert lines == [f"llmeval: {told}"]


@pytest.mark.parametrize("arguments", [["evals"], []], ids=["asked", "waiting"])
def test_the_doctest_of_a_module_is_no_eval_of_its_name(project: Project, arguments: list[str]) -> None:
    """pytest gives both the node id ``evals/test_trivia.py::test_trivia``."""
    project.write(
        evals__test_trivia_py='''
        """
        >>> 1 + 1
        3
        """
        import pytest

        pytestmark = pytest.mark.llmeval([{'input': 'x'}])

        def test_trivia(response):
            pass
        '''
    )
    result = project.run(*arguments, "--doctest-modules", "-p", "no:xdist")
    assert result.parseoutcomes().get("failed") == 1, result.stdout.str()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["-q", "--durations=3"], "pytest evals"),
        (["--resume", "last"], "pytest evals --resume last"),
        (["-x", "--llmeval-slice=kind=a b", "-k", "not no"], "pytest evals '--llmeval-slice=kind=a b'"),
        (
            ["--llmeval-resume-changed", "-n", "0", "--resume=last"],
            "pytest evals --llmeval-resume-changed --resume=last",
        ),
    ],
)
def test_who_has_named_no_folder_is_told_what_was_meant_with_the_options_of_evals(
    project: Project, given: list[str], told: str
) -> None:
    project.eval("def test_echo(response):\n    pass\n", [{"input": "a"}])
    project.write(test_own_py="def test_own():\n    pass\n")
    result = project.run(*given, model="")
    result.stdout.fnmatch_lines([f"llmeval: 1 eval function waits; run it with: {told}"])
