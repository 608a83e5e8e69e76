"""Start, watch and stop the server of the embedded model, which runs ``child.py`` in a process of its own."""

import importlib.util
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.http.own_server import end_in_words

__all__ = ["LocalServer", "require_local_extra", "slot_of", "why_unloadable"]

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
THREADS = 1  # measured on 2 idle cores: 64-85 decoded tokens/s with one thread, 38 with two
CONTEXT_TOKENS = 2048
_SYSTEM_LIBRARY = "Where the system lacks a library, install it: Debian and Ubuntu have libgomp.so.1 in libgomp1"


class LocalServer:
    """A running OpenAI-compatible server for one GGUF file and adapters, in a child process on a free loopback port.

    One process owns it; others (the xdist workers) get ``base_url`` and ``api_key``. The child ends when its stdin is
    closed. Only the owner holds that pipe, so the child dies with its owner on every exit, even by kill -9.
    """

    def __init__(self, process: subprocess.Popen[bytes], base_url: str, api_key: str) -> None:
        self._process = process
        self._owner = os.getpid()
        self.base_url = base_url
        """``http://127.0.0.1:PORT/v1``."""
        self.api_key = api_key
        """Random key; the server refuses requests without it, so that no other user of the machine can use it."""

    def __repr__(self) -> str:
        return f"LocalServer({self.base_url!r})"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def why_gone(self) -> str | None:
        """Return why the server has ended; None while it runs, and always in a fork of the owner."""
        status = self._process.poll() if os.getpid() == self._owner else None
        return None if status is None else f"the embedded server is gone: {end_in_words(status)}"

    @classmethod
    def start(
        cls,
        gguf: Path,
        log: Path | None = None,
        *,
        adapters: Sequence[Path] = (),
        timeout_s: float = START_TIMEOUT_S,
    ) -> "LocalServer":
        """Start a server and return it once it answers, after about a second.

        Args:
            gguf: file of the weights.
            log: file for the engine's output; None drops the output.
            adapters: GGUF files of adapters; a request selects one with the fields of ``slot_of``.
            timeout_s: seconds to wait for the port.

        Raises:
            ModelError: the extra is not installed, the file cannot be loaded, or no port came in time.
        """
        require_local_extra()
        api_key = secrets.token_urlsafe(24)
        settings = {
            "gguf": str(gguf),
            "adapters": [str(path) for path in adapters],
            "api_key": api_key,
            "threads": THREADS,
            "n_ctx": CONTEXT_TOKENS,
        }
        process = _spawn(log)
        try:
            port = _handshake(process, settings, timeout_s)
        except _StartError as error:
            _end(process)
            place = f"; its log is {log}" if log else ""
            loaded = " with ".join(str(path) for path in (gguf, *adapters))
            advice = error.advice or f"If {gguf} may be damaged, remove it and run 'llmeval models fetch smollm2'"
            raise ModelError(f"the server for {loaded} did not start: {error}{place}. {advice}") from None
        except BaseException:
            _end(process)
            raise
        return cls(process, f"http://127.0.0.1:{port}/v1", api_key)

    def stop(self) -> None:
        """Stop the server and wait for its end; does nothing when repeated or in a fork of the owner."""
        if os.getpid() == self._owner:
            _end(self._process)


def slot_of(adapter: int | None, count: int) -> dict[str, Any]:
    """Return the fields of a request that select an adapter; none for a server without adapters.

    The base and each adapter have a slot of their own: measured on prompts with a common beginning, one slot for all
    takes 2.7 times as long, as it forgets that beginning at each change. The scales are always sent: without them the
    engine goes on from what it computed with the adapter of the previous request.

    Args:
        adapter: index of the adapter, from 0; None for the base alone.
        count: number of adapters on the server.
    """
    if count == 0:
        return {}
    scales = [{"id": each, "scale": float(each == adapter)} for each in range(count)]
    return {"id_slot": 0 if adapter is None else 1 + adapter, "lora": scales}


def require_local_extra() -> None:
    """Raise ModelError if the engine of ``local:`` models is not installed."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelError("local:smollm2 needs an extra: pip install 'pytest-llmeval[local]'")


def why_unloadable() -> str | None:
    """Return why the installed engine cannot be loaded, and what to do; None if it can. Takes a moment.

    It is loaded in a separate process, to keep its threads and logging out of this one.
    """
    tried = subprocess.run([sys.executable, "-c", "import xllamacpp"], capture_output=True, text=True, check=False)
    said = tried.stderr.strip().splitlines() or [end_in_words(tried.returncode)]
    return None if tried.returncode == 0 else f"xllamacpp cannot be loaded: {said[-1]}. {_SYSTEM_LIBRARY}"


class _StartError(Exception):
    """The child did not start; the message says why, and ``advice`` what to do if that is known."""

    def __init__(self, why: str, advice: str | None = None) -> None:
        super().__init__(why)
        self.advice = advice


def _spawn(log: Path | None) -> subprocess.Popen[bytes]:
    """Return the child, waiting for its settings on stdin."""
    script = str(Path(__file__).with_name("child.py"))
    with open(log or os.devnull, "ab") as stderr:
        return subprocess.Popen(
            # -P keeps the script's folder, whose modules have common names, off the child's sys.path.
            [sys.executable, "-P", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C in the terminal is for the owner to handle
        )


def _handshake(process: subprocess.Popen[bytes], settings: dict[str, Any], timeout_s: float) -> int:
    """Send the settings to the child and return the port that it announces."""
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        process.stdin.flush()
    except OSError:
        raise _StartError(f"its process ended at once with status {process.wait()}") from None
    line = _first_line(process, timeout_s)
    if line is None:
        raise _StartError(f"no port within {timeout_s:g} s")
    if not line.endswith(b"\n"):
        raise _StartError(f"its process ended with status {process.wait()}")
    answer = json.loads(line)
    if "unloadable" in answer:
        raise _StartError(f"xllamacpp cannot be loaded: {answer['unloadable']}", _SYSTEM_LIBRARY)
    if "error" in answer:
        raise _StartError(answer["error"].rstrip("."))
    return int(answer["port"])


def _first_line(process: subprocess.Popen[bytes], timeout_s: float) -> bytes | None:
    """Return the first line of the child's stdout, empty if the child ended; None after ``timeout_s`` seconds."""
    assert process.stdout is not None
    lines: list[bytes] = []
    reader = threading.Thread(target=lambda out: lines.append(out.readline()), args=(process.stdout,), daemon=True)
    reader.start()  # a pipe cannot be read with a time limit on every system
    reader.join(timeout_s)
    return lines[0] if lines else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the child's stdin, which ends it; kill it if that does not."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(OSError):  # the child ended without reading our settings
        process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
