"""Async bodies started ahead for cases that are skipped in their turn, or whose turn comes in another order."""

import pytest

from tests.support.project import Project

ROWS = [{"id": f"r{n}", "input": f"q{n}"} for n in range(100)]
HOOK = """
import pytest

def pytest_runtest_setup(item):
    if {skips}:
        pytest.skip("not here")
"""
ECHO = "async def test_echo(sample, model):\n    await model.generate()\n"
UNLIKE = """
async def test_echo(model):
    import uuid

    await model.generate(str(uuid.uuid4()))
"""
"""No earlier answer is one to its request."""


def test_a_function_whose_cases_a_hook_skips_is_soon_not_run_ahead(project: Project) -> None:
    project.eval(ECHO, ROWS)
    project.write(conftest_py=HOOK.format(skips="True"))
    project.model = project.server.spec("fault-slow-20")
    result = project.run("evals", "--max-connections=4", "-p", "no:xdist")
    result.assert_outcomes(skipped=100)
    assert len(project.server.ledger) <= 2 * 4 + 8


def test_some_that_are_skipped_keep_no_others_of_their_function_in_their_turn(project: Project) -> None:
    project.eval(ECHO, ROWS)
    project.write(conftest_py=HOOK.format(skips="item.callspec.id.endswith('5')"))
    result = project.run("evals", "--max-connections=4", "-p", "no:xdist")
    result.assert_outcomes(passed=90, skipped=10)
    assert "async bodies: 100 ran ahead" in result.stdout.str()


@pytest.mark.parametrize("how", ["async", "sync"])
def test_items_run_in_any_order(project: Project, how: str) -> None:
    """A plugin may have a loop of its own, which goes through them from behind. No body runs twice."""
    plain = UNLIKE.replace("echo", "plain")
    if how == "sync":
        plain = plain.replace("async ", "").replace("await model.generate", "model.generate_sync")
    project.eval(plain, ROWS[:6], name="a")
    project.eval(UNLIKE, ROWS[:2], name="b")
    project.write(
        conftest_py="""
        def pytest_runtestloop(session):
            for number, item in reversed([*enumerate(session.items)]):
                following = session.items[number - 1] if number else None
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            return True
        """
    )
    result = project.run("evals", "-p", "no:xdist")
    result.assert_outcomes(passed=8)
    assert len(project.server.ledger) == 8
