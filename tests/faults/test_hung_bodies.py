"""Bodies of async evals that hang, block or end the loop of all: what ends them, and whom it names."""

import time
from typing import Any

from tests.support.project import Project
from tests.support.sessions import Session, wait_until

ROWS = [{"id": f"r{n}", "input": f"q{n}", "target": f"q{n}"} for n in range(3)]


def test_a_thread_that_hangs_holds_no_session(project: Project) -> None:
    """An application without a timeout, from an async body: its case ends by pytest-timeout, and the process too.

    What another body left to a thread has some seconds to come to its end.
    """
    project.eval(
        """
        async def test_echo(sample):
            import asyncio
            import pathlib
            import time

            def send():
                time.sleep(5.5)
                pathlib.Path("sent").touch()

            if sample.id == "r2":
                asyncio.get_running_loop().run_in_executor(None, send)
            await asyncio.to_thread(time.sleep, 600 if sample.id == "r1" else 0)
        """,
        ROWS,
    )
    start = time.monotonic()
    project.run("evals", "--timeout=3", inside=False, fresh=True)
    assert time.monotonic() - start < 300
    assert (project.root / "sent").exists()
    assert project.rows("SELECT sample_id, error_kind FROM cases WHERE outcome = 'error'") == [
        {"sample_id": "r1", "error_kind": "timeout"}
    ]
    assert project.last_run()["status"] == "finished"


def test_a_time_limit_that_another_body_used_up_names_it(project: Project) -> None:
    """All bodies share an event loop: who blocks it is not who waits."""
    project.eval("async def test_echo(sample, model):\n    await model.generate()\n", ROWS[:1])
    project.eval(
        """
        async def test_late(sample, model):
            import pathlib
            import time

            pathlib.Path("late").touch()
            time.sleep(9)
            await model.generate()
        """,
        ROWS[:1],
        name="late",
    )

    def reply(messages: list[dict[str, Any]]) -> str:
        wait_until((project.root / "late").exists, "the loop is held")
        return "x"

    project.server.reply = reply
    project.run("evals", "--timeout=3", "-p", "no:xdist", inside=False, fresh=True)
    (case,) = project.rows("SELECT error_kind, error FROM cases WHERE suite = 'echo'")
    assert case["error_kind"] == "timeout"
    assert "evals/test_late.py::test_late[r0] holds the event loop of all bodies" in case["error"]


def test_a_body_that_blocks_holds_up_no_call(project: Project) -> None:
    """Neither a time limit nor a latency is that of another case's body."""
    project.eval(
        """
        async def test_echo(sample, model):
            await model.generate()
            __import__("time").sleep(2.5)
            await model.generate("again")
        """,
        ROWS,
    )
    result = project.run("evals", "--timeout-s=2", inside=False)
    assert result.ret == 0, result.stdout.str()
    (slowest,) = project.rows("SELECT max(latency_s) AS s FROM calls")
    assert slowest["s"] < 1.8


def test_a_task_that_ends_the_loop_of_all_bodies_leaves_no_case_waiting(project: Project) -> None:
    """Those that were handed over meanwhile, and began no step, are errors, as their bodies were given up."""
    project.eval(
        """
        async def test_a(sample, model):
            import asyncio
            import pathlib
            import sys
            import time

            async def leave():
                sys.exit(3)

            task = asyncio.create_task(leave())
            while not pathlib.Path("answered").exists():
                time.sleep(0.01)
            time.sleep(0.5)
            await asyncio.sleep(5)
        """,
        [{"id": "a", "input": "a"}],
        name="a",
    )
    # One that was handed over before the first body ran has its turn before the task; it is given up as it waits.
    project.eval("async def test_echo(response):\n    import asyncio\n    await asyncio.sleep(5)\n", ROWS)
    with Session(project, "-p", "no:xdist", "-W", "ignore") as session:
        wait_until(lambda: len(project.server.ledger) == len(ROWS), "all rows are asked")
        (project.root / "answered").touch()
        assert session.end() == 1, session.text
    told = project.rows("SELECT DISTINCT error FROM cases")
    assert [row["error"].startswith("given up: a task ended the loop") for row in told] == [True], told
    assert project.cases() == dict.fromkeys(("a", *(row["id"] for row in ROWS)), "error")
