"""How a server starts, fails to, and ends: with all its processes, whatever happens to the owner."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.vllm import server as server_module
from pytest_llmeval.models.vllm.host import VllmModels
from pytest_llmeval.models.vllm.server import VllmServer
from tests.models.vllm.test_command import start, weights_of
from tests.support.fake_vllm import FakeVllm
from tests.support.sessions import wait_until


def server_of(models: VllmModels, spec: object) -> VllmServer:
    server = models.server(weights_of(str(spec)))
    assert server is not None
    return server


def test_stop_ends_it_with_its_workers_and_its_log(fake: FakeVllm, models: VllmModels, base: Path) -> None:
    """At once, and it can be repeated."""
    start(models, str(base))
    server = server_of(models, base)
    log = server.log
    assert len(fake.running()) == 3 and "loading" in log.read_text()
    begin_s = time.monotonic()
    models.stop()
    models.stop()
    fake.assert_none_is_left()
    assert not log.exists()
    assert server.end is None  # by itself
    assert time.monotonic() - begin_s < 5


def test_one_that_is_deaf_is_killed(
    fake: FakeVllm, models: VllmModels, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "STOP_TIMEOUT_S", 0.3)
    fake.fails("stubborn")
    start(models, str(base))
    models.stop()
    fake.assert_none_is_left()


def test_a_keeper_that_was_killed_leaves_nobody(fake: FakeVllm, models: VllmModels, base: Path) -> None:
    start(models, str(base))
    os.kill(fake.starts[0]["keeper"], signal.SIGKILL)
    server = server_of(models, base)
    wait_until(lambda: server.end, "its end is noticed")
    assert server.end == "the process that kept it was killed"
    models.stop()
    fake.assert_none_is_left()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_keeper_that_is_told_to_end_ends_all(fake: FakeVllm, models: VllmModels, base: Path, number: int) -> None:
    start(models, str(base))
    os.kill(fake.starts[0]["keeper"], number)
    fake.assert_none_is_left()


def test_workers_do_not_outlive_a_server_that_ended(fake: FakeVllm, models: VllmModels, base: Path) -> None:
    """Its log stays, for whoever wants to know why."""
    start(models, str(base))
    os.kill(fake.starts[0]["pids"][0], signal.SIGKILL)
    fake.assert_none_is_left()
    server = server_of(models, base)
    assert server.end == "it was ended by SIGKILL"
    models.stop()
    assert server.log.exists()


FAILURES = [
    ("no-gpu", r"vLLM finds no GPU that it can use here \(it ended with status 1\)"),
    ("no-bnb", r"pip install vllm-bnb-plugin"),
    ("port-taken", r"another program took the port in the meantime; start the session again"),
    ("no-ninja", r"vLLM compiles kernels when it starts, and here is not all that it needs for that"),
    ("engine", r"try \?max_model_len=… \((?s:.*)ValueError: No available(?s:.*)RuntimeError: Engine core"),
    ("dies", r"vLLM did not start \(it ended with status 3\)"),
    ("slow", r"it was not healthy within 5 s; --llmeval-vllm-start-s gives it more"),
    ("others", r"it does not serve '.*base\?load=4bit', but \['another'\]"),
]


@pytest.mark.parametrize(("how", "message"), FAILURES, ids=[how for how, _ in FAILURES])
def test_a_start_that_fails_says_why_and_leaves_only_its_log(
    fake: FakeVllm, models: VllmModels, base: Path, how: str, message: str
) -> None:
    """With vLLM's last words, and those of its engine's process, which stand before a long traceback."""
    fake.fails(how)
    with pytest.raises(ModelError, match=message) as caught:
        models.start([weights_of(f"{base}?load=4bit")], lambda line: None, timeout_s=5 if how == "slow" else 20)
    first, *said = str(caught.value).splitlines()
    assert first.startswith(f"vllm:{base}?load=4bit: vLLM did not start")
    assert said[0].startswith("    (EngineCore" if how == "engine" else "    INFO loading the model")
    assert len(said) < 25
    log = Path(first.rpartition("The last lines of ")[2].rstrip(":"))
    assert "loading" in log.read_text()
    fake.assert_none_is_left()


NO_LISTS = ['["base"]', '"base"', "null", '{"data": [7]}', '{"data": 7}', "{}", "<html>Hello</html>"]


@pytest.mark.parametrize("body", NO_LISTS)
def test_what_is_no_list_of_models_is_told_with_its_address(
    fake: FakeVllm, models: VllmModels, base: Path, body: str
) -> None:
    """As from another program, that came to the port first and calls itself healthy."""
    fake.fails(f"lists-{body}")
    with pytest.raises(ModelError) as caught:
        start(models, str(base))
    said = repr(body if body.startswith("<") else json.loads(body))
    address = f"http://127.0.0.1:{fake.starts[0]['port']}/v1/models"
    told = f"({address} does not list its models: status 200, {said}; does another program answer there?)"
    assert told in str(caught.value).splitlines()[0]


def test_a_port_that_was_taken_meanwhile_is_not_the_end(fake: FakeVllm, models: VllmModels, base: Path) -> None:
    """Some seconds lie between its choice and the time at which vLLM listens; once more is tried."""
    fake.fails("port-taken-once")
    lines = start(models, str(base))
    assert [line.split(" (log")[0] for line in lines[1:-1]] == [
        "another program took the port of vLLM; it starts once more"
    ]
    assert fake.starts[0]["port"] != fake.starts[1]["port"]
    assert server_of(models, base).ask("/v1/models") is not None


def test_an_executable_that_cannot_be_run_is_said(fake: FakeVllm, models: VllmModels, base: Path) -> None:
    fake.path.write_text("#!/no/such/interpreter\n")
    with pytest.raises(ModelError, match=r"vllm --version: .*No such file"):
        start(models, str(base))


def test_a_second_server_that_fails_ends_the_first(fake: FakeVllm, models: VllmModels, base: Path) -> None:
    fake.fails("no-bnb")
    with pytest.raises(ModelError, match="load=4bit: vLLM did not start"):
        start(models, str(base), f"{base}?load=4bit")
    assert len(fake.starts) == 2
    fake.assert_none_is_left()


def test_an_interrupted_start_leaves_nothing(fake: FakeVllm, models: VllmModels, base: Path, tmp_path: Path) -> None:
    """Ctrl-C while it loads."""

    def interrupt(line: str) -> None:
        wait_until(lambda: fake.starts, "it runs")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        models.start([weights_of(str(base))], interrupt, timeout_s=20)
    fake.assert_none_is_left()
    assert list((tmp_path / "logs").iterdir()) == []


OWNER = """
    import os, signal, subprocess, sys, time
    from pytest_llmeval.models.vllm.host import VllmModels
    from pytest_llmeval.models.weights_spec import WeightsSpec
    models = VllmModels(os.environ)
    models.start([WeightsSpec(kind="vllm", base=sys.argv[1])], lambda line: None, timeout_s=20)
    if os.fork() == 0:  # a fork holds the pipe to the keeper open
        time.sleep(60)
        os._exit(0)
    print("up", flush=True)
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
def test_it_dies_with_its_owner(fake: FakeVllm, base: Path, how: str) -> None:
    """However the owner ends, all processes are gone soon, also while a fork of the owner lives."""
    command = [sys.executable, "-c", textwrap.dedent(OWNER), str(base), how]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    assert owner.stdout is not None
    try:
        assert owner.stdout.readline() == b"up\n"
        if how.startswith("SIG"):
            assert len(fake.running()) == 3
            owner.send_signal(getattr(signal, how))
        fake.assert_none_is_left(10)
    finally:
        os.killpg(owner.pid, signal.SIGKILL)
        owner.wait()
        owner.stdout.close()
