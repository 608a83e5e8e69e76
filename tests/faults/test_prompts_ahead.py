"""Prompt functions are called ahead of the turn of their cases, in a thread of their own."""

import pytest

from pytest_llmeval.bridge.execution import running
from tests.support.project import Project, jsonl

ROWS = [{"id": f"r{n}", "input": f"q{n}"} for n in range(2)]
BLOCKING = """
import threading
import time
from pathlib import Path

import pytest

def prompt(sample):
    if threading.current_thread() is not threading.main_thread():
        start = time.monotonic()
        while not Path("end").exists():
            time.sleep(0.01)
            if time.monotonic() - start > 20:
                Path("late").touch()
                break
    return sample.input

@pytest.mark.llmeval("data/echo.jsonl", prompt=prompt)
def test_echo(response):
    time.sleep(0.1)

@pytest.mark.parametrize("number", range(3))
def test_other(number):
    if number == 2:
        Path("end").touch()
    assert not Path("late").exists()
"""


def test_a_prompt_function_that_does_not_come_back_holds_up_the_tests_behind_it_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_PATIENCE_S", 0.5)
    project.write(data__echo_jsonl=jsonl(*ROWS), evals__test_echo_py=BLOCKING)
    result = project.run("evals", "-p", "no:xdist")
    result.assert_outcomes(passed=5)
    assert result.duration < 10
