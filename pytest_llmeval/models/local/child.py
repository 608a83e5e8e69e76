"""The process that serves the embedded model; ``server`` starts it as a script, and nothing imports it.

The first line of stdin is a JSON object with ``gguf``, ``adapters`` (paths), ``api_key``, ``threads`` and ``n_ctx``;
the only line of stdout is ``{"port": N}``, ``{"unloadable": "..."}`` or ``{"error": "..."}``. The process ends when
stdin is closed or its parent is gone, so that it dies with its owner on every exit, even by kill -9. It imports nothing
from this package, so that it runs wherever ``xllamacpp`` is installed.
"""

import json
import os
import signal
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

__all__ = ["main"]

ALIAS = "smollm2"
WATCH_INTERVAL_S = 0.5


def _end() -> None:
    """End this process at once, without tearing down the C++ threads."""
    os._exit(0)


def _end_with_stdin() -> None:
    """Block until the owner closes our stdin (or dies), then end."""
    # Reads the raw descriptor: a thread blocked in sys.stdin would hold its lock while the interpreter shuts down.
    while os.read(0, 4096):
        pass
    _end()


def _read_line() -> bytes:
    """Return the first line of our stdin without consuming any byte after it."""
    line = bytearray()
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return bytes(line)


def _params(engine: Any, settings: dict[str, Any]) -> Any:
    """Return the engine's settings: a free loopback port, no warm-up, no output.

    The base and each adapter have a slot with a context of its own, so that each answers as if it were alone.
    """
    slots = 1 + len(settings["adapters"])
    params = engine.CommonParams()
    params.model.path = settings["gguf"]
    params.model_alias = {ALIAS}
    params.api_keys = [settings["api_key"]]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = settings["n_ctx"] * slots
    params.n_parallel = slots
    params.kv_unified = False
    params.lora_adapters = [engine.CommonAdapterLoraInfo(path, 0.0) for path in settings["adapters"]]
    params.cache_ram_mib = 0
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.warmup = False
    params.verbosity = 0
    params.endpoint_slots = False
    params.ui = False
    return params


def _serve(settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the running server and the line that announces it."""
    # The wheel's OpenMP threads spin while they wait and get very slow under other load; it reads this at import only.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    import xllamacpp  # type: ignore[import-untyped]  # has no stubs; imported after the variable is set

    server = xllamacpp.Server(_params(xllamacpp, settings))
    return server, {"port": urlsplit(server.listening_address).port}


def main() -> None:
    """Serve until stdin ends or the parent is gone; never returns."""
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = json.loads(_read_line())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    announce = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        server, line = _serve(settings)
    except ImportError as error:
        server, line = None, {"unloadable": str(error)}
    except (RuntimeError, OSError, AttributeError, TypeError, ValueError) as error:
        # the engine's error is sent to the owner, which makes a message of it
        server, line = None, {"error": f"{type(error).__name__}: {error}"}
    announce.write(json.dumps(line) + "\n")
    announce.close()
    while server is not None and os.getppid() == parent:
        time.sleep(WATCH_INTERVAL_S)
    sys.stderr.flush()
    _end()


if __name__ == "__main__":
    main()
