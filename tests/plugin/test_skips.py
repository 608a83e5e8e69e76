"""A skip takes back nothing that a case came to before it: contract section 1."""

import xml.etree.ElementTree as ElementTree

import pytest

from tests.support.project import Project

ROWS = [{"id": "a", "input": "x"}]
GATED = "version: 1\nsuites: {echo: {pass_rate: {min: 0.5}}}\n"
SUBTESTS = """
def test_echo(response, subtests):
    for part in {parts}:
        with subtests.test(part=part):
            if part == "miss":
                assert part == "good"
            if part == "error":
                raise RuntimeError("boom")
            if part == "skip":
                pytest.skip("not here")
"""
BROKEN = """
from pytest_llmeval import scorer

@scorer
def fragile(response, target=None):
    return 1 / 0
"""
LATE = """
import pytest

@pytest.fixture
def late():
    yield
    {what}
"""


def told_to_junit(project: Project) -> str:
    """Return the outcome that JUnit has of the only case."""
    root = ElementTree.parse(project.root / "junit.xml")
    (found,) = root.findall(".//property[@name='llmeval_outcome']")
    return found.attrib["value"]


@pytest.mark.parametrize("rules", ["", GATED], ids=["plain", "gated"])
@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        (("miss", "skip"), "missed"),
        (("skip", "miss"), "missed"),
        (("error", "skip"), "error"),
        (("error", "skip", "miss"), "error"),
        (("skip", "pass"), "passed"),
    ],
    ids=str,
)
def test_a_subtest_that_is_skipped_takes_back_no_other(
    project: Project, rules: str, parts: tuple[str, ...], outcome: str
) -> None:
    project.eval(SUBTESTS.format(parts=parts), ROWS)
    if rules:
        project.write(thresholds_yaml=rules)
    result = project.run("evals", "--junitxml=junit.xml")
    assert project.cases() == {"a": outcome}
    assert told_to_junit(project) == outcome
    assert result.ret == {"missed": 1, "error": 10 if rules else 1, "passed": 0}[outcome]


def test_the_gate_sees_a_miss_that_a_skip_follows(project: Project, spread: list[str]) -> None:
    project.eval(SUBTESTS.format(parts=("miss", "skip")), [{"id": name, "input": "x"} for name in "ab"])
    project.write(thresholds_yaml=GATED)
    result = project.run("evals", *spread)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*gate: FAIL*", "*2 missed*"])
    assert project.cases() == {"a": "missed", "b": "missed"}


def test_a_body_that_is_skipped_in_the_end_keeps_a_failed_subtest(project: Project) -> None:
    project.eval(SUBTESTS.format(parts=("miss",)) + "    pytest.skip('the rest')\n", ROWS)
    project.run("evals")
    assert project.cases() == {"a": "missed"}


def test_a_strict_xfail_that_passes_takes_back_no_error_of_a_subtest(project: Project) -> None:
    body = SUBTESTS.format(parts=("error",)).lstrip()
    project.eval(f"@pytest.mark.xfail(raises=AssertionError, strict=True)\n{body}", ROWS)
    assert project.run("evals").ret == 1
    assert project.cases() == {"a": "error"}


@pytest.mark.parametrize("rules", ["", GATED], ids=["plain", "gated"])
@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("pass", "passed"),
        ("assert False", "missed"),
        ("raise RuntimeError", "error"),
        ("pytest.skip('early')", "skipped"),
    ],
)
def test_a_fixture_that_skips_while_it_is_torn_down_takes_back_no_body(
    project: Project, rules: str, body: str, outcome: str
) -> None:
    project.eval(f"def test_echo(response, late):\n    {body}\n", ROWS)
    project.write(conftest_py=LATE.format(what="pytest.skip('late')"))
    if rules:
        project.write(thresholds_yaml=rules)
    project.run("evals", "--junitxml=junit.xml")
    assert project.cases() == {"a": outcome}
    assert told_to_junit(project) == outcome


@pytest.mark.parametrize(
    ("mark", "body", "outcome"),
    [
        ("", "assert False", "error"),
        ("@pytest.mark.xfail", "pass", "skipped"),
        ("@pytest.mark.xfail", "assert False", "skipped"),
    ],
)
def test_junit_and_the_database_agree_on_a_broken_teardown(
    project: Project, mark: str, body: str, outcome: str, spread: list[str]
) -> None:
    """One that was expected to break is judged by nobody."""
    project.eval(f"{mark}\ndef test_echo(response, late):\n    {body}\n".lstrip(), ROWS)
    project.write(conftest_py=LATE.format(what="raise OSError('late')"))
    project.run("evals", "--junitxml=junit.xml", *spread)
    assert project.cases() == {"a": outcome}
    assert told_to_junit(project) == outcome


def test_an_xfail_of_the_body_stays_one_beside_a_scorer_that_broke(project: Project) -> None:
    project.write(conftest_py=BROKEN)
    body = """
        def test_echo(sample, response, score):
            score.fragile(response)
            if sample.id == "a":
                pytest.xfail("known")
            raise ExceptionGroup("together", [AssertionError("no")])
        """
    project.eval(body, [*ROWS, {"id": "b", "input": "x"}])
    project.run("evals")
    assert project.cases() == {"a": "skipped", "b": "error"}


def test_a_subtest_that_missed_where_the_gate_decides_is_not_shown_as_passed(
    project: Project, spread: list[str]
) -> None:
    project.eval(
        """
        def test_echo(sample, subtests):
            for part in "ab":
                with subtests.test(part):
                    assert sample.input != part
        """,
        [{"id": each, "input": each} for each in "bac"],
    )
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {min: 0.1}}}\n")
    result = project.run("evals", "-v", *spread)
    assert result.ret == 0
    text = result.stdout.str()
    assert [text.count(each) for each in ("SUBMISSED[a]", "SUBMISSED[b]", "SUBPASSED")] == [1, 1, 4]
    result.stdout.fnmatch_lines(["*1 passed, 4 subtests passed, 2 subtests missed, 2 missed in *"])
    assert "SUB" not in project.run("evals", *spread).stdout.str()
