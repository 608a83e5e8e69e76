"""An executable ``vllm`` that takes the command line of vLLM 0.33.0, serves what it is told and holds no model.

    fake = FakeVllm(folder, monkeypatch)       # the first ``vllm`` on PATH, for this process and its children
    fake.fails("no-gpu")                       # how the next ones behave; see ``_Failures`` in the script below
    fake.starts                                # the arguments of each start
    fake.running()                             # ids of the processes of all starts

It begins a process of its own, as vLLM begins workers.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.sessions import wait_until

__all__ = ["FakeVllm", "write_adapter", "write_base"]

_SCRIPT = Path(__file__).with_name("fake_vllm_script.py")


class FakeVllm:
    """The executable and what it did."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put it into ``folder`` and that first on ``PATH``."""
        self.path = folder / "vllm"
        self._notes = folder / "notes"
        self._notes.mkdir(parents=True)
        self.path.write_text(f"#!{sys.executable} -S\n{_SCRIPT.read_text('utf-8')}", "utf-8")
        self.path.chmod(0o755)
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("PATH", str(folder), prepend=":")
        monkeypatch.setenv("FAKE_VLLM_NOTES", str(self._notes))

    def fails(self, how: str) -> None:
        """Have each start from now on behave in one way."""
        self._monkeypatch.setenv("FAKE_VLLM", how)

    @property
    def starts(self) -> list[dict[str, Any]]:
        """The parsed arguments of each start, in order, with ``pids`` of both processes, ``environ`` and ``path``."""
        notes = sorted(self._notes.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [json.loads(path.read_text("utf-8")) for path in notes]

    @property
    def asked(self) -> list[str]:
        """The names that chat completions were asked of, in order."""
        return [body["model"] for body in self.bodies]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The chat completions that were asked, in order."""
        path = self._notes / "asked.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def running(self) -> list[int]:
        """Return the ids of the processes of all starts that run, of keepers too."""
        return [pid for start in self.starts for pid in (*start["pids"], start["keeper"]) if _runs(pid)]

    def assert_none_is_left(self, longest_s: float = 30.0) -> None:
        """Return when all processes of all starts have ended; fail where that takes longer."""
        wait_until(lambda: not self.running(), "all processes of vLLM have ended", longest_s)


def write_base(folder: Path) -> Path:
    """Write files that look like those of a model; return ``folder``."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", "utf-8")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}), "utf-8")
    return folder


def write_adapter(folder: Path, base: Path, **config: Any) -> Path:
    """Write files that look like those of an adapter of ``base``; return ``folder``."""
    folder.mkdir(parents=True)
    said = {"peft_type": "LORA", "r": 16, "base_model_name_or_path": str(base), **config}
    (folder / "adapter_config.json").write_text(json.dumps(said), "utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"more weights")
    return folder


def _runs(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
