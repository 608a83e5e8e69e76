"""Parameters that stand for a fixture, which a plugin puts in their place once the test is set up."""

import pytest

from tests.plugin.test_turns_of_bodies import turns
from tests.support.project import Project

ROWS = [{"id": each, "input": each} for each in "abcd"]
LAZY = """
import pytest

class Lazy:
    def __init__(self, name):
        self.name = name

@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(request):
    value = getattr(request, "param", None)
    if isinstance(value, Lazy):
        request.param = request.getfixturevalue(value.name)
    elif isinstance(value, (list, dict)) and value:
        (named,) = value.values() if isinstance(value, dict) else value
        request.param = request.getfixturevalue(named.name)
"""
"""A stand-in for pytest-lazy-fixtures."""


@pytest.mark.parametrize("given", ["Lazy('polite')", "[Lazy('polite')]", "{'style': Lazy('polite')}"])
def test_a_body_with_one_waits_for_its_turn(project: Project, given: str) -> None:
    """Ahead of it the body would get what stands for the fixture. Those with other values run ahead."""
    project.write(
        lazily_py=LAZY,
        conftest_py="import pytest\n\n@pytest.fixture\ndef polite():\n    return 'polite'\n",
        evals__test_echo_py=f"""
        import pytest
        from lazily import Lazy

        @pytest.mark.parametrize("style", [pytest.param({given}, id="lazy"), "plain"])
        @pytest.mark.llmeval({ROWS})
        async def test_echo(sample, model, style):
            assert style in ("polite", "plain")
            assert (await model.generate(style)).text == style
        """,
    )
    project.pytester.syspathinsert()
    result = project.run("evals", "-p", "lazily", "-p", "no:xdist")
    assert result.ret == 0, result.stdout.str()
    assert turns(result).startswith("4 ran ahead, 4 in their turn (parameter 'style' is made for each test: 4)")
