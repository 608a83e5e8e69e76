"""Other tools, each in a virtual environment of its own below one folder."""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["REQUIREMENTS", "bin_folder", "install", "version"]

REQUIREMENTS = {
    "inspect_ai": "inspect_ai==0.3.285",
    "deepeval": "deepeval==4.3.1",
    "pytest-evals": "pytest-evals==0.3.4",
    "pydantic-evals": "pydantic-evals==2.62.0",
}


def bin_folder(venvs: Path, name: str) -> Path | None:
    """Return the folder with the programs of one tool; None where it is not installed."""
    folder = venvs / name
    return folder / "bin" if (folder / "installed").exists() else None


def install(venvs: Path) -> None:
    """Install each tool that is not there yet, with the client of OpenAI and pytest's xdist."""
    for name, requirement in REQUIREMENTS.items():
        if bin_folder(venvs, name) is not None:
            continue
        folder = venvs / name
        print(f"installing {requirement} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run(
            [str(folder / "bin" / "pip"), "install", "-q", requirement, "openai"], check=True, stdout=sys.stderr
        )
        (folder / "installed").touch()


def version(venvs: Path, name: str, package: str) -> str:
    """Return the version of ``package`` in the environment of a tool."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    python = str(venvs / name / "bin" / "python")
    return subprocess.run(
        [python, "-c", code], check=True, capture_output=True, text=True, env=os.environ
    ).stdout.strip()
