"""Calls of ``model`` and ``judge`` that a body makes and does not await: an error of its own case, and of no other."""

import pytest

from tests.support.judges import Judged, named, verdict
from tests.support.project import Project

ROWS = [{"id": each, "input": each} for each in "abc"]
STRICT = "[pytest]\naddopts = -p no:asyncio -p no:anyio -p no:hypothesispytest\nfilterwarnings = error\n"


@pytest.fixture
def strict(project: Project) -> Project:
    """A project in which a warning is an error, whichever test it comes in."""
    project.write(pytest_ini=STRICT)
    return project


@pytest.mark.parametrize("call", ["model.generate()", "model.generate('x')", "model.logprob('x')", "judge.generate()"])
@pytest.mark.parametrize("kind", ["async def", "def", "turn"])
def test_it_is_an_error_of_its_case_that_says_what_to_write(
    strict: Project, judged_by: Judged, spread: list[str], kind: str, call: str
) -> None:
    """The first alone forgets it; where bodies run ahead, the others are set up before and after Python warns."""
    start = "async def" if kind == "turn" else kind
    fixtures = ", tmp_path" if kind == "turn" else ""
    body = f"import gc\n    if sample.id == 'a':\n        {call}\n    gc.collect()\n"
    strict.eval(f"{start} test_echo(sample, model, judge{fixtures}):\n    {body}", ROWS)
    result = strict.run("evals", named(strict, judged_by(verdict)), *spread, inside=False)
    assert result.ret == 1, result.stdout.str()
    assert strict.cases() == {"a": "error", "b": "passed", "c": "passed"}
    name = call.partition("(")[0]
    told = f"{name}(...) was not awaited: write await {name}(...), or {name}_sync(...) where the test is not async"
    assert strict.rows("SELECT error_kind, error FROM cases WHERE sample_id = 'a'") == [
        {"error_kind": "code", "error": told}
    ]


@pytest.mark.parametrize("end", ["assert sample.id == 'b'", "score.judge('x', rubric='qa'); assert sample.id == 'b'"])
def test_a_miss_beside_it_is_a_miss_and_no_error_of_others(strict: Project, spread: list[str], end: str) -> None:
    strict.eval(f"async def test_echo(sample, model, score):\n    model.generate()\n    {end}\n", ROWS)
    result = strict.run("evals", *spread, inside=False)
    assert strict.cases() == {"a": "missed", "b": "error", "c": "missed"}, result.stdout.str()


def test_what_is_given_up_for_another_answer_is_not_forgotten(strict: Project, spread: list[str]) -> None:
    body = """
        async def test_echo(model):
            import asyncio

            tasks = [asyncio.create_task(model.generate(each)) for each in "xy"]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.gather(*tasks)
    """
    strict.eval(body, ROWS)
    assert strict.run("evals", *spread, inside=False).ret == 0


def test_the_methods_are_coroutine_functions_to_applications(strict: Project) -> None:
    """Which ask before they await what they were given."""
    body = """
        async def test_echo(model, score):
            import inspect

            for method, taken in ((model.generate, "messages"), (model.logprob, "target"), (score.judge, "rubric")):
                assert inspect.iscoroutinefunction(method)
                assert taken in inspect.signature(method).parameters
                assert "self" not in inspect.signature(method).parameters
            assert model.generate.__name__ == "generate" and "answer" in model.generate.__doc__
    """
    strict.eval(body, ROWS)
    assert strict.run("evals").ret == 0
