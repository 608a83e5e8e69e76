"""llmeval view and llmeval export html, as commands."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.stored_runs import run


@contextmanager
def viewing(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Give the command in a process of its own, and the first line that it printed."""
    command = [str(Path(sys.executable).with_name("llmeval")), "view", *arguments]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    assert running.stdout is not None
    try:
        yield running, running.stdout.readline()
    finally:
        running.kill()
        running.communicate()


def fetched(address: str) -> str:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return str(answer.read().decode("utf-8"))


def test_the_command_prints_where_the_pages_are_and_ends_with_ctrl_c(recorded: SqliteStore, here: Path) -> None:
    with viewing("--port", "0") as (running, line):
        address = line.split(" ", 1)[0]
        assert address.startswith("http://127.0.0.1:") and "llmeval.db" in line and "Ctrl-C" in line
        assert "nightly" in fetched(address)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=20)
    assert (running.returncode, out, err) == (0, "", "")


def test_a_taken_port_is_said_and_without_one_another_is_found(recorded: SqliteStore, llmeval: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = llmeval("view", "--port", port)
        assert done.status == 4 and f"127.0.0.1, port {port}: cannot be listened on" in done.err
    with viewing() as (_, first), viewing("--json") as (other, _):
        assert other.poll() is None and first.startswith("http://127.0.0.1:")


def test_the_address_comes_as_json(recorded: SqliteStore, here: Path) -> None:
    with viewing("--port", "0", "--json") as (running, line):
        assert running.stdout is not None
        told = json.loads(line + running.stdout.readline() + running.stdout.readline())
        assert "nightly" in fetched(told["url"])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.com"])
def test_other_machines_are_let_in_only_where_it_is_said(recorded: SqliteStore, llmeval: Command, host: str) -> None:
    done = llmeval("view", "--host", host)
    assert done.status == 4 and "--allow-remote" in done.err


def test_a_warning_comes_with_it(recorded: SqliteStore, here: Path) -> None:
    with viewing("--host", "0.0.0.0", "--allow-remote", "--port", "0") as (running, line):
        assert line.startswith("http://0.0.0.0:")
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=20)
    assert "warning: anyone who reaches this address" in err


def test_files_are_written(recorded: SqliteStore, llmeval: Command, here: Path) -> None:
    done = llmeval("view", "--export", "out")
    assert (done.status, done.out) == (0, f"{os.path.join('out', 'index.html')}: 1 run in 6 files\n")
    assert "nightly" in (here / "out" / "index.html").read_text("utf-8")
    assert llmeval("view", "--export", "out", "--cases", "1", "--json").json() == {
        "output": "out",
        "runs": [run().id],
        "files": 5,
    }


def test_a_run_is_written_as_one_page(recorded: SqliteStore, llmeval: Command, here: Path) -> None:
    done = llmeval("export", "html", "nightly", "--output", "run.html")
    text = (here / "run.html").read_text("utf-8")
    assert done.out.startswith(f"run.html: run {run().id}, ") and text.startswith("<!doctype html>")
    assert "1 of 2 cases stand here" in llmeval("export", "html", "--cases", "1").out
    assert llmeval("export", "html").out == text


def test_what_is_not_installed_is_said(
    recorded: SqliteStore, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jinja2" else found(name))
    for command in (("view",), ("view", "--export", "out"), ("export", "html")):
        done = llmeval(*command)
        assert done.status == 4 and "needs jinja2: pip install 'pytest-llmeval[view]'" in done.err


def test_a_folder_without_a_database_is_said(here: Path, llmeval: Command) -> None:
    assert llmeval("view").status == 4


def test_ctrl_c_is_minded_as_soon_as_the_address_is_told(here: Path) -> None:
    """An interrupt that Python raises wherever it is may be lost in what is called back as an object dies."""
    script = """
    import os, signal, threading
    from pytest_llmeval.view.serving import serve

    def ready(address):
        handler = signal.getsignal(signal.SIGINT)
        print(handler is signal.default_int_handler, threading.current_thread() is threading.main_thread())
        os.kill(os.getpid(), signal.SIGINT)

    async def app(scope, receive, send):
        assert scope["type"] == "lifespan"
        for each in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{each}.complete"})

    serve(app, "127.0.0.1", 0, ready=ready)
    print("ended")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "False False\nended\n", "")
