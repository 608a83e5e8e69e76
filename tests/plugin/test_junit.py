"""JUnit: what a case came to stands in its properties, with and without workers, whatever the texts are."""

import xml.etree.ElementTree as ElementTree

import pytest

from pytest_llmeval.core.text import storable
from tests.support.fault_server import FaultServer
from tests.support.hostile import HOSTILE
from tests.support.project import Project

BODY = """
def test_echo(sample, response, score):
    if sample.id == "code":
        raise RuntimeError("boom")
    if sample.id == "skip":
        pytest.skip("no")
    score.exact(response, sample.target)
    score.record("size", 3)
"""
ROWS = [
    {"id": "good", "input": "x", "target": "x"},
    {"id": "bad", "input": "x", "target": "y"},
    {"id": "code", "input": "x"},
    {"id": "skip", "input": "x"},
]


def properties(project: Project) -> list[dict[str, str]]:
    """Return our properties of each testcase, the time that it waited apart."""
    root = ElementTree.parse(project.root / "junit.xml")
    return [
        {
            each.attrib["name"].removeprefix("llmeval_"): each.attrib["value"]
            for each in case.findall("properties/property")
            if each.attrib["name"] != "llmeval_wait_s"
        }
        for case in root.findall(".//testcase")
    ]


@pytest.mark.parametrize("family", ["xunit2", "xunit1"])
def test_properties_of_each_case(project: Project, spread: list[str], family: str) -> None:
    """Both families of pytest's have them, xunit2 too, whose schema knows none."""
    project.eval(BODY, ROWS)
    project.run("evals", *spread, "--junitxml=junit.xml", "-o", f"junit_family={family}")
    assert sorted(properties(project), key=lambda each: each["sample"]) == [
        {
            "outcome": "missed",
            "suite": "echo",
            "model": "echo",
            "sample": "bad",
            "score_exact": "0.0",
            "score_size": "3.0",
        },
        {"outcome": "error", "error_kind": "code", "suite": "echo", "model": "echo", "sample": "code"},
        {
            "outcome": "passed",
            "suite": "echo",
            "model": "echo",
            "sample": "good",
            "score_exact": "1.0",
            "score_size": "3.0",
        },
        {"outcome": "skipped", "suite": "echo", "model": "echo", "sample": "skip"},
    ]


def test_a_miss_of_a_suite_with_rules_is_no_failure_and_is_told(project: Project) -> None:
    project.eval(BODY, ROWS[:2])
    project.write(thresholds_yaml="version: 1\nsuites:\n  echo: {exact: {min: 0.1}}\n")
    assert project.run("evals", "--junitxml=junit.xml").ret == 0
    assert [each["outcome"] for each in properties(project)] == ["passed", "missed"]
    assert 'failures="0"' in (project.root / "junit.xml").read_text()


def test_errors_of_the_server_and_of_a_teardown_are_told(project: Project, server: FaultServer) -> None:
    project.eval(
        """
        def test_echo(sample, response, broken):
            pass

        @pytest.fixture
        def broken():
            yield
            raise RuntimeError("late")
        """,
        ROWS[:1],
    )
    project.run("evals", "--junitxml=junit.xml")
    assert [(each["outcome"], each["error_kind"]) for each in properties(project)] == [("error", "code")]
    project.run("evals", "--junitxml=junit.xml", model=f"openai:fault-status-401@{server.url}")
    assert [(each["outcome"], each["error_kind"]) for each in properties(project)] == [("error", "auth")]


def test_a_case_whose_worker_died_has_them_too(project: Project) -> None:
    project.eval("def test_echo(response):\n    import os\n    os._exit(1)\n", [{"id": "a", "input": "x"}])
    project.run("evals", "-n1", "--junitxml=junit.xml")
    expected = {"outcome": "error", "error_kind": "worker_crashed", "suite": "echo", "model": "echo", "sample": "a"}
    assert properties(project) == [expected]


def test_hostile_texts_break_no_report(project: Project, server: FaultServer, spread: list[str]) -> None:
    """As ids, answers, slices and names of scores."""
    texts = [text for text in HOSTILE.values() if len(text) < 10_000] + ["w" * 100_000]
    server.reply = lambda messages: texts[int(messages[-1]["content"])]
    project.eval(
        """
        def test_echo(sample, response, score):
            score.record(response.text + "!", 0.5, reason=response.text)
            score.exact(response, "never")
        """,
        [{"id": storable(text), "input": str(place), "slice": storable(text)} for place, text in enumerate(texts)],
    )
    result = project.run("evals", *spread, "--junitxml=junit.xml", "-q", "--tb=short")
    assert result.ret == 1
    found = properties(project)
    assert [each["outcome"] for each in found] == ["missed"] * len(texts)
    assert {len(each) for each in found} == {6}
    assert len({name for each in found for name in each}) == 5 + len(texts)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--junitxml=/dev/full"],
        ["--junitxml=thresholds.yaml/junit.xml"],
        ["--junitxml=/dev/full", "-n0"],
        ["--junitxml=/dev/full", "-n2"],
        ["--html=/dev/full"],
        ["--html=evals", "-n2"],
    ],
)
def test_a_report_that_cannot_be_written_ends_with_3_and_takes_nothing_along(
    project: Project, arguments: list[str]
) -> None:
    """pytest itself ends with a traceback, and without its summary."""
    project.eval(BODY, ROWS[:1])
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0}}}\n")
    result = project.run("evals", *arguments)
    out = result.stdout.str()
    assert "Traceback" not in out + result.stderr.str()
    assert "gate: PASS (1 pass)" in out and "1 passed" in out and "Generated html" not in out
    why = {
        "--html=evals": "[Errno 21] Is a directory",
        "--junitxml=thresholds.yaml/junit.xml": "[Errno 17] File exists",
    }
    told = why.get(arguments[0], "[Errno 28] No space left on device")
    assert f"status 3: a report could not be written: {told}" in out
    assert result.ret == 3
    assert project.rows("SELECT status, exit_code, verdict FROM runs") == [
        {"status": "finished", "exit_code": 3, "verdict": "pass"}
    ]
    assert set(project.cases().values()) == {"passed"}
    assert list((project.root / ".llmeval").glob("*.journal*")) == []
    assert len(project.rows("SELECT * FROM calls")) == 1


def test_names_of_properties_are_held_once(project: Project) -> None:
    """Pytest keeps the reports of all cases to the end: of 10,000 cases these texts took 4 MiB."""
    project.eval(BODY, ROWS)
    project.write(
        conftest_py="""
            held = {}

            def pytest_runtest_logreport(report):
                for name, _ in report.user_properties:
                    held.setdefault(name, []).append(name)

            def pytest_unconfigure():
                texts = {name: len(set(map(id, names))) for name, names in held.items() if len(names) > 1}
                print("\\nheld:", len(texts), set(texts.values()))
            """
    )
    result = project.run("evals")
    result.stdout.fnmatch_lines(["held: 7 {1}"])
