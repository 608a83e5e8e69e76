"""Tests that patch what Python itself is made of: answers come and are kept as ever, and each is asked for once."""

import pytest

from tests.support.project import Project

ROWS = [{"id": each, "input": each} for each in "abc"]


@pytest.mark.parametrize(
    "patched",
    [
        "'os.path.exists', return_value=False",
        "'os.stat', side_effect=FileNotFoundError",
        "'json.loads', return_value={}",
        "'json.dumps', return_value='{}'",
    ],
    ids=["exists", "stat", "loads", "dumps"],
)
def test_an_answer_is_kept_whatever_a_test_patches(project: Project, spread: list[str], patched: str) -> None:
    project.eval(
        f"""
        def test_echo(sample, model):
            with mock.patch({patched}):
                reply = model.generate_sync()
            assert reply.text == sample.input

        from unittest import mock
        """,
        ROWS,
    )
    result = project.run("evals", *spread, inside=False)
    assert result.ret == 0, result.stdout.str()
    assert sorted(entry.body["messages"][-1]["content"] for entry in project.server.ledger) == ["a", "b", "c"]
    assert sorted(row["response"] for row in project.rows("SELECT response FROM calls")) == ["a", "b", "c"]


def test_a_worker_takes_no_patched_look_at_files_for_the_end_of_another(project: Project) -> None:
    """A body that patches it runs while the bodies behind it are started."""
    project.eval(
        """
        async def test_echo(sample, model):
            with helpers.files_everywhere():
                await asyncio.sleep(0.2)
            assert (await model.generate()).text == sample.input

        import asyncio
        import helpers
        """,
        [{"id": f"r{n:02}", "input": f"q{n:02}"} for n in range(20)],
    )
    project.write(
        evals__helpers_py="""
            from unittest import mock

            def files_everywhere():
                return mock.patch("pathlib.Path.exists", return_value=True)
        """
    )
    result = project.run("evals", "-n2", "--max-connections=1")
    assert result.ret == 0, result.stdout.str()
    assert "a worker died" not in result.stdout.str()
