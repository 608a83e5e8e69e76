"""What the command imports when it starts."""

import json
import subprocess
import sys

import pytest

COMMANDS = "from pytest_llmeval.cli.app import llmeval\n"
ALL = "for name in llmeval.list_commands(None): assert llmeval.get_command(None, name).name == name\n"


def imported(code: str) -> set[str]:
    code = f"{COMMANDS}{code}import json, sys; print(json.dumps([*sys.modules]))"
    return set(json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)))


def test_all_commands_together_do_without_any_extra() -> None:
    assert not imported(ALL) & {"jinja2", "starlette", "uvicorn", "torch", "transformers", "xllamacpp", "pyarrow"}


@pytest.mark.parametrize("name", ["show", "gate", "view"])
def test_a_command_imports_none_of_the_others(name: str) -> None:
    found = imported(f"llmeval.get_command(None, {name!r})\n")
    assert not found & {"pytest_llmeval.cli.doctor", "pytest_llmeval.cli.estimate", "pytest_llmeval.cli.trainings"}


def test_what_is_typed_rightly_is_compared_with_no_other_word() -> None:
    help_of_show = (
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()): llmeval(['show', '--help'], standalone_mode=False)\n"
    )
    assert "difflib" not in imported(help_of_show)
