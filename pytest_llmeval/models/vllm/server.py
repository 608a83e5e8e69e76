"""Start, await, watch and stop one ``vllm serve`` of a session, with all processes that it starts."""

import json
import os
import re
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.text import printable
from pytest_llmeval.models.http.exchange import Reply, exchange, in_words
from pytest_llmeval.models.http.own_server import end_in_words

__all__ = ["PortTakenError", "VllmServer"]

STOP_TIMEOUT_S = 15.0  # more than the keeper gives vLLM
STEP_S = 0.2
TAIL_LINES, TAIL_BYTES = 20, 65536
CAUSES = 3

_PORT_TAKEN = "address already in use"
_ADVICE = (
    (r"infer device type|No CUDA GPUs|no NVIDIA driver", "vLLM finds no GPU that it can use here"),
    (_PORT_TAKEN, "another program took the port in the meantime; start the session again"),
    (
        r"less than desired GPU memory|out of memory",
        "too little GPU memory is free: end what else uses it, or ask for less with ?gpu_memory_utilization=… or"
        " ?max_model_len=…",
    ),
    (
        r"memory for the cache blocks|larger than the available KV cache",
        "its context does not fit into the memory that is left; try ?max_model_len=…",
    ),
    (r"quantization.*bitsandbytes", "since vLLM 0.28 load=4bit needs a plugin beside it: pip install vllm-bnb-plugin"),
    (
        r"directory: '(ninja|nvcc)'|Error: Could not find nvcc|Failed to find C compiler|Python\.h: No such file",
        "vLLM compiles kernels when it starts, and here is not all that it needs for that",
    ),
)
"""Patterns in the log of a failed start, each with an explanation for the user."""
_ERROR = re.compile(r"\w(Error|Exception): ")


class PortTakenError(ModelError):
    """Another program took the port between its choice and the start of vLLM."""


class VllmServer:
    """A running server on a free loopback port.

    One process owns it. Between owner and vLLM runs a keeper (``keeper.py``), in a process session of its own, so that
    Ctrl-C in the terminal is for the owner to handle. The keeper ends vLLM and all its processes when its stdin, a pipe
    that only the owner holds, is closed.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes], port: int, api_key: str, log: Path) -> None:
        self._name = name
        self._process = process
        self._owner = os.getpid()
        self._port = port
        self._end: str | None = None
        self._log = log
        self.api_key = api_key
        """Random key; it appears in no command line."""

    def __repr__(self) -> str:
        return f"VllmServer({self._name!r}, {self.base_url!r})"

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT/v1``."""
        return f"http://127.0.0.1:{self._port}/v1"

    @classmethod
    def start(
        cls,
        command_at: Callable[[int], Sequence[str]],
        *,
        name: str,
        environ: Mapping[str, str],
    ) -> "VllmServer":
        """Start a server and return it while it loads; ``wait`` for it, and ``stop`` it in the end.

        Args:
            command_at: returns the command line that serves on a port.
            name: the served spec, for messages.
            environ: environment of the server. Added to it: the server's key, no telemetry, no downloads, and vLLM's
                folder first on ``PATH``, as it contains the ``ninja`` with which vLLM builds kernels.
        """
        api_key, port = secrets.token_urlsafe(24), _free_port()
        command = command_at(port)
        path = os.pathsep.join(filter(None, [str(Path(command[0]).resolve().parent), environ.get("PATH")]))
        descriptor, log = tempfile.mkstemp(prefix="llmeval-vllm-", suffix=".log")
        own = {"VLLM_API_KEY": api_key, "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "PATH": path}
        # -P keeps the script's folder off the keeper's sys.path.
        keeper = [sys.executable, "-P", str(Path(__file__).with_name("keeper.py"))]
        with os.fdopen(descriptor, "ab") as file:
            process = subprocess.Popen(
                [*keeper, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,
                env={**environ, **own},
            )
        return cls(name, process, port, api_key, Path(log))

    def wait(self, names: Sequence[str], timeout_s: float) -> None:
        """Return once the server is healthy and serves ``names``.

        Raises:
            PortTakenError: vLLM ended because its port was taken.
            ModelError: vLLM ended for another reason, was not healthy in time, or serves other names; the message
                shows the last lines of its log.
        """
        deadline = time.monotonic() + timeout_s
        while (health := exchange(self._port, "/health")) is None or health[0] != 200:
            if self.end is not None:
                raise self._ended(self.end)
            if time.monotonic() > deadline:
                problem = f"it was not healthy within {timeout_s:g} s; --llmeval-vllm-start-s gives it more"
                raise ModelError(self._failure(problem))
            time.sleep(STEP_S)
        served = self._served()
        missing = sorted(set(names) - set(served))
        if missing:
            raise ModelError(self._failure(f"it does not serve {missing[0]!r}, but {served}"))

    def ask(self, path: str, body: dict[str, object] | None = None, timeout_s: float = 5.0) -> Reply | None:
        """Return the reply to a request; None if there is none."""
        return exchange(self._port, path, key=self.api_key, body=body, timeout_s=timeout_s)

    @property
    def end(self) -> str | None:
        """How vLLM ended by itself, in words; None while it runs."""
        assert self._process.stdout is not None
        if self._end is None and not self._process.stdout.closed and _is_readable(self._process.stdout.fileno()):
            self._end = _end_told(self._process.stdout.readline())
        return self._end

    def why_gone(self) -> str | None:
        """Return why the server has ended; None while it runs."""
        return None if self.end is None else f"the server of vLLM is gone: {self.end}; its log is {self.log}"

    @property
    def log(self) -> Path:
        """File of vLLM's output; removed by ``stop``, unless vLLM ended by itself."""
        return self._log

    def stop(self, *, keep_log: bool = False) -> None:
        """End vLLM, wait for it and kill what is left; does nothing when repeated or in a fork of the owner."""
        if os.getpid() != self._owner or self._process.returncode is not None:
            return
        assert self._process.stdin is not None and self._process.stdout is not None
        keep_log |= self.end is not None
        self._process.stdin.close()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while not _has_ended(self._process.pid) and time.monotonic() < deadline:
            time.sleep(STEP_S / 10)
        with suppress(ProcessLookupError):  # the keeper ends its group itself, unless somebody killed it
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()
        if not keep_log:
            self._log.unlink(missing_ok=True)

    def _served(self) -> list[str]:
        """Return the model names that the server lists; raise ModelError if it gives no list."""
        reply = self.ask("/v1/models")
        if reply is not None and reply[0] == 200:
            with suppress(TypeError, KeyError):
                return [str(row["id"]) for row in reply[1]["data"]]
        problem = (
            f"{self.base_url}/models does not list its models: {in_words(reply)}; does another program answer there?"
        )
        raise ModelError(self._failure(problem))

    def _ended(self, end: str) -> ModelError:
        """Return the error of a start during which vLLM ended by itself."""
        is_taken = re.search(_PORT_TAKEN, self._said(), re.IGNORECASE)
        return (PortTakenError if is_taken else ModelError)(self._failure(end))

    def _said(self) -> str:
        """Return the end of the log."""
        with open(self._log, "rb") as file:
            file.seek(max(0, self._log.stat().st_size - TAIL_BYTES))
            return printable(file.read().decode("utf-8", "replace"))

    def _failure(self, problem: str) -> str:
        """Return the hint of a failed start."""
        text = self._said()
        advice = next((words for pattern, words in _ADVICE if re.search(pattern, text, re.IGNORECASE)), None)
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        causes = [line for line in lines[:-TAIL_LINES] if _ERROR.search(line)][:CAUSES]  # from the engine's process
        said = "\n".join(f"    {line}" for line in [*causes, *lines[-TAIL_LINES:]]) or "    (nothing)"
        hint = f": {advice}" if advice else ""
        return f"{self._name}: vLLM did not start{hint} ({problem}). The last lines of {self._log}:\n{said}"


def _free_port() -> int:
    """Return a port of 127.0.0.1 that is free now; vLLM's start fails if another program takes it first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_readable(descriptor: int) -> bool:
    """Return whether a pipe holds data or is closed at its other end."""
    poll = select.poll()  # unlike select(), it takes descriptors above 1023, which a session with many calls has
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _end_told(line: bytes) -> str:
    """Return how vLLM ended, by the line of the keeper, which is empty if the keeper was killed."""
    said = json.loads(line) if line else {"error": "the process that kept it was killed"}
    if "error" in said:
        return str(said["error"])
    return end_in_words(int(said["status"]))


def _has_ended(pid: int) -> bool:
    """Return whether a child has ended, without reaping it, so that its id and its group's are not reused."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
