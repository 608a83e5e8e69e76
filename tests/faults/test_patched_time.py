"""Tests that stop the clock or skip pauses: calls are timed and end as ever (rows P14, N7, N11)."""

import pytest

from tests.support.project import Project

FROZEN = """
    import asyncio
    import sys
    import time
    from contextlib import contextmanager
    from datetime import datetime
    from unittest import mock

    class Then(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2030, 1, 1, tzinfo=tz)

    def frozen_s():
        return 1893456000.0

    STAND_INS = {id(datetime): Then, **{id(each): frozen_s for each in (time.time, time.monotonic, time.perf_counter)}}

    @contextmanager
    def frozen():
        '''Replace the clocks in every module that has one, as freezegun does, and skip all pauses.'''
        replaced = []
        for module in [module for module in sys.modules.values() if module.__name__.partition(".")[0] != "threading"]:
            for name, value in list(vars(module).items()):
                if id(value) in STAND_INS and module.__name__ != __name__:
                    replaced.append((module, name, value))
                    setattr(module, name, STAND_INS[id(value)])
        try:
            with mock.patch("asyncio.sleep", new=mock.AsyncMock()):
                yield
        finally:
            for module, name, value in replaced:
                setattr(module, name, value)
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("place", ["test", "conftest"])
def test_a_clock_that_a_test_stops_times_no_call(project: Project, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Neither deadlines nor pauses nor latencies go by it, nor what looks whether a job of GitHub's was cancelled.

    Nor by one that a conftest stops, for good, before the first test.
    """
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("PYTHONPATH", str(project.root), prepend=":")
    project.write(frozen_py=FROZEN)
    project.write(
        evals__conftest_py="import frozen\n\nstopped = frozen.frozen()\nstopped.__enter__()" * (place == "conftest"),
        evals__test_echo_py="""
            import pytest

            from frozen import frozen

            @pytest.mark.llmeval([{"id": "a", "input": "x"}])
            def test_echo(model):
                with frozen():
                    model.generate_sync()
        """,
    )
    models = ["fault-status-429-1-after-1", "fault-hang", "echo"]
    arguments = ["--timeout-s=3", *(f"--model={project.server.spec(name)}" for name in models)]
    project.run("evals", *arguments, model="", inside=False, fresh=place == "conftest")
    cases = {row["model"]: row for row in project.rows("SELECT * FROM cases")}
    assert {name: case["error_kind"] for name, case in cases.items()} == {
        "fault-status-429-1-after-1": None,
        "fault-hang": "timeout",
        "echo": None,
    }
    assert all(0 <= case["latency_s"] < 60 and 0 <= case["waited_s"] < 60 for case in cases.values())
    first, second = (entry.time_s for entry in project.server.ledger if entry.model == models[0])
    assert 1.0 <= second - first < 60
    assert "2030" not in str([project.last_run(), cases])
