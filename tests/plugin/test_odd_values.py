"""Values that cannot travel or be stored as they are: none of them ends a session."""

import math
from collections.abc import Sequence
from typing import Any

import numpy  # noqa: F401 - imported here once: numpy refuses to be loaded again after a run in this process

from tests.support.project import Project

HEAD = """
import enum
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest


class Colour(enum.Enum):
    RED = 0.5


class Level(enum.IntEnum):
    HIGH = 1


class Odd(str):
    def __str__(self):
        raise RuntimeError("never")


class Unprintable:
    def __repr__(self):
        raise RuntimeError("never")

    __str__ = __repr__


class OddFloat(float):
    def __float__(self):
        return self


class NoText(Exception):
    def __str__(self):
        return 1 / 0

"""


def written(project: Project, actions: Sequence[str]) -> Project:
    """Write an eval with a row, and a body, for each of ``actions``; its id is the number of the action."""
    listed = "".join(f"    lambda score, model: {action},\n" for action in actions)
    project.write(
        evals__test_odd_py=f"""{HEAD}
def throw(error):
    raise error

ACTIONS = [
{listed}]

@pytest.mark.llmeval([{{"id": str(number), "input": "x"}} for number in range(len(ACTIONS))])
def test_odd(sample, score, model):
    ACTIONS[int(sample.id)](score, model)
"""
    )
    return project


def kinds(project: Project, actions: Sequence[str], *arguments: str) -> dict[str, str]:
    """Return what each action came to: its outcome, or the kind of its error."""
    result = written(project, actions).run("evals", *arguments)
    assert result.ret in (0, 1)
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    assert project.last_run()["status"] == "finished"
    rows = project.rows("SELECT sample_id, outcome, error_kind FROM cases")
    assert len(rows) == len(actions)
    return {actions[int(row["sample_id"])]: row["error_kind"] or row["outcome"] for row in rows}


NUMBERS = {
    "np.float64(0.25)": 0.25,
    "np.float32(0.5)": 0.5,
    "np.int64(3)": 3.0,
    "np.bool_(True)": 1.0,
    "np.array(0.5)": 0.5,
    "Decimal('0.125')": 0.125,
    "Fraction(1, 4)": 0.25,
    "Level.HIGH": 1.0,
    "True": 1.0,
    "10**300": 1e300,
    "OddFloat(0.5)": 0.5,
    "-0.0": 0.0,
}
NO_NUMBERS = [
    "float('nan')", "float('inf')", "np.float64('nan')", "Decimal('NaN')", "Decimal('sNaN')", "10**400", "10**5000",
    "None", "'0.5'", "Colour.RED", "[]", "object()", "Unprintable()", "np.array([1, 2])", "np.datetime64('now')",
    "1j", "throw", "Unprintable",
]  # fmt: skip


def test_any_finite_number_is_recorded(project: Project, spread: list[str]) -> None:
    actions = [f"score.record('x', {value})" for value in NUMBERS]
    assert set(kinds(project, actions, *spread).values()) == {"passed"}
    rows = project.rows("SELECT value FROM cases JOIN scores ON cases.id = case_id ORDER BY CAST(sample_id AS INTEGER)")
    assert [row["value"] for row in rows] == list(NUMBERS.values())


def test_anything_else_is_an_error_of_its_case(project: Project, dist_args: list[str]) -> None:
    actions = [f"score.record('x', {value})" for value in NO_NUMBERS]
    assert set(kinds(project, actions, *dist_args).values()) <= {"scorer", "code"}
    assert {row["value"] for row in project.rows("SELECT value FROM scores")} == {None}
    assert set(project.cases().values()) == {"error"}


def test_any_reason_is_recorded_or_an_error(project: Project, spread: list[str]) -> None:
    values = [
        "Odd('text')", "5", "Decimal('1')", "Colour.RED", "object()", "Unprintable()", "b'bytes'", "['a', {1: 2}]",
        "'\\ud800'", "'x' * 1_000_000", "float('nan')", "np.array([1, 2])", "'a\\x00b'", "10**5000",
    ]  # fmt: skip
    actions = [f"score.record('x', 0.5, passed=False, reason={value})" for value in values]
    assert set(kinds(project, actions, *spread).values()) <= {"missed", "scorer", "code"}
    for row in project.rows("SELECT reason FROM scores"):
        assert len(row["reason"] or "") < 10_000


def test_any_parameter_of_a_call_is_sent_or_an_error_of_its_case(project: Project, spread: list[str]) -> None:
    values = [
        "temperature=np.float64(0.5)", "seed=np.int64(3)", "x=Decimal('1')", "x=Colour.RED", "x=object()",
        "x=Unprintable()", "x=float('nan')", "x=10**5000", "x={1, 2}", "x=b'bytes'", "x='\\ud800'", "x={5: 1}",
        "x={(1, 2): 3}", "x=Odd('a')", "messages=[{'role': 'user', 'content': object()}]", "messages=5",
        "messages=[{'role': 'user', 'content': '\\ud800'}]", "messages='a\\x00b'", "messages=Odd('a')",
    ]  # fmt: skip
    actions = [f"model.generate_sync({value})" for value in values]
    assert set(kinds(project, actions, *spread).values()) <= {"passed", "bad_request", "code"}


def test_any_name_of_a_score_is_recorded_or_an_error(project: Project, spread: list[str]) -> None:
    values = ["''", "None", "5", "'x' * 1000", "'a\\x00b'", "'\\ud800'", "Odd('x')", "'a\\nb'", "Unprintable()"]
    actions = [f"score.record({value}, 1)" for value in values]
    assert set(kinds(project, actions, *spread).values()) <= {"passed", "scorer", "code"}


def test_an_exception_that_cannot_be_shown_is_an_error_of_its_case(project: Project, spread: list[str]) -> None:
    raised = ["RuntimeError('\\ud800')", "RuntimeError(Unprintable())", "NoText()", "RuntimeError('x' * 1_000_000)"]
    actions = [f"throw({error})" for error in raised]
    assert kinds(project, actions, *spread) == dict.fromkeys(actions, "code")
    assert all(len(row["error"]) < 10_000 for row in project.rows("SELECT error FROM cases"))


def test_a_failed_assertion_that_cannot_be_shown_is_a_miss(project: Project) -> None:
    class_ = "type('Shy', (AssertionError,), {'__str__': lambda self: 1 / 0})"
    actions = [f"throw({class_}())", "throw(AssertionError(Unprintable()))", "throw(AssertionError('\\ud800'))"]
    assert kinds(project, actions) == dict.fromkeys(actions, "missed")


def test_the_same_name_twice_is_an_error(project: Project) -> None:
    action = "(score.record('x', 1), score.record('x', 1))"
    assert kinds(project, [action]) == {action: "scorer"}


def test_no_nan_reaches_the_database(project: Project) -> None:
    kinds(project, ["score.record('x', float('nan'))", "score.record('x', 1)", "model.generate_sync(x=float('nan'))"])
    values: list[Any] = []
    for table in ("cases", "scores", "calls"):
        values += [value for row in project.rows(f"SELECT * FROM {table}") for value in row.values()]
    assert values
    assert not any(isinstance(value, float) and math.isnan(value) for value in values)
    assert not any(isinstance(value, str) and "NaN" in value for value in values)


def test_own_properties_of_a_test_survive(project: Project) -> None:
    project.write(
        evals__test_odd_py="""
        import pytest

        @pytest.mark.llmeval([{"id": "a", "input": "x"}])
        def test_odd(record_property, score):
            record_property("mine", object())
            score.record("x", 1)
        """
    )
    project.run("evals", "--junitxml=junit.xml", "-ojunit_family=xunit1").assert_outcomes(passed=1)
    text = (project.root / "junit.xml").read_text()
    assert 'name="mine"' in text
    assert 'name="llmeval_outcome" value="passed"' in text
