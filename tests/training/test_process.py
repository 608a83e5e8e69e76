"""How the end of a trainer that left no word is read."""

import os
from pathlib import Path

import pytest

from pytest_llmeval.training import process
from pytest_llmeval.training.config_file import load_config
from pytest_llmeval.training.plan import Plan
from pytest_llmeval.training.process import in_a_process
from tests.support.tiny_base import write_project


@pytest.mark.parametrize(("kills", "state", "told"), [
    ([3, 4], "out_of_memory", "the system killed it for want of memory"),
    ([3, 3], "failed", "the process ended with -9:\nthe last words"),
])  # fmt: skip
def test_a_trainer_that_was_killed_had_no_memory_where_the_system_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: list[int], state: str, told: str
) -> None:
    plan = Plan(
        name="tiny",
        id="t1",
        config=load_config(write_project(tmp_path, "base"), shown_as="tiny.yaml"),
        rootdir=tmp_path,
        folder=tmp_path,
        free=8 << 30,
    )
    (tmp_path / "site").mkdir()
    code = "import os\nprint('the last words')\nos.kill(os.getpid(), 9)\n"
    (tmp_path / "site" / "sitecustomize.py").write_text(code, "utf-8")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    environ.pop("PYTHONUNBUFFERED", None)
    counts = iter(kills)
    monkeypatch.setattr(process, "times_killed_for_memory", lambda: next(counts))
    outcome = in_a_process(plan, environ)
    assert (outcome.state, outcome.message.strip()) == (state, told)
