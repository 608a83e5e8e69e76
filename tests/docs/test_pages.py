"""Every code block of README.md and docs/*.md runs.

A block that stands behind "in `PATH`:" is a file of its page: the blocks after it find it in their project. A comment
before a block may say more: ``<!-- test: scores -->`` (each line is a call of ``score``, with its value in a comment).
In ``<!-- test: hf model -->`` the model runs in the session's process. In ``<!-- test: other tool -->`` nothing is
ours, and it is only read. Nothing is skipped; of a line such as ``python3 -m venv … && pytest`` the calls of pytest and
llmeval are looked at.
"""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from pytest_llmeval.bridge.config.options import OPTIONS
from pytest_llmeval.cli.app import llmeval
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.types import Sample
from pytest_llmeval.loaders.prompts import load_prompt
from pytest_llmeval.loaders.rubrics import load_rubric
from pytest_llmeval.loaders.strict_yaml import load_strict
from pytest_llmeval.loaders.thresholds import load_thresholds
from pytest_llmeval.models.models_file import named_models
from pytest_llmeval.models.price_list import price_list
from pytest_llmeval.scorers import ScoreBook
from pytest_llmeval.scorers.registry import ENTRY_POINTS
from pytest_llmeval.training.config_file import load_config
from tests.support.pages import BLOCKS, PAGES, ROOT, WALKED, Block, rows, write
from tests.support.project import Project
from tests.support.tiny_llama import make_model


def each(*kinds: str, test: str = "") -> pytest.MarkDecorator:
    """Return the parametrization over the blocks of these kinds."""
    chosen = [block for block in BLOCKS if block.kind in kinds and block.test == test and block.page != WALKED]
    return pytest.mark.parametrize("block", chosen, ids=str)


def test_every_block_is_looked_at() -> None:
    fences = [line for page in PAGES for line in page.read_text("utf-8").splitlines() if line.startswith("```")]
    assert len(fences) == 2 * len(BLOCKS)
    kinds = {"csv", "console", "json", "python", "sh", "sql", "text", "toml", "yaml"}
    assert [str(block) for block in BLOCKS if block.kind not in kinds] == []
    assert {block.test for block in BLOCKS} <= {"", "scores", "other tool", "hf model"}


def test_the_pages_name_each_other_rightly() -> None:
    wrong = []
    for page in (*PAGES, ROOT / "CHANGELOG.md"):
        for target in re.findall(r"\]\(([\w./#-]+)\)", page.read_text("utf-8")):
            name, _, anchor = target.partition("#")
            there = page.parent / name if name else page
            if "docs/" in str(there) and (not there.exists() or (anchor and anchor not in anchors(there))):
                wrong.append(f"{page.name}: {target}")
    assert wrong == []


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@each("python")
def test_python_blocks_run(block: Block, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each case of an eval passes, in a project with the files of its page, the rules and models apart."""
    monkeypatch.setenv("OPENAI_BASE_URL", project.server.url)  # which a client of the application's own asks
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-application")
    own = {block.path or "evals/test_block.py": block.text}
    write(project.root, {**block.files, "evals/test_last.py": LAST, **own})
    for name in ("thresholds.yaml", "models.yaml"):
        (project.root / name).unlink(missing_ok=True)
    result = project.run("evals", "-q", "--strict-markers")
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert set(result.parseoutcomes()) == {"passed"}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of some kilobytes; made ahead of ``pytester``, which forgets what is imported after it."""
    pytest.importorskip("transformers", reason="needs the extra hf")
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@each("python", test="hf model")
def test_python_blocks_of_models_on_this_machine_run(block: Block, tiny_model: Path, project: Project) -> None:
    write(project.root, {**block.files, "evals/test_block.py": block.text})
    result = project.run("evals", model=f"hf:{tiny_model}", fresh=True)
    assert result.ret == 0, result.stdout.str() + result.stderr.str()


LAST = "def test_there_is_a_test():\n    pass\n"


@each("python", test="scores")
def test_score_blocks_give_the_values_that_they_name(block: Block) -> None:
    lines = block.text.splitlines()
    calls = ast.parse(block.text).body
    assert len(calls) == len(lines)
    for line in lines:
        wanted = float(line.rpartition("#")[2])
        book = ScoreBook()
        found = eval(compile(line, str(block), "eval"), {"score": book})
        assert found.status == "scored" and round(found.value, 4) == wanted, line


@each("python", test="other tool")
def test_python_of_other_tools_can_be_read(block: Block) -> None:
    assert ast.parse(block.text).body


@each("yaml", test="other tool")
def test_yaml_of_other_tools_can_be_read(block: Block) -> None:
    assert yaml.safe_load(block.text)


@each("json", "csv")
def test_rows_load(block: Block, tmp_path: Path) -> None:
    name = block.path or f"rows.{'jsonl' if block.kind == 'json' else block.kind}"
    write(tmp_path, {name: block.text})
    assert all(isinstance(row, Sample) for row in rows(tmp_path, name))


@each("yaml")
def test_yaml_blocks_load(block: Block, tmp_path: Path) -> None:
    """By what it holds, a block is a rubric, (a part of) a training, thresholds, models, prices, a prompt or rows."""
    path = tmp_path / "block.yaml"
    path.write_text(block.text, encoding="utf-8")
    data = yaml.safe_load(block.text)
    if "dimensions" in data:
        assert load_rubric(path.name, rootdir=tmp_path, test_file=path).dimensions
    elif any(key in data for key in ("eval", "launch", "search")):
        replaced = {"load"} if "dtype" in data else set()
        whole = {key: value for key, value in training_of(block.page).items() if key not in replaced}
        path.write_text(yaml.safe_dump({**whole, **data}), encoding="utf-8")
        assert load_config(path, shown_as=path.name)
    elif "version" in data:
        assert load_thresholds(path).suites
    elif "models" in data:
        read = named_models if all("spec" in each for each in data["models"].values()) else price_list
        assert read(load_strict(path, error=ModelError, shown_as=path.name))
    elif "role" in data[0]:
        prompt = load_prompt(path, rootdir=tmp_path, test_file=path)
        assert len(prompt.render(Sample(id="x", input={}))) == len(data)
    else:
        assert all(isinstance(row, Sample) for row in rows(tmp_path, path.name))


def training_of(page: str) -> dict[str, Any]:
    """Return the whole configuration of a page, over which its other blocks are written."""
    blocks = (yaml.safe_load(block.text) for block in BLOCKS if block.page == page and block.kind == "yaml")
    return next(found for found in blocks if "eval" in found)


@each("toml")
def test_toml_blocks_name_what_there_is(block: Block) -> None:
    data = tomllib.loads(block.text)
    known = {option.key for option in OPTIONS} | {"llmeval_paths"}
    assert data.get("tool", {}).get("pytest", {}).get("ini_options", {}).keys() <= known
    assert set(data.get("project", {}).get("entry-points", {})) <= {ENTRY_POINTS}


@each("sh")
def test_shell_lines_have_options_that_exist(block: Block, pytester: pytest.Pytester) -> None:
    commands = [command for line in block.text.splitlines() for command in shell_commands(line)]
    assert commands, f"{block}: neither pytest nor llmeval"
    for program, arguments in commands:
        if program == "pytest":
            pytester.parseconfig("-p", "no:asyncio", *arguments)
        else:
            parse_command(llmeval, "llmeval", arguments)


def shell_commands(line: str) -> Iterator[tuple[str, list[str]]]:
    """Yield name and arguments of each call of pytest and llmeval in a line."""
    for part in line.split(" && "):
        words = shlex.split(part, comments=True)
        while words and (words[0] == "exec" or re.match(r"[A-Z_]+=", words[0])):
            words.pop(0)
        if words and Path(words[0]).name in ("pytest", "llmeval"):
            yield Path(words[0]).name, words[1:]


def parse_command(command: click.Command, name: str, arguments: list[str]) -> None:
    """Parse as click does, without calling anything; raise UsageError for what it does not know."""
    if isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        inner = command.get_command(click.Context(command), arguments[0])
        assert inner is not None, f"{name} has no subcommand {arguments[0]!r}"
        parse_command(inner, arguments[0], arguments[1:])
    else:
        command.make_context(name, list(arguments))
