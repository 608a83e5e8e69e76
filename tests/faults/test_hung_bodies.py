"""Bodies of async evals that hang or block: what a time limit of pytest-timeout ends, and whom it names."""

import time

from tests.support.project import Project

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
        "async def test_late(sample, model):\n    __import__('time').sleep(9)\n    await model.generate()\n",
        ROWS[:1],
        name="late",
    )
    project.run("evals", "--timeout=3", "-p", "no:xdist", inside=False, fresh=True)
    (case,) = project.rows("SELECT error_kind, error FROM cases WHERE suite = 'echo'")
    assert case["error_kind"] == "timeout"
    assert "evals/test_late.py::test_late[r0] holds the event loop of all bodies" in case["error"]
