"""The embedded model's server, seen from the process that owns it."""

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
THREADS = 1  # measured on 2 idle cores: 64-85 tokens/s decoded with one thread, 38 with two
CONTEXT_TOKENS = 2048
_SYSTEM_LIBRARY = "Where the system lacks a library, install it: Debian and Ubuntu have libgomp.so.1 in libgomp1"


class LocalServer:
    """A running OpenAI-compatible server for one GGUF file and adapters, in a child process on a free loopback port.

    One process owns it; others (the xdist workers) are given ``base_url`` and ``api_key``. The child ends when its
    stdin does: that pipe is held by the owner alone, so the child dies with it on every exit, a kill -9 included.
    """

    def __init__(self, process: subprocess.Popen[bytes], base_url: str, api_key: str) -> None:
        self._process = process
        self._owner = os.getpid()
        self.base_url = base_url
        """``http://127.0.0.1:PORT/v1``."""
        self.api_key = api_key
        """Random; the server refuses requests without it, so that no other user of the machine can use it."""

    def __repr__(self) -> str:
        return f"LocalServer({self.base_url!r})"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def why_gone(self) -> str | None:
        """Return why no call is answered any more; None while it runs, and in a fork of the owner."""
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
        """Return a server that answers, a second or so later.

        Args:
            gguf: the weights.
            log: receives what the engine prints; None drops it.
            adapters: GGUF files; a request says with ``slot_of`` which of them is on.
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
        """End the server and wait for its end; harmless when repeated, and in a fork of the owner."""
        if os.getpid() == self._owner:
            _end(self._process)


def slot_of(adapter: int | None, count: int) -> dict[str, Any]:
    """Return what a request to a server with ``count`` adapters says of them; nothing where it has none.

    Each of its models has a slot of its own: measured on prompts with a common beginning, one slot for all takes 2.7
    times as long, since it forgets that beginning at each change. The scales are always said: where a request says
    none, the engine goes on from what it computed with the adapter of the request before.

    Args:
        adapter: which one is on, from 0; None for the base alone.
        count: of adapters.
    """
    if count == 0:
        return {}
    scales = [{"id": each, "scale": float(each == adapter)} for each in range(count)]
    return {"id_slot": 0 if adapter is None else 1 + adapter, "lora": scales}


def require_local_extra() -> None:
    """Raise ModelError where the engine of ``local:`` models is not installed."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelError("local:smollm2 needs an extra: pip install 'pytest-llmeval[local]'")


def why_unloadable() -> str | None:
    """Return why the installed engine cannot be loaded, and what to do; None where it can. Takes a moment.

    A process of its own loads it: the engine's threads and logging are no business of the one that asks.
    """
    tried = subprocess.run([sys.executable, "-c", "import xllamacpp"], capture_output=True, text=True, check=False)
    said = tried.stderr.strip().splitlines() or [end_in_words(tried.returncode)]
    return None if tried.returncode == 0 else f"xllamacpp cannot be loaded: {said[-1]}. {_SYSTEM_LIBRARY}"


class _StartError(Exception):
    """Why the child did not start, in a few words, and what to do where that is known."""

    def __init__(self, why: str, advice: str | None = None) -> None:
        super().__init__(why)
        self.advice = advice


def _spawn(log: Path | None) -> subprocess.Popen[bytes]:
    """Return the child, waiting for its settings on stdin."""
    script = str(Path(__file__).with_name("child.py"))
    with open(log or os.devnull, "ab") as stderr:
        return subprocess.Popen(
            # -P keeps the script's folder, whose modules have everyday names, off the child's path.
            [sys.executable, "-P", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C in the terminal is the owner's to handle
        )


def _handshake(process: subprocess.Popen[bytes], settings: dict[str, Any], timeout_s: float) -> int:
    """Hand the settings over and return the port that the child announces."""
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
    """Return the first line of the child's stdout (empty where it ended); None after ``timeout_s``."""
    assert process.stdout is not None
    lines: list[bytes] = []
    reader = threading.Thread(target=lambda out: lines.append(out.readline()), args=(process.stdout,), daemon=True)
    reader.start()  # a pipe cannot be read with a time limit on every system
    reader.join(timeout_s)
    return lines[0] if lines else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the child's stdin, which ends it; kill it where that does not."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(OSError):  # it ended with our settings unread
        process.stdin.close()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
