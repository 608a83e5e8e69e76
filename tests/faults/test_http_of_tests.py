"""Tests that put something in the place of an HTTP client or forbid connections: calls of evals go out all the same."""

import pytest

from tests.support.project import Project

ROWS = [{"id": f"r{n}", "input": f"q{n}"} for n in range(12)]
TEXTS = sorted(row["input"] for row in ROWS)
CASSETTE = """
    import pytest
    {client}

    @pytest.fixture
    def cassette(monkeypatch):
        '''Record what is sent, as vcrpy does.'''
        send = getattr(holder, name)

        async def recorded(*args, **kwargs):
            with open("cassette", "a", encoding="utf-8") as file:
                print(*args[1:], file=file)
            return await send(*args, **kwargs)

        monkeypatch.setattr(holder, name, recorded)
"""
CLIENTS = {
    "lean": "from aiohttp import ClientSession as holder; name = '_request'",
    "sdk": "from httpx2 import AsyncHTTPTransport as holder; name = 'handle_async_request'",
}
BLOCKING = """
    import pytest

    @pytest.fixture
    def no_sockets(monkeypatch):
        def blocked(*args, **kwargs):
            with open("blocked", "a", encoding="utf-8") as file:
                print("once", file=file)
            raise RuntimeError("a test tried to use a socket")

        monkeypatch.setattr("socket.socket", blocked)
"""
BESIDE = """
    import time
    from pathlib import Path

    def test_unit({fixture}):
        start = time.monotonic()
        time.sleep({seconds})
        Path("beside").write_text(f"{{start}} {{time.monotonic()}}")
"""


@pytest.mark.parametrize(("transport", "workers"), [("lean", "-n0"), ("sdk", "-n0"), ("lean", "-n2")])
def test_no_cassette_of_a_test_holds_a_call_of_an_eval(project: Project, transport: str, workers: str) -> None:
    """It would be a file with the key in it, and in the next session the answer.

    Nor does that of a case which makes the first call of its session: the client is there before any test runs.
    """
    project.eval("def test_a(model, cassette):\n    model.generate_sync()\n", [{"id": "a", "input": "first"}], name="a")
    project.eval("def test_c(sample, response):\n    assert response.text == sample.input\n", ROWS, name="c")
    project.write(
        conftest_py=CASSETTE.format(client=CLIENTS[transport]),
        evals__test_b_py=BESIDE.format(fixture="cassette", seconds=0.5),
    )
    arguments = ("--rpm=300", f"--llmeval-transport={transport}", workers)
    result = project.run("evals", *arguments, fresh=True)
    result.assert_outcomes(passed=14)
    assert not (project.root / "cassette").exists()
    start, end = map(float, (project.root / "beside").read_text("utf-8").split())
    assert workers == "-n2" or any(start < entry.time_s < end for entry in project.server.ledger)
    assert sorted(entry.body["messages"][-1]["content"] for entry in project.server.ledger) == ["first", *TEXTS]


@pytest.mark.parametrize("transport", ["lean", "sdk"])
def test_a_call_for_which_a_test_leaves_no_socket_is_tried_again(project: Project, transport: str) -> None:
    """As with pytest-socket, and pytest-recording's ``block_network``: the row is not lost for it."""
    project.eval("def test_a(sample):\n    pass\n", ROWS[:1], name="a")  # its turn begins the calls
    project.eval("def test_c(sample, response):\n    assert response.text == sample.input\n", ROWS[:6], name="c")
    project.write(conftest_py=BLOCKING, evals__test_b_py=BESIDE.format(fixture="no_sockets", seconds=0.7))
    model = project.server.spec("fault-close-1")  # so that each row needs another connection
    result = project.run("evals", "--rpm=300", f"--llmeval-transport={transport}", model=model, inside=False)
    result.assert_outcomes(passed=8)
    assert (project.root / "blocked").exists()
    assert "engine broke" not in result.stdout.str()
