"""Sessions, their workers and the command as forks of one process, which has imported what each of them would.

Python, pytest, its plugins and this package take more of a second in each process than all that most tests do there.
What a process is told, where it reads and writes and how it ends is its own all the same.
"""

import atexit
import contextlib
import functools
import gc
import inspect
import io
import json
import os
import runpy
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tests.support.installed import read_once

__all__ = ["Nursery"]

_OF_PYTHON = ("PYTHON", "LC_", "LANG")
"""How variables begin that Python reads when it starts, as a fork does not; PYTHONPATH a fork can make up for."""
_SETTINGS = ("PYTEST_", "LLMEVAL_")
"""How variables begin that a test may have set for the session that it starts: the nursery is for all of them."""
_ROOT = Path(__file__).resolve().parents[2]
_MOST = 1 << 20
_OPTIONS = ("-p", "no:asyncio", "-p", "no:anyio", "-p", "no:hypothesispytest")
_MODULES = ("pytest", "pytest_llmeval.bridge.config.probe")
_PROGRAMS: dict[tuple[str, ...], str] = {
    ("-mpytest",): "pytest",
    **{("-m", name): name for name in _MODULES},
    ("-u", "-c"): "worker",
}
"""How arguments of Python begin that a fork can do as well, and what it then does."""


class Nursery:
    """Starts processes that are forks of its own; that one begins with the first of them and ends with this one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """What ``subprocess`` starts is a fork, where it is a session, a worker or the command ``llmeval``."""
        import pytest

        if self._process is None:
            self._start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(subprocess, "Popen", Fork)
            yield

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._folder is not None:
            self._process.communicate()
            Path(self._folder, "socket").unlink()
            Path(self._folder).rmdir()

    def _start(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="nursery-", dir="/tmp")  # the path of a socket must be short
        Fork.address, Fork.alike = f"{self._folder}/socket", _read_by_python(os.environ)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, Fork.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n", "the nursery did not start"


def _read_by_python(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(_OF_PYTHON) and name != "PYTHONPATH"}


class Fork(subprocess.Popen[Any]):
    """A process as ``subprocess`` starts it, by a nursery where that does the same."""

    address = ""
    """The socket of the nursery."""
    alike: Mapping[str, str] = {}
    """What Python read of the environment there."""
    _line: socket.socket | None = None

    def _execute_child(self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, *others: Any) -> None:
        pass_fds, cwd, environ, _, _, shell, *pipes = others[:12]
        environ = dict(os.environ if environ is None else environ)
        is_leader, group = others[-2:]
        program, arguments = _program(args)
        is_plain = not (preexec_fn or pass_fds or shell or executable) and _read_by_python(environ) == self.alike
        has_workers = any(argument.startswith("-n") and argument != "-n0" for argument in arguments)
        if program is None or not is_plain or (is_leader and has_workers):  # they would be of another group
            super()._execute_child(args, executable, preexec_fn, close_fds, *others)  # type: ignore[misc]
            return
        told = {
            "program": program,
            "arguments": arguments,
            "environ": environ,
            "cwd": os.path.abspath(cwd or "."),
            "is_leader": is_leader,
            "group": os.getpgrp() if group is None or group < 0 else group,
        }
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.connect(self.address)
        streams = [own if pipe == -1 else pipe for own, pipe in enumerate((pipes[0], pipes[3], pipes[5]))]
        socket.send_fds(self._line, [json.dumps(told).encode()], streams)
        self.pid = int(self._line.recv(_MOST))
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def _try_wait(self, flags: int) -> tuple[int, int]:
        if self._line is None:
            found: tuple[int, int] = super()._try_wait(flags)  # type: ignore[misc]
            return found
        self._line.setblocking(not flags)
        try:
            status = int(self._line.recv(_MOST))
        except BlockingIOError:
            return 0, 0
        self._line.close()
        return self.pid, status

    def _internal_poll(self, *arguments: Any, **options: Any) -> int | None:
        if self._line is None:
            status: int | None = super()._internal_poll(*arguments, **options)  # type: ignore[misc]
            return status
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._wait(0)  # type: ignore[attr-defined]
        return self.returncode


def _program(command: Any) -> tuple[str | None, list[str]]:
    """Return which of them a command is, with the arguments that it gets; None where it is another."""
    if isinstance(command, str | os.PathLike):
        return None, []
    first, *arguments = (os.fspath(argument) for argument in command)
    if first == str(Path(sys.executable).with_name("llmeval")):
        return "llmeval", arguments
    for beginning, program in _PROGRAMS.items():
        if first == sys.executable and tuple(arguments[: len(beginning)]) == beginning:
            return program, arguments[len(beginning) :]
    return None, []


def _module(name: str, arguments: list[str]) -> None:
    sys.argv = [name, *arguments]
    if not hasattr(sys.modules.get(name), "__path__"):
        sys.modules.pop(name, None)  # runpy warns of a module that was imported
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _llmeval(arguments: list[str]) -> None:
    from pytest_llmeval.cli import main

    sys.argv = ["llmeval", *arguments]
    main()


def _worker(arguments: list[str]) -> None:
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

        load_all("cli")
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
        line.send(str(os.waitpid(pid, 0)[1]).encode())


def _forked(request: Mapping[str, Any], streams: Sequence[int], base: Sequence[str]) -> Callable[[], None]:
    """Return what is to be done in a process of its own."""
    if request["is_leader"]:
        os.setsid()
    else:
        with contextlib.suppress(PermissionError):  # that of another session
            os.setpgid(0, request["group"])
    _become(request, streams, base)
    program, arguments = request["program"], request["arguments"]
    do = {"worker": _worker, "llmeval": _llmeval}.get(program, functools.partial(_module, program))
    return functools.partial(do, arguments)


def _become(request: Mapping[str, Any], streams: Sequence[int], base: Sequence[str]) -> None:
    """Take on folder, environment and streams as a process does that begins."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    tempfile.tempdir = None
    first = {"worker": "", "llmeval": str(Path(sys.executable).parent)}.get(request["program"], request["cwd"])
    sys.path[:] = [first, *request["environ"].get("PYTHONPATH", "").split(os.pathsep), *base]
    is_worker = request["program"] == "worker"  # which Python is started for with -u
    written = io.FileIO(1, "w", closefd=False)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = io.TextIOWrapper(written if is_worker else io.BufferedWriter(written), write_through=is_worker)
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, f"__{name}__", getattr(sys, name))
    subprocess.Popen = Fork  # type: ignore[misc]


def _end_by(to_do: Callable[[], None]) -> NoReturn:
    """Do it and end as Python does, but for taking all modules apart: that would copy each page of a fork."""
    status = 1
    try:
        to_do()
        status = 0
    except SystemExit as error:
        if not isinstance(error.code, int | None):
            raise  # Python prints it
        status = error.code or 0
    threading._shutdown()  # type: ignore[attr-defined]  # what Python does first, too
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    Fork.address, Fork.alike = sys.argv[1], _read_by_python(os.environ)
    with read_once():
        gc.disable()  # all that is imported stays
        _import_all()
        gc.collect()
        gc.freeze()
        gc.enable()
        to_do = _serve(sys.argv[1])
        if to_do:
            _end_by(to_do)
