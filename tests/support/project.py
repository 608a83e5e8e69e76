"""A tiny project for one pytest run, and what that run left in its database."""

import json
import sqlite3
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_server import FaultServer
from tests.support.nursery import Nursery

__all__ = ["OPTIONS", "Project", "jsonl"]

OPTIONS = "addopts = -p no:asyncio -p no:anyio -p no:hypothesispytest -p no:rerunfailures\n"
"""The ini line of each project: async plugins out of the way, one that imports hypothesis in every session, and one
that leaves a thread and a socket behind each."""


def jsonl(*rows: dict[str, Any]) -> str:
    """Return rows as the text of a JSONL file."""
    return "".join(json.dumps(row) + "\n" for row in rows)


class Project:
    """A project in a folder of its own; its model is the fault server's echo unless a test says otherwise."""

    def __init__(self, pytester: pytest.Pytester, server: FaultServer, nursery: Nursery) -> None:
        self.pytester = pytester
        self.nursery = nursery
        self.server = server
        self.root = pytester.path
        self.model = f"openai:echo@{server.url}"
        pytester.makeini(f"[pytest]\n{OPTIONS}")

    def write(self, **files: str) -> None:
        """Write files; ``__`` in a name is ``/``, the last ``_`` before a suffix is ``.``: evals__test_a_py."""
        for name, text in files.items():
            stem, _, suffix = name.replace("__", "/").rpartition("_")
            path = self.root / f"{stem}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")

    def eval(
        self, body: str, rows: Sequence[dict[str, Any]] | None = None, name: str = "echo", marker: str = ""
    ) -> None:
        """Write ``evals/test_NAME.py`` with one eval whose body is ``body``, and its rows as ``data/NAME.jsonl``."""
        if rows is not None:
            self.write(**{f"data__{name}_jsonl": jsonl(*rows)})
        arguments = f'"data/{name}.jsonl"{", " + marker if marker else ""}'
        text = f"import pytest\n\n@pytest.mark.llmeval({arguments})\n" + textwrap.dedent(body).lstrip("\n")
        self.write(**{f"evals__test_{name}_py": text})

    def run(
        self, *arguments: str, model: str | None = None, inside: bool = True, fresh: bool = False
    ) -> pytest.RunResult:
        """Run pytest with the project's model: ``inside`` this process, or as a fork of one that has imported all.

        Sessions with workers are forks anyway; ``fresh`` is by a Python that has imported nothing yet.
        """
        chosen = [f"--model={model or self.model}"] if model != "" else []
        if any(argument.startswith("--reruns") for argument in arguments):
            chosen += ["-p", "rerunfailures"]
        distributed = any(argument.startswith("-n") and argument != "-n0" for argument in arguments)
        if fresh:
            return self.pytester.runpytest_subprocess(*arguments, *chosen)
        with self.nursery.used():
            is_fork = distributed or not inside
            run = self.pytester.runpytest_subprocess if is_fork else self.pytester.runpytest_inprocess
            return run(*arguments, *chosen)

    def llmeval(self, *arguments: str) -> pytest.RunResult:
        """Run the command in the project, as a fork, too."""
        with self.nursery.used():
            return self.pytester.run(Path(sys.executable).with_name("llmeval"), *arguments)

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Return what a query finds in the project's database, as an outside reader sees it."""
        connection = sqlite3.connect(self.root / ".llmeval" / "llmeval.db")
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql, parameters)]
        finally:
            connection.close()

    def cases(self) -> dict[str, str]:
        """Return the outcome of each case of the newest run, by sample id (and epoch above 1)."""
        rows = self.rows(
            "SELECT * FROM cases WHERE run_id = (SELECT id FROM runs ORDER BY started_at DESC, rowid DESC LIMIT 1)"
        )
        return {row["sample_id"] + (f"-e{row['epoch']}" if row["epoch"] > 1 else ""): row["outcome"] for row in rows}

    def last_run(self) -> dict[str, Any]:
        """Return the newest run."""
        return self.rows("SELECT * FROM runs ORDER BY started_at DESC, rowid DESC LIMIT 1")[0]

    def settings(self) -> dict[str, Any]:
        """Return what the newest run stored of its settings."""
        found: dict[str, Any] = json.loads(self.last_run()["settings_json"])
        return found
