"""Sessions with workers as forks of one process, which has imported what each of them would.

Python, pytest, its plugins and this package take more of a second in each process of xdist's than all that most tests
do there. What a session is told, where it reads and writes and how it ends is its own all the same.
"""

import atexit
import contextlib
import gc
import inspect
import io
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, NoReturn

from tests.support.installed import read_once

__all__ = ["Nursery"]

_SOCKET = "TESTS_NURSERY"
"""The variable that names where a nursery listens; only its forks have it."""
_OF_PYTHON = ("PYTHON", "LC_", "LANG")
"""How variables begin that Python reads when it starts, as a fork does not; PYTHONPATH a fork can make up for."""
_SETTINGS = ("PYTEST_", "LLMEVAL_")
"""How variables begin that a test may have set for the session that it starts: the nursery is for all of them."""
_ROOT = Path(__file__).resolve().parents[2]
_MOST = 1 << 20
_OPTIONS = ("-p", "no:asyncio", "-p", "no:anyio", "-p", "no:hypothesispytest")

Role = Literal["session", "worker"]


class Nursery:
    """Starts sessions; its process begins with the first of them and ends with this one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None
        self._alike = _read_by_python()

    def is_alike(self) -> bool:
        """Whether a Python that starts now would start as the nursery did."""
        return self._alike == _read_by_python()

    def popen(
        self,
        command: Sequence[str | os.PathLike[str]],
        stdout: IO[str],
        stderr: IO[str],
        stdin: object = None,
    ) -> "Fork":
        """Start ``python -mpytest ARGUMENTS`` in this process' folder and environment, as pytester's method does."""
        environ = {**os.environ, _SOCKET: self._listening()}
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH", "")]))
        with open(os.devnull, "rb") as nothing:
            return Fork(
                "session", [os.fspath(argument) for argument in command[2:]], environ, [nothing, stdout, stderr]
            )

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._folder is not None:
            self._process.communicate()
            Path(self._folder, "socket").unlink()
            Path(self._folder).rmdir()

    def _listening(self) -> str:
        if self._process is None:
            self._folder = tempfile.mkdtemp(prefix="nursery-", dir="/tmp")  # the path of a socket must be short
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, f"{self._folder}/socket"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=_ROOT,
                env={name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)},
            )
            assert self._process.stdout is not None
            assert self._process.stdout.readline() == b"ready\n", "the nursery did not start"
        return f"{self._folder}/socket"


def _read_by_python() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_OF_PYTHON) and name != "PYTHONPATH"}


class Fork:
    """A process that a nursery started, as far as pytester and execnet ask for one."""

    stdin: Any = None
    stdout: Any = None

    def __init__(self, role: Role, arguments: list[str], environ: Mapping[str, str], streams: Sequence[Any]) -> None:
        self.returncode: int | None = None
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.connect(environ[_SOCKET])
        told = {"role": role, "arguments": arguments, "environ": dict(environ), "cwd": os.getcwd()}
        socket.send_fds(self._line, [json.dumps(told).encode()], [stream.fileno() for stream in streams])
        self.pid = int(self._line.recv(_MOST))

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit status, as soon as it has one."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            self.returncode = int(self._line.recv(_MOST))
            self._line.close()
        return self.returncode

    def kill(self) -> None:
        """End it at once."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def _worker(command: Sequence[str]) -> Fork:
    """Start what execnet starts with Popen, with pipes for what it reads and writes."""
    theirs, stdin = os.pipe()
    stdout, ours = os.pipe()
    with open(theirs, "rb") as reads, open(ours, "wb") as writes:
        found = Fork("worker", list(command), os.environ, [reads, writes, sys.__stderr__])
    found.stdin, found.stdout = os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb")
    return found


def _session(arguments: list[str]) -> None:
    from execnet import gateway_base, gateway_io

    started = gateway_io.Popen2IOMaster.__init__

    def start(self: Any, args: list[str], execmodel: Any) -> None:
        if args[0] != sys.executable:
            started(self, args, execmodel)
            return
        self.popen = _worker(args[1:])
        gateway_base.Popen2IO.__init__(self, self.popen.stdin, self.popen.stdout, execmodel=execmodel)

    gateway_io.Popen2IOMaster.__init__ = start  # type: ignore[method-assign]
    sys.argv = ["pytest", *arguments]
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)


def _as_worker(arguments: list[str]) -> None:
    sys.argv = ["-c"]
    exec(arguments[-1], {"__name__": "__main__"})


def _import_all() -> None:
    """Import what a session does, within one: pytest looks at the plugins that it imports, and rewrites them."""
    import pytest

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        os.chdir(folder)
        Path("rows.jsonl").write_text('{"id": "a", "input": "x"}\n')
        Path("test_a.py").write_text('import pytest\n\n@pytest.mark.llmeval("rows.jsonl")\ndef test_a(case): ...\n')
        pytest.main(["--co", "-n0", *_OPTIONS], plugins=[_Imports()])
        os.chdir(_ROOT)
    del sys.modules["test_a"]
    inspect.getmodule(compile("", "of no module", "exec"))  # it keeps all modules' files, for the first traceback


class _Imports:
    def pytest_collection_finish(self) -> None:
        from tests.support.asking import ask_model
        from tests.support.fault_server import FaultServer
        from tests.support.imports import load_all

        load_all()
        with FaultServer() as server:
            ask_model(server.spec("warm-up"))


def _serve(path: str) -> Callable[[], None] | None:
    """Fork for each request; return what a fork is to do, and None here, once nobody can ask any more."""
    base = [entry for entry in sys.path[1:] if entry not in os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    os.write(1, b"ready\n")
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        while 0 not in (ready := {key.fd: key for key, _ in selector.select()}):
            for key in ready.values():
                if key.data:
                    selector.unregister(key.fd)
                    _tell_end(key.fd, *key.data)
                    continue
                line, _ = listener.accept()
                told, streams, _, _ = socket.recv_fds(line, _MOST, 3)
                pid = os.fork()
                if pid == 0:
                    for other in selector.get_map().values():
                        if other.data:
                            os.close(other.fd)
                            other.data[1].close()
                    listener.close()
                    line.close()
                    return _forked(json.loads(told), streams, base)
                for stream in streams:
                    os.close(stream)
                with contextlib.suppress(BrokenPipeError):
                    line.send(str(pid).encode())
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, line))
    return None


def _tell_end(ended: int, pid: int, line: socket.socket) -> None:
    """Tell whoever asked for a process how it ended."""
    os.close(ended)
    with line, contextlib.suppress(BrokenPipeError):
        line.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _forked(request: Mapping[str, Any], streams: Sequence[int], base: Sequence[str]) -> Callable[[], None]:
    """Return what is to be done in a process of its own."""
    _become(request, streams, base)
    role = _session if request["role"] == "session" else _as_worker
    return lambda: role(request["arguments"])


def _become(request: Mapping[str, Any], streams: Sequence[int], base: Sequence[str]) -> None:
    """Take on folder, environment and streams as a process does that begins."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    tempfile.tempdir = None
    first = request["cwd"] if request["role"] == "session" else ""
    sys.path[:] = [first, *request["environ"].get("PYTHONPATH", "").split(os.pathsep), *base]
    is_worker = request["role"] == "worker"  # which Python is started for with -u
    written = io.FileIO(1, "w", closefd=False)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = io.TextIOWrapper(written if is_worker else io.BufferedWriter(written), write_through=is_worker)
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, f"__{name}__", getattr(sys, name))


def _end_by(to_do: Callable[[], None]) -> NoReturn:
    """Do it and end as Python does, but for taking all modules apart: that would copy each page of a fork."""
    status = 1
    try:
        to_do()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(bool(error.code))
    threading._shutdown()  # type: ignore[attr-defined]  # what Python does first, too
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    with read_once():
        _import_all()
        gc.collect()
        gc.freeze()
        to_do = _serve(sys.argv[1])
        if to_do:
            _end_by(to_do)
