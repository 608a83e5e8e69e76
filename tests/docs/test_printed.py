"""What the pages show as printed is what is printed."""

import json
import re
import shlex
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.cli.app import main
from pytest_llmeval.core.errors import ThresholdsError
from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.judging import apply_gate
from pytest_llmeval.core.rules import Rule, SuiteRules, Thresholds
from pytest_llmeval.core.types import Score
from pytest_llmeval.loaders.thresholds import load_thresholds
from pytest_llmeval.reports.comparison import compare
from pytest_llmeval.reports.comparison_text import comparison_lines
from pytest_llmeval.reports.own_gate import own_gate
from pytest_llmeval.reports.rescored_scores import find_flips, flip_lines
from pytest_llmeval.reports.row_flips import RowKey, RowText, Side
from pytest_llmeval.reports.run_text import run_lines
from pytest_llmeval.reports.run_view import RunCases, view_run
from pytest_llmeval.store.records import stored_case
from tests.reports.sides import MISSED, judged
from tests.support.pages import BLOCKS, CAPITALS, ROOT, WALKED, masked, rows, write
from tests.support.project import Project
from tests.support.records import record
from tests.support.stored_runs import END, run

OF_REAL_RUNS = "docs/verdicts.md"
"""Its text blocks are looked at by test_verdicts_page.py."""


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
    """docs/command.md names every column, and none that is not there."""
    text = (ROOT / "docs" / "command.md").read_text("utf-8")
    for table, part in re.findall(r"^\*\*`(\w+)`\*\*\n\n\|.+\n\|.+\n((?:\|.+\n)+)", text, re.MULTILINE):
        told = {name for line in part.splitlines() for name in re.findall(r"`(\w+)`", line.split(" | ")[0])}
        there = {row["name"] for row in recorded.rows(f"SELECT name FROM pragma_table_info('{table}')")}
        assert told == there, table


def test_text_blocks_are_what_is_printed(project: Project) -> None:
    """Messages and node ids that the pages quote come out so."""
    printed = [*bad_rows(project.root), *bad_rules(project.root), *styles(project)]
    printed.append("by chance alone a rerun would miss this bar 35% of the time")  # tests/core/gate/test_decide.py
    printed += map(without_numbers, closing(project))
    printed += flipped(4)
    printed += [*compared(), *gated(), *compared_red(), *two_prompts(project)]
    for block in (block for block in BLOCKS if block.kind == "text" and block.page not in (WALKED, OF_REAL_RUNS)):
        for line in block.text.splitlines():
            shown = {line.removeprefix("ERROR: "), without_numbers(line)}
            assert shown.intersection(printed), f"{block}: {line}\n" + "\n".join(printed)
    assert "\n".join(flipped(4)) in [block.text.strip() for block in BLOCKS]  # as a whole


def flipped(count: int) -> list[str]:
    """Return what ``llmeval rescore`` says of that many rows of which Canada's passes by now."""
    key: dict[str, Any] = {"suite": "capitals", "model": "small"}
    others = [record(str(number), **key, scores=(contains(1.0),)) for number in range(count - 1)]
    before, after = (
        [*others, record("ca", outcome=outcome, **key, scores=(contains(value),))]
        for outcome, value in (("missed", 0.0), ("passed", 1.0))
    )
    flips = find_flips(*([stored_case("r", case) for case in cases] for cases in (before, after)))
    return flip_lines(flips, 80)


def contains(value: float) -> Score:
    return Score(name="contains", value=value, passed=value > 0)


def compared() -> list[str]:
    """Return what ``llmeval compare`` says of sixty capitals, of which nine got worse with a shorter prompt."""
    before = capitals("main", "20261124-033432-2f59f7", {3, 8, 20}, tokens=17)
    now = capitals("", "20261125-091207-7a0c1e", {3, 7, 8, 9, 11, 13, 15, 21, 22, 33, 35}, tokens=12)
    differences = ["prompt of capitals", "commit 4be1f07d2, now 98ac30b1e"]
    return comparison_lines(compare(before, now, Thresholds(), set_up=differences), width=80)


def compared_red() -> list[str]:
    """Return how a comparison begins of a run that missed a bar, though nothing got worse."""
    missed = replace(MISSED, model="small", n=60)
    found = run(end=replace(END, verdict="fail", exit_code=1))
    cases = [judged(number, 1.0, suite=suite) for suite in ("a", "b", "c", "d", "e", "f") for number in range(20)]
    base = Side(name="main", run_id="main", model=None, cases=cases, texts=lambda keys: {})
    gate = own_gate(found, [missed], model=None)
    return comparison_lines(compare(base, base, Thresholds(), set_up=[], gate=gate), width=80)[:3]


def two_prompts(project: Project) -> list[str]:
    """Return what ``llmeval compare`` says of the two prompts of docs/howto/prompts.md over twenty-four rows."""
    block = next(block for block in BLOCKS if block.path == "evals/test_capital.py")
    lines = [{"id": country, "input": country.title(), "target": right} for country, right, *_ in COUNTRIES]
    data = "".join(json.dumps(line) + "\n" for line in lines)
    write(project.root, {"evals/test_capital.py": block.text, "data/capitals.jsonl": data})
    project.server.reply = named_city
    project.run("evals/test_capital.py", model=f"openai:small@{project.server.url}")
    printed = project.llmeval("compare", "last::capital[careful]", "last::capital[short]").outlines
    return [line.replace(project.last_run()["id"], "20261201-093012-5d0f3c") for line in printed]


def named_city(messages: list[dict[str, Any]]) -> str:
    """Answer with the capital; with the largest city where nothing says that it need not be that."""
    asked = messages[-1]["content"]
    _, right, *largest = next(row for row in COUNTRIES if row[0].title() in asked)
    return largest[0] if largest and "largest" not in asked else right


COUNTRIES = [
    line.split()
    for line in """\
australia Canberra Sydney
austria Vienna
morocco Rabat Casablanca
canada Ottawa Toronto
chile Santiago
cuba Havana
denmark Copenhagen
egypt Cairo
france Paris
greece Athens
india Delhi Mumbai
ireland Dublin
italy Rome
japan Tokyo
nigeria Abuja Lagos
malta Valletta Birkirkara
nepal Kathmandu
norway Oslo
peru Lima
portugal Lisbon
spain Madrid
sweden Stockholm
turkey Ankara Istanbul
vietnam Hanoi
""".splitlines()
]
"""Countries with their capitals, and the largest city where it is another one."""


def gated() -> list[str]:
    """Return what a session says of the same sixty capitals with a rule on a change."""
    rule = Rule(suite="capitals", metric="contains", kind="max_drop", bound=0.02)
    rules = Thresholds(suites={"capitals": SuiteRules(name="capitals", rules=(rule,))})
    before = capitals("main", "20261124-033432-2f59f7", {3, 8, 20}, tokens=17)
    now = capitals("", "20261125-091207-7a0c1e", {3, 7, 8, 9, 11, 13, 15, 21}, tokens=12)
    result = apply_gate(rules, now.cases, baseline=Baseline(name="main", cases=before.cases))
    view = view_run(run(models=("small",)), RunCases(judged=list(now.cases)), result.verdicts)
    return run_lines(view, width=80)


SHOWN = {7: ("Malta", "Valletta", "Sliema"), 20: ("Turkey", "Ankara", "Istanbul")}
"""What is asked in those rows that the page shows: the country, its capital, and another city."""


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
        return {key: asked(int(key.sample_id[-2:])) for key in keys}

    def asked(number: int) -> RowText:
        country, right, other = SHOWN.get(number, ("Chad", "N'Djamena", "Abuja"))
        prompt = f"Answer in one word. What is the capital of {country}?"
        return RowText(prompt=prompt, expected=json.dumps(right), answer=other if number in wrong else right)

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
        "data/capitals.jsonl:7: id 'fr' is already used in line 2; ids must be unique"
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
