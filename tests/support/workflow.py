"""A workflow of GitHub Actions whose shell steps run here, as a runner would run them."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Workflow"]

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


class Workflow:
    """One file below ``.github/workflows``."""

    def __init__(self, path: Path, values: Mapping[str, str]) -> None:
        """Read ``path``; ``values`` are what its expressions come to, by their text."""
        self._told: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
        self._values = dict(values)

    def run(self, job: str, step: str, *, cwd: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run the shell step of a job by its name; its environment is that of the file, with ``environ`` over it."""
        found = next(each for each in self._told["jobs"][job]["steps"] if each.get("name") == step)
        scopes = [part.get("env", {}) for part in (self._told, self._told["jobs"][job], found)]
        env = {name: self._filled(str(value)) for scope in scopes for name, value in scope.items()}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-c", self._filled(found["run"])],
            cwd=cwd,
            env={**os.environ, **env, **environ},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def _filled(self, text: str) -> str:
        return _EXPRESSION.sub(lambda found: self._values[found[1]], text)
