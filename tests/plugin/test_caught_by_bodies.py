"""What async bodies catch of the process, and where they stop in a debugger: in their turn, alone."""

import pytest

from tests.plugin.test_turns_of_bodies import turns
from tests.support.project import Project

CATCHING = """
import asyncio, contextlib, dataclasses, io, time, types, warnings
from warnings import catch_warnings as caught_by

import pytest

ROWS = [{"id": str(n), "input": str(n)} for n in range(4)]

async def late(sample):
    await asyncio.sleep(0.05 * (1 + int(sample.id)))

@pytest.mark.llmeval(ROWS)
async def test_warns(sample, model):
    with pytest.warns(UserWarning):
        await late(sample)
        warnings.warn("old", UserWarning)
    assert (await model.generate()).text == sample.id

@pytest.mark.llmeval(ROWS)
async def test_caught(sample, model):
    with warnings.catch_warnings(record=True) as caught:
        await late(sample)
        warnings.warn(sample.id, UserWarning)
    assert [str(each.message) for each in caught] == [sample.id]

@pytest.mark.llmeval(ROWS)
async def test_renamed(sample, model):
    with caught_by(record=True) as caught:
        await late(sample)
        warnings.warn(sample.id, UserWarning)
    assert [str(each.message) for each in caught] == [sample.id]

@pytest.mark.llmeval(ROWS)
async def test_named_alike(sample, model):
    await late(sample)
    assert types.SimpleNamespace(warns=True).warns

@dataclasses.dataclass
class Unhashable:
    __name__ = "made"

    def __call__(self):
        return 3

made = pytest.fixture(name="made")(Unhashable())

@pytest.mark.llmeval(ROWS)
def test_made(sample, made):
    assert made == 3

@pytest.mark.llmeval(ROWS)
async def test_printed(sample, model):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        await late(sample)
        print(sample.id)
    assert said.getvalue() == sample.id + "\\n"

@pytest.mark.llmeval(ROWS)
async def test_stops(sample, model):
    await late(sample)
    breakpoint()

def prompt(sample):
    time.sleep(0.1)
    warnings.warn("of a prompt", UserWarning)
    return sample.input

@pytest.mark.llmeval(ROWS, prompt=prompt)
async def test_prompted(sample, response):
    pass
"""
STOPPED = """
import sys

from pytest_llmeval.bridge.execution.output import OUTPUT

def pytest_collection_finish():
    sys.breakpointhook = stopped

def stopped():
    assert OUTPUT.get(None) is None, "what it says goes to the case and to nobody else"
"""


def test_what_a_body_catches_or_stops_at_is_its_own(project: Project) -> None:
    """By functions of pytest, warnings and contextlib; a debugger says nothing to anybody ahead of the turn."""
    project.write(evals__test_all_py=CATCHING, conftest_py=STOPPED)
    result = project.run("evals", "-p", "no:xdist", inside=False)
    assert result.ret == 0, result.stdout.str()
    told = " ".join(result.stdout.str().split())
    for name, count in {"warns": 4, "catch_warnings": 8, "redirect_stdout": 4, "breakpoint": 4}.items():
        assert f"{name} is of the whole process: {count}" in told


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("score.contains(reply.text, sample.id)", "4 ran ahead, 0 in their turn"),
        ("assert all(contains(text, sample.id) for text in [reply.text])", "0 ran ahead, 4 in their turn (warns is"),
    ],
    ids=["an attribute", "the helper"],
)
def test_a_helper_of_the_module_counts_where_it_is_named_itself(project: Project, call: str, told: str) -> None:
    """An attribute of something else may have its name."""
    project.write(
        evals__test_all_py=f"""
        import warnings

        import pytest

        def contains(text, part):
            with pytest.warns(UserWarning):
                warnings.warn("old", UserWarning)
                return part in text

        @pytest.mark.llmeval([{{"id": str(n), "input": str(n)}} for n in range(4)])
        async def test_contains(sample, model, score):
            reply = await model.generate()
            {call}
        """
    )
    result = project.run("evals", "-p", "no:xdist")
    result.assert_outcomes(passed=4)
    assert turns(result).startswith(told)
