"""How the parameter sets of an eval are named, where pytest would number them."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_llmeval.bridge.collection.parameter_sets import value_name
from tests.support.project import Project

SETS_OF_CONTENT = """
import re

import pytest
from dataclasses import dataclass

class Plain:
    pass

@dataclass
class Style:
    tone: str

@pytest.fixture(params=[{{"k": 1}}])
def made(request):
    return request.param

SETS = [{first}{{"style": "short"}}, Style("polite"), "x" * 101, "told"]

@pytest.mark.llmeval([{{"id": "a", "input": "x"}}])
@pytest.mark.parametrize("style", SETS)
def test_echo(style, made, response):
    pass

@pytest.mark.parametrize("style", SETS)
def test_own(style):
    pass
"""


def test_sets_without_a_name_of_their_own_are_named_by_their_content(project: Project) -> None:
    """One that is inserted moves no other, nor does that of a fixture; other tests keep the names that pytest gives."""
    listed = []
    for first in ("", '{"style": "new"}, '):
        project.write(evals__test_echo_py=SETS_OF_CONTENT.format(first=first))
        lines = project.run("evals", "--co", "-q").outlines
        listed.append([line.partition("::")[2] for line in lines if "::" in line])
    before, after = ([line for line in lines if "echo" in line] for lines in listed)
    assert all(re.fullmatch(r"test_echo\[a-made-[0-9a-f]{6}-(style-[0-9a-f]{6}|told)\]", line) for line in after)
    assert (len(set(before)), after[1:]) == (4, before)
    assert [line for line in listed[0] if "own" in line] == [
        f"test_own[{name}]" for name in ("style0", "style1", "style2", "told")
    ]


@pytest.mark.parametrize("first", ["[Plain()]", "lambda text: text"])
def test_a_set_that_only_its_place_in_memory_tells_is_a_usage_error(
    project: Project, first: str, spread: list[str]
) -> None:
    """A lambda too: all of them have one name, which pytest would number."""
    project.write(evals__test_echo_py=SETS_OF_CONTENT.format(first=f"{first}, "))
    result = project.run("evals", *spread)
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*test_echo.py::test_echo: nothing tells a value of style in each session the same, found *ids=*"]
    )
    assert "0x" not in result.stderr.str()
    assert project.server.ledger == []


@pytest.mark.parametrize("strategy", ["legacy", "sha256", None], ids=str)
def test_a_long_text_is_named_as_the_project_has_it(strategy: str | None) -> None:
    """Of older versions of pytest, which know no such setting, it is the name itself."""

    def getini(name: str) -> str:
        if strategy is None:
            raise ValueError(name)
        return strategy

    config: Any = SimpleNamespace(getini=getini)
    assert value_name("x" * 101, "style", config=config, where="where", problems=[]) is None


def test_what_cannot_be_written_out_is_told_by_nothing() -> None:
    class Mute:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    problems: list[str] = []
    config: Any = None
    assert value_name([Mute()], "style", config=config, where="where", problems=problems) is None
    assert [problem.partition(",")[0] for problem in problems] == [
        "where: nothing tells a value of style in each session the same"
    ]


def test_a_suite_has_the_name_under_which_pytest_finds_its_test(project: Project) -> None:
    """As the node id has it, not the name of what a factory or a decorator made."""
    project.write(
        evals__test_made_py="""
        import pytest

        def make(number):
            @pytest.mark.llmeval([{"id": "a", "input": "x"}])
            def inner(response):
                pass

            return inner

        test_one, test_two = make(1), make(2)

        class TestMade:
            test_three = make(3)

        @pytest.mark.llmeval([{"id": "a", "input": "x"}], suite="mine")
        def test_own(response):
            pass
        """
    )
    result = project.run("evals", "-p", "no:xdist")
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert {row["suite"] for row in project.rows("SELECT suite FROM cases")} == {"one", "two", "three", "mine"}


def test_a_marker_of_a_parameter_set_is_a_usage_error(project: Project, spread: list[str]) -> None:
    """Beside that of its function it would be passed over without a word."""
    sets = '"part", [pytest.param(1, marks=pytest.mark.llmeval("other.jsonl")), 2]'
    project.eval(
        f"@pytest.mark.parametrize({sets})\ndef test_echo(response, part):\n    pass\n",
        [{"id": name, "input": "x"} for name in "ab"],
    )
    result = project.run("evals", *spread)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*::test_echo: a parameter set has a marker llmeval beside that of its function, *"])
    assert not project.server.ledger


@pytest.mark.parametrize("key", ['"echo[中文]"', r'"echo[\u4e2d\u6587]"'])
def test_a_set_whose_id_pytest_escapes_is_named_as_it_is_to_be_written(project: Project, key: str) -> None:
    """As the code has it, and as the table does, which YAML reads otherwise in double quotes."""
    body = "@pytest.mark.parametrize('language', ['中文'])\ndef test_echo(response, language):\n    pass\n"
    project.eval(body, [{"id": "a", "input": "x"}])
    project.write(thresholds_yaml=f"version: 1\nsuites:\n  {key}: {{pass_rate: {{min: 1}}}}\n")
    told = " ".join(project.run("evals").stderr.str().split())
    meant = r"'echo[\u4e2d\u6587]'"
    assert f"unknown suite 'echo[中文]'; did you mean {meant}? In ids pytest escapes what is not ASCII; " in told
    project.write(thresholds_yaml=f"version: 1\nsuites:\n  {meant}: {{pass_rate: {{min: 1}}}}\n")
    result = project.run("evals")
    result.stdout.fnmatch_lines(["*min=1*pass", "gate: PASS (1 pass)"])
    assert result.ret == 0
