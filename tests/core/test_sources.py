"""Code as a text: it follows what the code does, and is the same in every process."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_llmeval.core.sources import source_digest, source_text, without_comments


def compiled(source: str) -> Any:
    """Return the function ``f`` of a source that nobody can read again."""
    scope: dict[str, Any] = {}
    exec(source, scope)
    return scope["f"]


def test_a_source_digest_follows_the_source() -> None:
    def one() -> int:
        return 1

    def other() -> int:
        return 2

    assert source_digest(one) == source_digest(one)
    assert source_digest(one) != source_digest(other)


CODE = """\
@pytest.mark.llmeval("rows.jsonl")
def test_it(score):
    prompt = '''
    # Title

    Body # 1
    '''
    if prompt != "#":
        score.exact(prompt, 'it # is')
"""
COMMENTED = """\

# above
@pytest.mark.llmeval("rows.jsonl")  # rows

def test_it(score):  # noqa
        # deeper than what follows
    prompt = '''
    # Title

    Body # 1
    '''

    if prompt != "#":  # "yes"
# at the margin
        score.exact(prompt, 'it # is')
    # below

"""


def test_comments_and_blank_lines_are_no_code() -> None:
    assert without_comments(COMMENTED).rstrip("\n") == without_comments(CODE).rstrip("\n") == CODE.rstrip("\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [("# Title", "# Other"), ("Title\n\n", "Title\n"), ("# 1", ""), ("'it # is'", "'it # was'"), ("    if", "if")],
    ids=["a mark in a text", "a blank line of a text", "a mark behind a text", "a short text", "indentation"],
)
def test_what_looks_like_a_comment_in_a_string_is_code(old: str, new: str) -> None:
    assert old in CODE
    assert without_comments(CODE.replace(old, new)) != without_comments(CODE)


@pytest.mark.parametrize("text", ["def f(:\n  # x\n  '''", "  # x\n\t'", "(", "", "\n"])
def test_what_is_no_python_is_taken_as_it_is(text: str) -> None:
    assert without_comments(text) in (text, text.strip("\n"))


def test_a_lambda_is_its_expression_and_not_the_function_that_it_decorates(tmp_path: Path) -> None:
    """Else each edit of a test's body would be another prompt."""
    module = """
def keep(function): return lambda test: function

@keep({0})
def test_it():
    {1}

two = (lambda x: x + 1, lambda x: x + 2)
"""
    found = []
    for number, (prompt, body) in enumerate(
        [("lambda x: x", "pass"), ("lambda x: x", "return 5"), ("lambda x: x + 1", "pass")]
    ):
        path = tmp_path / f"m{number}.py"
        path.write_text(module.replace("{0}", prompt).replace("{1}", body), "utf-8")
        scope: dict[str, Any] = {}
        exec(compile(path.read_text("utf-8"), str(path), "exec"), scope)
        found.append(source_digest(scope["test_it"]))
        assert source_digest(scope["two"][0]) != source_digest(scope["two"][1])
    assert found[0] == found[1] != found[2]


@pytest.mark.filterwarnings("error")
def test_what_python_warns_of_in_a_module_hides_no_lambda_of_it(tmp_path: Path) -> None:
    """Its digest would be another wherever warnings are errors."""
    path = tmp_path / "warned.py"
    path.write_text("MARK = '\\d'\nf = lambda x: x + 1  # one\n", "utf-8")
    scope: dict[str, Any] = {}
    exec(compile("\nf = lambda x: x + 1", str(path), "exec"), scope)
    assert source_text(scope["f"]) == "lambda x: x + 1"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x): return x > 0.5", "def f(x): return x > 0.9"),
        ("def f(x): return x.a()", "def f(x): return x.b()"),
        ("def f(x): return [y > 1 for y in x]", "def f(x): return [y > 2 for y in x]"),
    ],
)
def test_code_without_a_source_has_a_digest_of_what_it_does(one: str, other: str) -> None:
    assert source_digest(compiled(one)) == source_digest(compiled(one))
    assert source_digest(compiled(one)) != source_digest(compiled(other))


def test_the_digest_of_code_without_a_source_is_the_same_in_every_process() -> None:
    """A set among its constants has another order in each."""
    code = (
        "from pytest_llmeval.core.sources import source_digest\n"
        "scope = {}\n"
        'exec(\'def f(x): return x in {"a", "b", "c", "d"}, (lambda: 0.5)\', scope)\n'
        "print(source_digest(scope['f']))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        for seed in ("1", "2", "3")
    ]
    assert len({run.stdout for run in runs}) == 1


def scaled(factor: float, value: float) -> float:
    return factor * value


class Scale:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, value: float) -> float:
        return self.factor * value


@pytest.mark.parametrize("make", [lambda factor: partial(scaled, factor), Scale])
def test_what_a_partial_or_an_object_holds_counts(make: Callable[[float], Callable[[float], float]]) -> None:
    assert source_digest(make(2)) == source_digest(make(2))
    assert source_digest(make(2)) != source_digest(make(3))


HELD = """
import dataclasses, datetime, functools, re
from pytest_llmeval.core.sources import source_digest, source_text, without_comments

@dataclasses.dataclass
class Settings:
    words: frozenset
    since: datetime.date = datetime.date(2026, 1, 1)

class Template:
    def __repr__(self):
        return f"<Template memory:{id(self):x}>"

def build(*held, **named):
    return held

class Prompt:
    def __init__(self):
        self.settings, self.template = Settings(frozenset("abcdefg")), Template()
    def __call__(self, sample):
        return sample.input

made = functools.partial(build, Template(), Settings(frozenset("abcdefg")), pattern=re.compile("a+"), by=build)
print(source_digest(made), source_digest(Prompt()))
"""


def test_what_is_held_has_one_digest_in_every_process() -> None:
    """A template says where it lies in memory, a set has another order in each."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", HELD], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        for seed in ("1", "2", "3")
    ]
    assert len({run.stdout for run in runs}) == 1


@dataclass
class Settings:
    bound: float


KNOT: list[object] = []
KNOT.append(KNOT)


class Wrapper:
    def __init__(self) -> None:
        self.held = {"a": 1}

    def __getattr__(self, name: str) -> object:
        return self.held[name]

    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_a_held_object_may_be_of_any_kind() -> None:
    assert source_digest(partial(print, Wrapper())) == source_digest(partial(print, Wrapper()))


@pytest.mark.parametrize(
    ("one", "other"), [(len, max), (str.upper, str.lower), (itemgetter("a"), itemgetter("b")), (dict, list)]
)
def test_callables_without_a_source_differ(one: Callable[..., object], other: Callable[..., object]) -> None:
    assert source_digest(one) != source_digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Settings(1.0), Settings(2.0)),
        (date(2026, 1, 1), date(2026, 1, 2)),
        (re.compile("a"), re.compile("b")),
        (compiled, scaled),
        (itemgetter("question"), itemgetter("answer")),
        (SimpleNamespace(k=1), SimpleNamespace(k=2)),
        ({("a", "b"): 1}, {("a", "b"): 2}),
        ([KNOT, 1], [KNOT, 2]),
        (len, max),
        (partial(scaled, 1), partial(scaled, 2)),
    ],
)
def test_what_a_partial_is_given_counts(one: object, other: object) -> None:
    first, second = (source_digest(partial(print, each)) for each in (one, other))
    assert first != second
