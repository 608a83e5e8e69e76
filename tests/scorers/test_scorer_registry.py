"""Own scorers: the decorator, names that are taken, entry points."""

import importlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import ScorerError, UserError
from pytest_llmeval.scorers import Registry, ScoreBook, Scored, scorer
from pytest_llmeval.scorers.registry import RESERVED

Files = Callable[..., None]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    """Return a writer of importable files, forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(**sources: str) -> None:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(f"from pytest_llmeval.scorers import scorer\n{source}", "utf-8")
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def installed(tmp_path: Path, files: Files) -> Callable[[str], None]:
    """Return a maker of an installed distribution with the given entry points."""

    def install(points: str) -> None:
        info = tmp_path / "extras-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extras\nVersion: 1.0\n", "utf-8")
        (info / "entry_points.txt").write_text(f"[pytest_llmeval.scorers]\n{points}\n", "utf-8")

    return install


def test_a_decorated_function_stays_a_plain_function(book: ScoreBook) -> None:
    """A unit test calls it and gets what it returns, unchecked."""

    @scorer
    def short(response: object, target: object = None, *, limit: int = 3) -> Any:
        return len(str(response)) <= limit

    assert short("ab") is True
    assert book.short("abcd", limit=4).value == 1.0
    assert book.short("abcd", name="tight").value == 0.0


def test_the_decorator_takes_a_name_and_a_pass_mark(book: ScoreBook) -> None:
    """Then the function's own name is not a scorer's."""

    @scorer(name="brief", pass_mark=0.2, version=3)
    def how_brief(response: object) -> Scored:
        return Scored(0.25)

    assert book.brief("x").passed is True
    with pytest.raises(AttributeError):
        book.how_brief("x")
    assert how_brief("x").value == 0.25


def test_a_scorer_without_target_refuses_one(book: ScoreBook) -> None:
    """The function's own signature is the scorer's."""

    @scorer
    def lonely(response: object) -> bool:
        return True

    with pytest.raises(TypeError, match=r"score\.lonely: too many positional arguments"):
        book.lonely("x", "y")


def test_the_name_of_a_shipped_scorer_is_taken(own_registry: Registry) -> None:
    """The message names the place and the way out."""
    with pytest.raises(UserError, match=r"test_scorer_registry.py:\d+: 'exact' is a shipped scorer.*name='my_exact'"):

        @scorer
        def exact(response: object) -> bool:
            return True


def test_two_scorers_of_one_name_are_told_with_both_places(own_registry: Registry, files: Files) -> None:
    """Neither silently wins."""
    files(
        first_scorers="@scorer\ndef tone(response): return 1\n",
        second_scorers="\n\n@scorer\ndef tone(response): return 0\n",
    )
    importlib.import_module("first_scorers")
    with pytest.raises(UserError, match=r"two scorers are named 'tone': first_scorers.py:2 and second_scorers.py:4"):
        importlib.import_module("second_scorers")


@pytest.mark.parametrize("make", ["(lambda r: 1)", "partial(near, tolerance=1)", "Near()"])
def test_two_without_a_name_of_their_own_are_told_too(own_registry: Registry, files: Files, make: str) -> None:
    source = (
        "from functools import partial\n"
        "def near(r, tolerance): return 1\n"
        "class Near:\n    def __call__(self, r): return 1\n"
        f"scorer(name='tone')({make})\n"
        f"scorer(name='tone')({make})\n"
    )
    files(nameless_scorers=source)
    told = r"two scorers are named 'tone': nameless_scorers.py:\d+ and nameless_scorers.py:\d+;"
    with pytest.raises(UserError, match=told):
        importlib.import_module("nameless_scorers")


@pytest.mark.parametrize("make", ["(lambda r: {})", "partial(near, tolerance={})", "Near({})"])
def test_one_without_a_name_of_its_own_is_replaced_by_its_module_too(
    own_registry: Registry, files: Files, make: str
) -> None:
    source = (
        "from dataclasses import dataclass\nfrom functools import partial\n"
        "def near(r, tolerance): return tolerance\n"
        "@dataclass\nclass Near:\n    value: int\n    def __call__(self, r): return self.value\n"
        "scorer(name='tone')({})\n"
    )
    files(nameless_scorers=source.format(make.format(0)))
    module = importlib.import_module("nameless_scorers")
    files(nameless_scorers=source.format(make.format("1 + 0 * 0")))
    importlib.reload(module)
    assert ScoreBook(own_registry).tone("x").value == 1


def test_a_module_imported_again_replaces_its_own_scorers(own_registry: Registry, files: Files) -> None:
    """A reload, and the same file under another module name."""
    files(tone_scorers="@scorer\ndef tone(response): return 0\n")
    module = importlib.import_module("tone_scorers")
    assert ScoreBook(own_registry).tone("x").value == 0
    files(tone_scorers="@scorer\ndef tone(response): return 1 + 0 * 0\n")
    importlib.reload(module)
    assert ScoreBook(own_registry).tone("x").value == 1


@pytest.mark.parametrize("name", ["two words", "_hidden", "class", "", "1st", *sorted(RESERVED)])
def test_a_name_that_cannot_stand_after_the_dot_is_refused(own_registry: Registry, name: str) -> None:
    """Told where the decorator stands."""
    with pytest.raises(UserError, match="test_scorer_registry.py"):
        scorer(name=name)(lambda response: 1)


@pytest.mark.parametrize(
    "nameless", [partial(lambda response, by: 1, by=2), type("Near", (), {"__call__": lambda self, response: 1})()]
)
def test_a_function_without_a_name_is_to_be_given_one(own_registry: Registry, nameless: Callable[..., object]) -> None:
    with pytest.raises(UserError, match=r"has no name of its own; give it a name: @scorer\(name=\.\.\.\)"):
        scorer(nameless)


def test_every_public_word_of_the_book_is_reserved() -> None:
    """A scorer can hide none of them."""
    assert {name for name in vars(ScoreBook) if not name.startswith("_")} <= RESERVED


async def _async_scorer(response: object) -> float:
    return 1.0


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (_async_scorer, "is async"),
        (lambda: 1, "takes no argument"),
        (lambda response, name: 1, "parameter 'name'"),
        (lambda response, pass_mark: 1, "parameter 'pass_mark'"),
    ],
)
def test_a_function_that_cannot_be_a_scorer_is_refused(
    own_registry: Registry, function: Callable[..., object], problem: str
) -> None:
    """At the decorator, not at the first case."""
    with pytest.raises(UserError, match=problem):
        scorer(name="odd")(function)


@pytest.mark.parametrize("mark", [2, -1, "1", True])
def test_a_pass_mark_outside_0_to_1_is_refused(own_registry: Registry, mark: Any) -> None:
    """At the decorator."""
    with pytest.raises(UserError, match="pass_mark must be a number from 0 to 1"):
        scorer(name="odd", pass_mark=mark)(lambda response: 1)


def test_an_entry_point_names_a_decorated_function(
    own_registry: Registry, files: Files, installed: Callable[[str], None]
) -> None:
    """It is imported when its name is asked for."""
    files(plug_one="@scorer\ndef polite(response): return 'please' in str(response)\n")
    installed("polite = plug_one:polite")
    book = ScoreBook(own_registry)
    assert "plug_one" not in sys.modules
    assert book.polite("please").value == 1


def test_an_entry_point_may_name_a_module_of_scorers(
    own_registry: Registry, files: Files, installed: Callable[[str], None]
) -> None:
    """Its own name need not be a scorer's."""
    files(plug_two="@scorer\ndef calm(response): return 1\n@scorer\ndef loud(response): return 0\n")
    installed("everything = plug_two")
    book = ScoreBook(own_registry)
    assert (book.calm("x").value, book.loud("x").value) == (1, 0)


def test_a_broken_entry_point_is_an_error_only_where_its_name_is_asked_for(
    own_registry: Registry, files: Files, installed: Callable[[str], None]
) -> None:
    """Other scorers go on, also those of other entry points; asking again tells it again."""
    files(plug_three="1 / 0\n", plug_four="@scorer\ndef calm(response): return 1\n")
    installed("cracked = plug_three\ncalm = plug_four\nmissing = no_such_module_here:x")
    book = ScoreBook(own_registry)
    assert book.calm("x").value == 1
    for _ in range(2):
        with pytest.raises(ScorerError, match="'cracked' = 'plug_three'.*ZeroDivisionError"):
            book.cracked("x")
    with pytest.raises(AttributeError, match=r"no scorer 'other'.*'missing'.*cannot be imported"):
        book.other("x")


def test_an_entry_point_that_is_not_decorated_says_so(
    own_registry: Registry, files: Files, installed: Callable[[str], None]
) -> None:
    """What it names must be a scorer."""
    files(plug_five="def bare(response): return 1\n")
    installed("bare = plug_five:bare")
    with pytest.raises(ScorerError, match="'bare'.*decorate it with @scorer"):
        ScoreBook(own_registry).bare("x")
