"""Fetch a wheel with pip or uv, and show the progress."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_llmeval.models.redaction import Redactor

__all__ = ["WHEEL_FOLDER", "fetch_wheel"]

WHEEL_FOLDER = "wheel"

POLL_S = 0.25
REPORT_EVERY_S = 2.0
REPORT_EVERY_SHARE = 0.1
SMALLEST_SHARE = 0.01


def fetch_wheel(
    requirement: str,
    folder: Path,
    expected_bytes: int,
    report: Callable[[str], None],
    environ: Mapping[str, str],
) -> str | None:
    """Fetch the wheel of ``requirement`` into ``folder``; return the tool's error as one line, or None.

    In ``WHEEL_FOLDER``, pip leaves the wheel, and uv its unpacked content.
    """
    command = _command(requirement, folder / WHEEL_FOLDER, environ)
    if command is None:
        return "neither pip nor uv is installed in this environment"
    scratch = folder / "tmp"
    scratch.mkdir()
    # pip and uv write into TMPDIR first: inside our folder their progress can be seen, and the files are removed with
    # it.
    child_environ = {**environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    with open(folder / "output.txt", "wb") as output:
        process = subprocess.Popen(
            command, env=child_environ, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _watch(process, folder, expected_bytes, report)
        finally:
            process.kill()
            process.wait()
    return None if process.returncode == 0 else _complaint(folder / "output.txt", command, process.returncode)


def _command(requirement: str, target: Path, environ: Mapping[str, str]) -> list[str] | None:
    """Return the command line; None if this environment has neither tool."""
    if importlib.util.find_spec("pip") is not None:
        options = [
            "--no-deps",
            "--only-binary=:all:",
            "--no-input",
            "--no-cache-dir",
            "--retries=2",
            "--progress-bar=off",
        ]
        return [sys.executable, "-m", "pip", "download", *options, "--dest", str(target), requirement]
    uv = environ.get("UV") or shutil.which("uv", path=environ.get("PATH"))
    if not uv:
        return None
    options = ["--no-deps", "--only-binary=:all:", "--no-cache", "--no-progress", "--python", sys.executable]
    return [uv, "pip", "install", *options, "--target", str(target), requirement]


def _watch(process: subprocess.Popen[bytes], folder: Path, expected: int, report: Callable[[str], None]) -> None:
    """Wait for the end of ``process``; report the bytes on disk every 2 s if they have grown, and after each tenth."""
    last_time, last_share = time.monotonic(), 0.0
    while True:
        try:
            process.wait(POLL_S)
            return
        except subprocess.TimeoutExpired:
            share = min(_bytes_below(folder) / expected, 1.0)
        now = time.monotonic()
        step = share - last_share
        if step >= REPORT_EVERY_SHARE or (now - last_time >= REPORT_EVERY_S and step >= SMALLEST_SHARE):
            report(f"  {share * expected / 1e6:.0f} of {expected / 1e6:.0f} MB")
            last_time, last_share = now, share


def _bytes_below(folder: Path) -> int:
    """Return the size of the largest file below ``folder``, which is the one being written."""
    sizes = [0]
    for place, _, names in os.walk(folder):  # skips folders that vanish in the meantime, where rglob raises
        for name in names:
            with contextlib.suppress(OSError):  # renamed or removed in the meantime
                sizes.append(os.lstat(os.path.join(place, name)).st_size)
    return max(sizes)


def _complaint(output: Path, command: list[str], status: int) -> str:
    """Return the tool's output from its last error on, or else its last line, as one line."""
    lines = [line.strip() for line in output.read_text("utf-8", "replace").splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.lower().startswith(("error", "×"))]
    shown = " ".join(lines[errors[-1] if errors else -1 :]) or "no output"
    if any("connection broken by" in line for line in lines):  # pip mentions it in a warning only
        shown += " (the package index could not be reached)"
    tool = "pip" if "-m" in command else "uv"
    return Redactor()(f"{tool} ended with status {status}: {shown:.500}").rstrip(".")
