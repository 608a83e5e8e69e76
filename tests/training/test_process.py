"""How the end of a trainer that left no word, or its launcher's, is read."""

import os
from pathlib import Path

import pytest

from pytest_llmeval.training import process
from pytest_llmeval.training.config_file import load_config
from pytest_llmeval.training.plan import Plan
from pytest_llmeval.training.process import in_a_process
from tests.support.tiny_base import write_project

KILLED = "print('the last words'); os.kill(os.getpid(), 9)"
LAUNCHER = """open('outcome.json', 'w').write('{"state": "killed", "message": "process 1 of 2"}'); os._exit(1)"""
"""What that of several says of one of them."""
BITSANDBYTES = "print('Error out of memory at line 380 in file /src/csrc/pythonInterface.cpp'); os._exit(1)"
"""What its C code does where CUDA has no memory left."""


@pytest.mark.parametrize(("ending", "kills", "state", "told"), [
    (KILLED, [3, 4], "out_of_memory", "the system killed it for want of memory"),
    (KILLED, [3, 3], "killed", "the process ended with -9:\nthe last words"),
    (LAUNCHER, [3, 4], "out_of_memory", "the system killed it for want of memory"),
    (LAUNCHER, [3, 3], "killed", "process 1 of 2"),
    (BITSANDBYTES, [3, 3], "out_of_memory", "Error out of memory at line 380 in file /src/csrc/pythonInterface.cpp"),
])  # fmt: skip
def test_a_trainer_that_left_no_word_had_no_memory_where_the_system_or_its_output_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, kills: list[int], state: str, told: str
) -> None:
    """Its own output: that of an earlier try stands before it in the file."""
    plan = Plan(
        name="tiny",
        id="t1",
        config=load_config(write_project(tmp_path, "base"), shown_as="tiny.yaml"),
        rootdir=tmp_path,
        folder=tmp_path,
        free=8 << 30,
    )
    (tmp_path / "output.txt").write_text("CUDA out of memory\n", "utf-8")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(f"import os\n{ending}\n", "utf-8")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    environ.pop("PYTHONUNBUFFERED", None)
    counts = iter(kills)
    monkeypatch.setattr(process, "times_killed_for_memory", lambda: next(counts))
    outcome = in_a_process(plan, environ)
    assert (outcome.state, outcome.message.strip()) == (state, told)
