"""Every code block of README.md and docs/*.md runs.

A block that stands behind "in `PATH`:" is a file of its page: the blocks after it find it in their project. A comment
before a block may say more: ``<!-- test: scores -->`` (each line is a call of ``score``, with its value in a comment).
In ``<!-- test: hf model -->`` the model runs in the session's process. In ``<!-- test: other tool -->`` nothing is
ours, and it is only read. Nothing is skipped; of a line such as ``python3 -m venv … && pytest`` the calls of pytest and
llmeval are looked at.
"""

import ast
import json
import re
import shlex
import sqlite3
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from pytest_llmeval.bridge.options import OPTIONS
from pytest_llmeval.cli.app import llmeval, main
from pytest_llmeval.core.errors import DatasetError, ModelError, ThresholdsError
from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.judging import judge
from pytest_llmeval.core.rules import Rule, SuiteRules, Thresholds
from pytest_llmeval.core.types import Sample
from pytest_llmeval.loaders.datasets import open_dataset
from pytest_llmeval.loaders.prompts import load_prompt
from pytest_llmeval.loaders.rubrics import load_rubric
from pytest_llmeval.loaders.strict_yaml import load_strict
from pytest_llmeval.loaders.thresholds import load_thresholds
from pytest_llmeval.models.models_file import named_models
from pytest_llmeval.reports.comparison import compare
from pytest_llmeval.reports.comparison_text import comparison_lines
from pytest_llmeval.reports.flips import find_flips, flip_lines
from pytest_llmeval.reports.row_flips import RowKey, RowText, Side
from pytest_llmeval.reports.run_text import run_lines
from pytest_llmeval.reports.run_view import RunCases, view_run
from pytest_llmeval.scorers import ScoreBook
from pytest_llmeval.scorers.registry import ENTRY_POINTS
from pytest_llmeval.store.records import stored_case
from tests.reports.sides import judged
from tests.support.fault_server import FaultServer
from tests.support.project import Project
from tests.support.records import record
from tests.support.stored_runs import run
from tests.support.tiny_llama import make_model

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
WALKED = "docs/tutorial.md"
"""Its blocks are run one after the other by test_tutorial.py."""
OF_REAL_RUNS = "docs/verdicts.md"
"""Its text blocks are looked at by test_verdicts_page.py."""
BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"<!-- test: (.+) -->\s*\Z")
FILE = re.compile(r"\bin `([\w./-]+\.(?:jsonl|json|csv|yaml|py))`", re.IGNORECASE)
ANSWERS = {"France": "Paris", "Japan": "Tokyo", "Peru": "Lima", "Canada": "Ottawa", "Rome": "Italy", "Oslo": "Norway"}
CAPITALS = '{"id": "fr", "input": "Capital of France?", "target": "Paris"}\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    kind: str
    text: str
    test: str
    path: str | None
    """The file that it is, by the text before it."""
    files: dict[str, str]
    """The files of its page that stand before it, by path."""

    def __str__(self) -> str:
        return f"{self.page}-{self.line}-{self.kind}"


def blocks_of(path: Path) -> Iterator[Block]:
    text = path.read_text("utf-8")
    files = {"data/capitals.jsonl": CAPITALS}
    end = 0
    for found in BLOCK.finditer(text):
        before, end = text[end : found.start()], found.end()
        told = TEST.search(before)
        named = FILE.findall(TEST.sub("", before).rstrip().rpartition("\n\n")[2])
        yield Block(
            page=path.relative_to(ROOT).as_posix(),
            line=text.count("\n", 0, found.start()) + 1,
            kind=found["kind"],
            text=found["text"],
            test=told[1] if told else "",
            path=named[-1] if named else None,
            files=dict(files),
        )
        if named:
            files[named[-1]] = found["text"]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def each(*kinds: str, test: str = "") -> pytest.MarkDecorator:
    """Return the parametrization over the blocks of these kinds."""
    chosen = [block for block in BLOCKS if block.kind in kinds and block.test == test and block.page != WALKED]
    return pytest.mark.parametrize("block", chosen, ids=str)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A model that knows some capitals and repeats everything else."""

    def reply(messages: list[dict[str, Any]]) -> str:
        everything = json.dumps(messages)
        answer = next((known for word, known in ANSWERS.items() if word in everything), None)
        if answer is None:
            return str(messages[-1]["content"])
        return json.dumps({"country": answer}) if '{\\"country\\"' in everything else answer

    with FaultServer(reply) as running:
        yield running


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_every_block_is_looked_at() -> None:
    fences = [line for page in PAGES for line in page.read_text("utf-8").splitlines() if line.startswith("```")]
    assert len(fences) == 2 * len(BLOCKS)
    kinds = {"csv", "console", "json", "python", "sh", "sql", "text", "toml", "yaml"}
    assert [str(block) for block in BLOCKS if block.kind not in kinds] == []
    assert {block.test for block in BLOCKS} <= {"", "scores", "other tool", "hf model"}


def test_the_pages_name_each_other_rightly() -> None:
    wrong = []
    for page in PAGES:
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
def test_python_blocks_run(block: Block, project: Project) -> None:
    """Each case of an eval passes, in a project with the files of its page, the rules and models apart."""
    head = "" if "import pytest\n" in block.text else "import pytest\n"
    own = {block.path or "evals/test_block.py": head + block.text}
    write(project.root, {**block.files, "evals/test_last.py": LAST, **own})
    for name in ("thresholds.yaml", "models.yaml"):
        (project.root / name).unlink(missing_ok=True)
    result = project.run("evals", "-q", "--strict-markers")
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert set(result.parseoutcomes()) == {"passed"}


@each("python", test="hf model")
def test_python_blocks_of_models_on_this_machine_run(block: Block, project: Project, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the extra hf")
    write(project.root, {**block.files, "evals/test_block.py": f"import pytest\n{block.text}"})
    result = project.run("evals", model=f"hf:{make_model(tmp_path / 'tiny')}", inside=False)
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


def rows(root: Path, name: str) -> list[Sample | DatasetError]:
    return [row for _, row in open_dataset(name, rootdir=root, test_file=root / "test_x.py").rows()]


@each("yaml")
def test_yaml_blocks_load(block: Block, tmp_path: Path) -> None:
    """By what it holds, a block is thresholds, a rubric, models, a prompt or rows."""
    path = tmp_path / "block.yaml"
    path.write_text(block.text, encoding="utf-8")
    data = yaml.safe_load(block.text)
    if "dimensions" in data:
        assert load_rubric(path.name, rootdir=tmp_path, test_file=path).dimensions
    elif "version" in data:
        assert load_thresholds(path).suites
    elif "models" in data:
        document = load_strict(path, error=ModelError, shown_as=path.name)
        assert named_models(document.data, path.name, document.line_of)
    elif "role" in data[0]:
        prompt = load_prompt(path, rootdir=tmp_path, test_file=path)
        assert len(prompt.render(Sample(id="x", input={}))) == len(data)
    else:
        assert all(isinstance(row, Sample) for row in rows(tmp_path, path.name))


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


@pytest.fixture
def recorded(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    """The project of docs/command.md after its run; the model is wrong about Canada."""
    right = project.server.reply
    project.server.reply = lambda messages: "Toronto" if "Canada" in json.dumps(messages) else right(messages)
    write(project.root, next(block for block in BLOCKS if block.kind == "console").files)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_BASE_URL", project.server.url)
    result = project.run("evals", "--run-name", "nightly", model="small")
    assert result.ret == 0, result.stdout.str()
    monkeypatch.delenv("OPENAI_BASE_URL")
    return project


def test_command_blocks_show_what_the_command_prints(recorded: Project, capsys: pytest.CaptureFixture[str]) -> None:
    found = [block for block in BLOCKS if block.kind == "console"]
    assert found
    for block in found:
        command, _, shown = block.text.partition("\n")
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(shlex.split(command.removeprefix("$ llmeval ")))
        printed = capsys.readouterr().out
        assert ended.value.code == 0, printed
        plain: Callable[[str], str] = labels if command.endswith("doctor") else masked
        assert plain(printed) == plain(shown), f"{block}\n{printed}"


def masked(text: str) -> str:
    """Return ``text`` without what every run has anew."""
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{6}", "ID", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", "TIME", text).strip()


def labels(text: str) -> str:
    """Return what the doctor looked at, without what it found on this machine."""
    return "\n".join(line[9:].partition(": ")[0] for line in text.splitlines())


def test_sql_blocks_find_something(recorded: Project) -> None:
    found = [block for block in BLOCKS if block.kind == "sql"]
    assert found
    with sqlite3.connect(recorded.root / ".llmeval" / "llmeval.db") as connection:
        for block in found:
            assert connection.execute(block.text).fetchall(), str(block)
    connection.close()


def test_the_tables_of_columns_are_complete(recorded: Project) -> None:
    """docs/command.md names every column of contract section 5, and none that is not there."""
    text = (ROOT / "docs" / "command.md").read_text("utf-8")
    own = {"runs": {"pid", "host", "process_started"}}
    for table, part in re.findall(r"^\*\*`(\w+)`\*\*\n\n\|.+\n\|.+\n((?:\|.+\n)+)", text, re.MULTILINE):
        told = {name for line in part.splitlines() for name in re.findall(r"`(\w+)`", line.split(" | ")[0])}
        there = {row["name"] for row in recorded.rows(f"SELECT name FROM pragma_table_info('{table}')")}
        assert told == there - own.get(table, set()), table


def test_text_blocks_are_what_is_printed(project: Project) -> None:
    """Messages and node ids that the pages quote come out so."""
    printed = [*bad_rows(project.root), *bad_rules(project.root), *styles(project)]
    printed.append("by chance alone a rerun would miss this bar 35% of the time")  # tests/core/test_gate_decide.py
    printed += map(without_numbers, closing(project))
    printed += flipped(4)
    printed += [*compared(), *gated()]
    for block in (block for block in BLOCKS if block.kind == "text" and block.page not in (WALKED, OF_REAL_RUNS)):
        for line in block.text.splitlines():
            shown = {line.removeprefix("ERROR: "), without_numbers(line)}
            assert shown.intersection(printed), f"{block}: {line}\n" + "\n".join(printed)


def flipped(count: int) -> list[str]:
    """Return what ``llmeval rescore`` says of that many rows of which Canada's passes by now."""
    key: dict[str, Any] = {"suite": "capitals", "model": "small"}
    others = [record(str(number), **key) for number in range(count - 1)]
    before, after = ([*others, record("ca", outcome=outcome, **key)] for outcome in ("missed", "passed"))
    flips = find_flips(*([stored_case("r", case) for case in cases] for cases in (before, after)))
    return flip_lines(flips, 80)


def compared() -> list[str]:
    """Return what ``llmeval compare`` says of sixty capitals, of which nine got worse with a shorter prompt."""
    before = capitals("main", "20261124-033432-2f59f7", {3, 8, 20}, tokens=17)
    now = capitals("", "20261125-091207-7a0c1e", {3, 7, 8, 9, 11, 13, 15, 21, 22, 33, 35}, tokens=12)
    differences = ["prompt of capitals", "commit 4be1f07d2, now 98ac30b1e"]
    return comparison_lines(compare(before, now, Thresholds(), set_up=differences, most_flips=2), width=80)


def gated() -> list[str]:
    """Return what a session says of the same sixty capitals with a rule on a change."""
    rule = Rule(suite="capitals", metric="contains", kind="max_drop", bound=0.02)
    rules = Thresholds(suites={"capitals": SuiteRules(name="capitals", rules=(rule,))})
    before = capitals("main", "20261124-033432-2f59f7", {3, 8, 20}, tokens=17)
    now = capitals("", "20261125-091207-7a0c1e", {3, 7, 8, 9, 11, 13, 15, 21}, tokens=12)
    result = judge(rules, now.cases, baseline=Baseline(name="main", cases=before.cases))
    view = view_run(run(models=("small",)), RunCases(list(now.cases), ()), result.verdicts)
    return run_lines(view, width=80)


def capitals(name: str, run_id: str, wrong: set[int], *, tokens: int) -> Side:
    """Return a run of sixty rows, of which those in ``wrong`` name another city."""
    key: dict[str, Any] = {"suite": "capitals", "model": "small", "input_tokens": tokens, "cost_usd": tokens * 1e-6}
    cases = [
        judged(
            f"row-{number:02}",
            outcome="missed" if number in wrong else "passed",
            scores={"contains": float(number not in wrong)},
            latency_s=0.8 + number % 7 / 10,
            slices=("europe" if number % 2 else "asia",),
            **key,
        )
        for number in range(60)
    ]

    def texts(keys: Mapping[RowKey, bool]) -> dict[RowKey, RowText]:
        prompt, target = "Answer in one word. What is the capital of Chad?", '"N\'Djamena"'
        answers = {key: "Abuja" if int(key.sample_id[-2:]) in wrong else "N'Djamena" for key in keys}
        return {key: RowText(prompt=prompt, expected=target, answer=answer) for key, answer in answers.items()}

    return Side(name=name or run_id, run_id=run_id, model=None, cases=cases, texts=texts)


def without_numbers(line: str) -> str:
    return re.sub(r"\d[\d,.]*", "N", line)


def closing(project: Project) -> list[str]:
    """Return what a run says of its calls, with bodies ahead and bodies in their turn."""
    (project.root / "evals" / "test_styles.py").unlink()
    write(project.root, {"data/capitals.jsonl": CAPITALS, "evals/test_turns.py": TURNS})
    return project.run("evals", "-o", "console_output_style=classic").outlines


TURNS = """
import pytest

@pytest.mark.llmeval("data/capitals.jsonl")
async def test_ahead(model):
    await model.generate()

@pytest.mark.llmeval("data/capitals.jsonl")
async def test_in_turn(model, tmp_path):
    await model.generate()
"""


def bad_rows(root: Path) -> list[str]:
    lines = [json.dumps({"input": "x", "id": name}) for name in ("a", "fr", "c", "d", "e", "f", "fr")]
    lines[2] = '{"inptu": "x"}'
    write(root, {"data/capitals.jsonl": "\n".join(lines), "evals/test_a.py": ROWS_EVAL})
    return [str(row) for row in rows(root, "data/capitals.jsonl")] + [
        "data/capitals.jsonl:7: id 'fr' stands in line 2 already; ids are unique"
    ]


ROWS_EVAL = """
import pytest

@pytest.mark.llmeval("data/capitals.jsonl")
def test_a(sample):
    pass
"""


def bad_rules(root: Path) -> list[str]:
    more = "".join(f"    m{number}: {{min: 0.5}}\n" for number in range(8))
    text = f"version: 1\n\nsuites:\n  a:\n    exact: {{min: 90%}}\n{more}    g: {{min: 0.5, maxx: 1}}\n"
    (root / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ThresholdsError) as caught:
        load_thresholds(root / "bad.yaml", shown_as="thresholds.yaml")
    return str(caught.value).splitlines()


def styles(project: Project) -> list[str]:
    block = next(block for block in BLOCKS if "class TestStyles" in block.text)
    write(project.root, {**block.files, "evals/test_styles.py": "import pytest\n" + block.text})
    (project.root / "evals/test_a.py").unlink()
    return project.run("evals", "--co", "-q").outlines
