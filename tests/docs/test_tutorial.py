"""docs/tutorial.md is walked: its commands run one after the other, and print what it shows.

The model is a server that answers what the embedded model did answer, word for word.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.cli.app import main
from tests.docs.test_pages import shell_commands
from tests.support.fault_server import FaultServer
from tests.support.pages import blocks_of, masked
from tests.support.project import Project

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Italy": "Rome",
    "Norway": "Oslo",
    "Japan": "Tokyo",
    "Turkey": "Istanbul",
    "Egypt": "Cairo",
    "Kenya": "Nairobi",
    "Peru": "Lima",
}
MODEL = "models: {{smollm2: {{spec: 'openai:smollm2@{url}', prices: {{input: 0, output: 0}}}}}}\n"


def smollm2(messages: list[dict[str, Any]]) -> str:
    """Return what SmolLM2-135M-Instruct answers at temperature 0."""
    asked = str(messages[-1]["content"])
    if "{question}" in asked:
        return "One word: {question}"
    (country,) = re.findall(r"capital of (\w+)", asked)
    india = "New Delhi" if "Be brief" in asked else "Mumbai"
    return f"The capital of {country} is {CAPITALS.get(country, india)}."


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(smollm2) as running:
        yield running


def test_it_can_be_followed(
    project: Project, server: FaultServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    project.write(models_yaml=MODEL.format(url=server.url))
    printed: list[str] = []
    for block in blocks_of(PAGE):
        if block.kind == "sh":
            printed = [told for line in block.text.splitlines() for told in done(project, line, capsys)]
        elif block.kind == "text":
            shown = [masked(line) for line in block.text.splitlines()]
            assert is_excerpt(shown, printed), f"{block}\n" + "\n".join(printed)
        else:
            assert block.path is not None
            there = project.root / block.path
            if block.path not in block.files:  # what init wrote, before anybody changed it
                assert there.read_text("utf-8") == block.text, str(block)
            there.write_text(block.text, encoding="utf-8")


def is_excerpt(shown: list[str], printed: list[str]) -> bool:
    """Whether ``shown`` is all that was printed, but for lines that it leaves out with ``…``."""
    pattern = "".join(r"(?:.*\n)*?" if line == "…" else re.escape(f"{line}\n") for line in shown)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def done(project: Project, line: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines that the commands of a line print; their status is 0, or what a comment says."""
    printed = ""
    status = int(line.rpartition("# ends with status ")[2]) if "# ends" in line else 0
    for program, arguments in shell_commands(line):
        if program == "pytest":
            result = project.run(*arguments, "-o", "console_output_style=progress", model="smollm2")
            printed += result.stdout.str()
            code: Any = result.ret
        else:
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main(arguments)
            printed += capsys.readouterr().out
            code = ended.value.code
        assert code == status, f"{shlex.join([program, *arguments])}\n{printed}"
    return [masked(text) for text in printed.splitlines()]
