"""The digest of a scorer: it changes with what decides the values, and with nothing else."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

import pytest

from pytest_llmeval.scorers import Registry, ScoreBook, scorer
from pytest_llmeval.scorers.digests import scorer_digest
from pytest_llmeval.scorers.registry import made

Books = Callable[[], ScoreBook]


def test_it_is_a_sha256_in_hex(book: ScoreBook) -> None:
    """64 lower-case digits."""
    assert re.fullmatch("[0-9a-f]{64}", book.exact("a", "b").scorer_digest or "")


def test_response_target_and_recorded_name_do_not_change_it(new_book: Books) -> None:
    """One scorer with one set of settings is one digest, defaults written out or not."""
    digests = {
        new_book().exact("a", "a").scorer_digest,
        new_book().exact("b", ["c", "d"], name="other").scorer_digest,
        new_book().exact("b", target="c", strip=True).scorer_digest,
        new_book().exact("b", "c", pass_mark=1).scorer_digest,
    }
    assert len(digests) == 1


def test_settings_change_it(new_book: Books) -> None:
    """The pass mark, the pattern and the schema are settings too."""
    digests = [
        new_book().exact("a", "a").scorer_digest,
        new_book().exact("a", "a", casefold=True).scorer_digest,
        new_book().exact("a", "a", pass_mark=0.5).scorer_digest,
        new_book().regex("a", "a").scorer_digest,
        new_book().regex("a", "b").scorer_digest,
        new_book().json_schema("1", {"type": "integer"}).scorer_digest,
        new_book().json_schema("1", {"type": "string"}).scorer_digest,
    ]
    assert len(set(digests)) == len(digests)


def test_the_order_of_keys_and_the_kind_of_sequence_do_not_change_it(new_book: Books) -> None:
    """Settings are compared as JSON."""
    first = new_book().json_match("1", 1, tolerance={"a": 1, "b": 2}, dates=("x",)).scorer_digest
    second = new_book().json_match("1", 1, tolerance={"b": 2, "a": 1}, dates=["x"]).scorer_digest
    assert first == second


def test_a_shipped_scorers_version_changes_it_and_its_source_does_not() -> None:
    """Cosmetic changes of the plugin break no baseline."""
    one = made(lambda response: 1, name="s", shipped=True, version="1")
    same = made(lambda response: 2, name="s", shipped=True, version="1")
    newer = made(lambda response: 1, name="s", shipped=True, version="2")
    assert scorer_digest(one, {}) == scorer_digest(same, {}) != scorer_digest(newer, {})


def test_a_users_source_changes_it() -> None:
    """What the function says, and the version it was given."""
    one = made(lambda response: 1, name="s")
    other = made(lambda response: 2, name="s")
    assert scorer_digest(one, {}) != scorer_digest(other, {})


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("def f(r): return 1", "def f(r): return 1", True),
        ("def f(r): return 1", "def f(r): return 2", False),
        ("def f(r): return r.x", "def f(r): return r.y", False),
        (
            "def f(r): return [g for g in (lambda: 1, 2)]",
            "def f(r): return [g for g in (lambda: 1, 2)]",
            True,
        ),
    ],
)
def test_without_a_source_file_the_code_counts(first: str, second: str, same: bool) -> None:
    """As for functions made by exec."""

    def build(source: str) -> str:
        space: dict[str, Any] = {}
        exec(source, space)
        return scorer_digest(made(space["f"], name="f"), {})

    assert (build(first) == build(second)) is same


IN_A_SET = """
from pytest_llmeval.core.sources import code_text
from pytest_llmeval.scorers.digests import scorer_digest
from pytest_llmeval.scorers.registry import made
space = {}
exec("def f(r): return r in {'yes', 'no', 'perhaps', 'never'}", space)
print(scorer_digest(made(space["f"], name="f"), {}), code_text((1, frozenset("abcdefg"))))
"""


def test_two_processes_get_one_digest_of_a_scorer_without_a_source() -> None:
    """A set among its constants has an order of its own in each process."""
    told = [
        subprocess.run(
            [sys.executable, "-c", IN_A_SET],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]


def test_a_callable_object_has_a_digest_without_its_address() -> None:
    """Two processes get the same one."""

    class Judge:
        def __call__(self, response: object) -> float:
            return 1.0

    assert scorer_digest(made(Judge(), name="j"), {}) == scorer_digest(made(Judge(), name="j"), {})


class Within:
    """A scorer that holds a setting."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance

    def __call__(self, response: object) -> float:
        return self.tolerance


class Slotted:
    """Another one."""

    __slots__ = "tolerance"

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance

    def __call__(self, response: object) -> float:
        return self.tolerance


def test_what_a_callable_object_or_a_partial_holds_changes_it() -> None:
    one, other = (scorer_digest(made(Within(tolerance), name="w"), {}) for tolerance in (1, 2))
    assert one == scorer_digest(made(Within(1), name="w"), {}) != other

    one, other = (scorer_digest(made(Slotted(each), name="s"), {}) for each in (1, 2))
    assert one != other

    def near(response: object, tolerance: float) -> float:
        return tolerance

    made_of = [partial(near, tolerance=each) for each in (1, 2)]
    one, other = (scorer_digest(made(each, name="n"), {}) for each in made_of)
    assert one != other
    one, other = (scorer_digest(made(update_wrapper(each, near), name="n"), {}) for each in made_of)
    assert one != other


class Thing:
    """A setting that JSON cannot say."""


@pytest.mark.parametrize(
    "make",
    [
        Thing,
        lambda: {"b", "a", "c"},
        lambda: {1: "x", "y": Thing()},
        lambda: [Thing(), {("t",): 1}],
        lambda: float("nan"),
        lambda: "\ud800",
    ],
)
def test_settings_that_json_cannot_say_are_told_without_addresses(
    own_registry: Registry, make: Callable[[], Any]
) -> None:
    """The digest of equal settings is equal, and every setting has one."""

    @scorer
    def odd(response: object, *, setting: object) -> float:
        return 1.0

    one, two = (ScoreBook(own_registry).odd("x", setting=make()) for _ in range(2))
    assert one.value == 1
    assert one.scorer_digest == two.scorer_digest


def test_a_setting_that_holds_itself_has_a_digest(own_registry: Registry) -> None:
    """Bounded, whatever is passed."""

    @scorer
    def loops(response: object, *, setting: object) -> float:
        return 1.0

    setting: list[object] = []
    setting.append(setting)
    assert ScoreBook(own_registry).loops("x", setting=setting).scorer_digest
