"""What of a project's code a run that goes on must find as it was: the test, and the own scorers that it names."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.bridge.collection.code_digests import code_digest
from pytest_llmeval.scorers import Registry, registry, scorer

TEST = "def test(response, score):\n    score.tone(response)\n"
DECORATED = """
import functools

def decorate(test):
    @functools.wraps(test)
    def wrapper(response, score):
        {wrapper}return test(response, score)
    return wrapper

@decorate
def test(response, score):
    {test}
"""


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """An empty registry, into which ``@scorer`` registers during the test."""
    fresh = Registry()
    monkeypatch.setattr(registry, "REGISTRY", fresh)
    return fresh


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, str], Any]:
    """Return a maker of functions whose source stands in a file of its own."""
    files = iter(range(100))

    def write(source: str, name: str) -> Any:
        path = tmp_path / f"module_{next(files)}.py"
        path.write_text(source, encoding="utf-8")
        names: dict[str, Any] = {}
        exec(compile(source, str(path), "exec"), names)
        return names[name]

    return write


def test_the_digest_is_that_of_the_source(own_registry: Registry, written: Callable[[str, str], Any]) -> None:
    """The same in two files, another after any change."""
    one, same, other = (written(source, "test") for source in (TEST, TEST, TEST.replace("tone", "mood")))
    assert code_digest(one) == code_digest(same) != code_digest(other)
    assert len(code_digest(one)) == 64


def test_what_the_marker_says_of_dataset_prompt_and_params_is_no_code(
    own_registry: Registry, written: Callable[[str, str], Any]
) -> None:
    """All else does, and so do other decorators."""
    marked = 'import pytest\n\n@pytest.mark.skipif(False, reason="x")\n@pytest.mark.llmeval({})\n' + TEST
    first = marked.format('"a.jsonl", prompt="Name {input}", suite="s"')
    same = [
        marked.format(f'{dataset},\n    suite="s"{more}')
        for dataset, more in (('"b.jsonl"', ', prompt="{input}"'), ("[]", ""), ('dataset="c"', ', params={"seed": 1}'))
    ]
    others = [first.replace('"s"', '"t"'), first.replace("False", "1 > 2"), first.replace("tone", "mood")]
    others.append(marked.format('"a.jsonl", suite="s", cluster="user"'))
    digests = [code_digest(written(source, "test")) for source in (first, *same, *others)]
    assert len(set(digests[:4])) == 1 and len(set(digests)) == 5


@pytest.mark.parametrize(
    "source",
    [
        TEST,
        "def test(response, score):\n    make = score.tone\n    make(response)\n",
        "def test(response, score):\n    def f():\n        return [score.tone(each) for each in response]\n    f()\n",
        "async def test(response, score):\n    (lambda: score.tone(response))()\n",
        "def test(response, score):\n    tone(response)\n",
        DECORATED.format(wrapper="", test="score.tone(response)"),
        DECORATED.format(wrapper="score.tone(response); ", test="pass"),
    ],
    ids=["called", "kept", "within", "in a lambda", "by its own name", "decorated", "by what decorates it"],
)
def test_a_scorer_of_the_project_counts_where_the_test_names_it(
    own_registry: Registry, written: Callable[[str, str], Any], source: str
) -> None:
    test = written(source, "test")
    digests = [code_digest(test)]
    for body in ("return 1.0", "return 0.5"):
        scorer(written(f"def tone(response, target):\n    {body}\n", "tone"))
        digests.append(code_digest(test))
        own_registry._scorers.clear()
    assert len(set(digests)) == 3


def test_a_scorer_that_the_test_does_not_name_counts_for_nothing(
    own_registry: Registry, written: Callable[[str, str], Any]
) -> None:
    test = written(TEST, "test")
    before = code_digest(test)
    scorer(written("def other(response, target):\n    return 1.0\n", "other"))
    assert code_digest(test) == before


def test_a_callable_without_code_of_its_own_has_a_digest_too(own_registry: Registry) -> None:
    class Test:
        def __call__(self) -> None: ...

    assert len(code_digest(Test())) == 64


def test_without_the_registry_there_are_no_own_scorers(
    written: Callable[[str, str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that only lists its cases has not imported it."""
    test = written(TEST, "test")
    monkeypatch.delitem(sys.modules, "pytest_llmeval.scorers.registry")
    assert len(code_digest(test)) == 64
