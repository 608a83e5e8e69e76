"""Stored runs compared: by name, by model and from files, for people, for pull requests and for programs."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.project import Project
from tests.support.records import call, record, score
from tests.support.stored_runs import END, run

OLD, NEW = "20250101-000000-aaaaaa", "20250102-000000-bbbbbb"
FEW_WORSE, MANY_WORSE = range(38), range(20)
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}]


def add(store: SqliteStore, id: str, right: Sequence[int] = FEW_WORSE, *, rows: int = 40, **fields: Any) -> None:
    """Put a run of forty rows in, of which those in ``right`` passed."""
    begin(store, id, **fields)
    for number in range(rows):
        add_row(store, id, f"row-{number}", number in right)
    store.finish_run(id, END)


def begin(store: SqliteStore, id: str, *, expected: int = 40, **fields: Any) -> None:
    """Begin a run of the suite qa on the model m."""
    suites = {"qa": {"expected": {"m": expected}, "prompt_digest": id, "left_out": [], "deselected": 0}}
    given = {"settings": {"suites": suites}, "started_at": f"2025-01-0{1 if id == OLD else 2}", **fields}
    store.start_run(run(id, **given))


def add_row(store: SqliteStore, id: str, row: str, passed: bool, *, answer: str | None = None, **fields: Any) -> None:
    """Put a row in whose answer is ``4`` where it passed, else ``5``."""
    answer = answer if answer is not None else "4" if passed else "5"
    made = {
        "outcome": "passed" if passed else "missed",
        "scores": (score("exact", float(passed), passed, reason=None if passed else f"got {answer!r}"),),
        "target": '"4"',
        "input_digest": f"digest of {row}",
        "calls": (call(response=answer, request={"messages": MESSAGES, "params": {}}),),
    }
    store.add_case(id, record(row, **{**made, **fields}))


def made_worse(store: SqliteStore) -> SqliteStore:
    """Put a green run named ``main`` in, and one in which many rows got worse."""
    add(store, OLD)
    add(store, NEW, MANY_WORSE)
    store.set_baseline("main", OLD, "2025-01-03")
    return store


@pytest.fixture
def worse(store: SqliteStore) -> SqliteStore:
    """The store with a green run named ``main`` and one in which many rows got worse."""
    return made_worse(store)


def test_the_verdict_comes_first_with_its_reason_and_the_rows(worse: SqliteStore, llmeval: Command) -> None:
    """Prompt, expected and both answers, one line each; the status is 0 unless it was asked to say more."""
    done = llmeval("compare", "main", "last")
    lines = done.out.splitlines()
    assert done.status == 0
    assert lines[0].startswith("FAIL: qa exact got worse (0.950 to 0.500, p ")
    assert lines[1:4] == [f"base: main (run {OLD})", f"now: run {NEW}", "differs in: prompt of qa"]
    first = lines.index("  worse: qa row-20: exact 1 to 0")
    assert lines[first + 1 : first + 5] == [
        "    asked     system: Be brief.\\n\\nuser: 2+2?",
        "    expected  4",
        "    before    4",
        "    now       5",
    ]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("base", "current", "status", "word"),
    [("main", "last", 1, "FAIL"), ("last", "main", 0, "PASS"), ("main", OLD, 0, "PASS")],
)
def test_a_regression_fails_where_that_is_wanted(
    worse: SqliteStore, llmeval: Command, base: str, current: str, status: int, word: str
) -> None:
    done = llmeval("compare", base, current, "--fail-on-regression")
    assert (done.status, done.out.split(":")[0]) == (status, word)


def test_what_cannot_be_measured_ends_with_10(store: SqliteStore, llmeval: Command) -> None:
    """Other rows, so that nothing pairs."""
    add(store, OLD)
    begin(store, NEW)
    for number in range(40):
        add_row(store, NEW, f"row-{number}", True, input_digest="another")
    store.finish_run(NEW, END)
    done = llmeval("compare", OLD, NEW, "--fail-on-regression")
    assert (done.status, done.out.split(":")[0]) == (10, "UNMEASURABLE")
    assert llmeval("compare", OLD, NEW).status == 0


@pytest.mark.parametrize(("marks", "status"), [(("", "x"), 0), (("x", "x"), 10)])
def test_rows_that_a_mark_expression_left_out_of_both_runs_excuse_no_others(
    store: SqliteStore, llmeval: Command, marks: tuple[str, str], status: int
) -> None:
    for id, markexpr, rows in ((OLD, marks[0], 40), (NEW, marks[1], 20)):
        suites = {"qa": {"expected": {"m": rows}, "deselected": 20 if markexpr else 0}}
        add(store, id, range(rows), rows=rows, settings={"suites": suites, "markexpr": markexpr})
    assert llmeval("compare", OLD, NEW, "--fail-on-regression").status == status


def test_a_run_that_did_not_end_is_no_proof(store: SqliteStore, llmeval: Command) -> None:
    """Nearly all of its rows are there and good, and the others might be anything."""
    add(store, OLD)
    begin(store, NEW, pid=2**22 - 1)
    for number in range(37):
        add_row(store, NEW, f"row-{number}", True)
    done = llmeval("compare", OLD, NEW, "--fail-on-regression")
    assert (done.status, done.out.split(":")[0]) == (10, "UNMEASURABLE")
    assert f"note: run {NEW} is crashed: the rows that it had not come to\n  are missing\n" in done.out


def stopped(store: SqliteStore, answered: int) -> None:
    """Put a base of forty rows in whose budget ended behind ``answered`` of them."""
    begin(store, OLD)
    for number in range(40):
        fields: dict[str, Any] = {} if number < answered else {"outcome": "error", "error_kind": "budget", "scores": ()}
        add_row(store, OLD, f"row-{number}", True, **fields)
    store.finish_run(OLD, replace(END, status="unmeasurable", exit_code=10, verdict="unmeasurable"))


def crashed(store: SqliteStore, answered: int) -> None:
    """Put a base of forty rows in whose process was killed behind ``answered`` of them."""
    begin(store, OLD, pid=2**22 - 1)
    for number in range(answered):
        add_row(store, OLD, f"row-{number}", True)


@pytest.mark.parametrize(
    ("base", "why"),
    [
        (stopped, f"the calls of run {OLD} were stopped (auth, budget, quota); continue with"),
        (crashed, f"run {OLD} crashed; continue with"),
    ],
)
@pytest.mark.parametrize("answered", [4, 38])
def test_beside_a_base_that_did_not_end_nothing_passes(
    store: SqliteStore, llmeval: Command, base: Callable[[SqliteStore, int], None], why: str, answered: int
) -> None:
    """The rows that it had not come to might have been better; what got worse among the others still fails."""
    base(store, answered)
    add(store, NEW, range(40))
    done = llmeval("compare", OLD, NEW, "--fail-on-regression")
    told = " ".join(done.out.split())
    assert (done.status, told.split(":")[0]) == (10, "UNMEASURABLE")
    assert f"UNMEASURABLE: too much of the base is missing: {why}" in told
    assert why in llmeval("compare", OLD, NEW, "--json").json()["why_no_base"]
    add(store, "worse", MANY_WORSE)
    worse = llmeval("compare", OLD, "worse", "--fail-on-regression")
    assert worse.status == (1 if answered == 38 else 10)


def test_commands_that_are_shown_find_a_database_that_is_not_the_projects(
    worse: SqliteStore, llmeval: Command, here: Path
) -> None:
    (here / "thresholds.yaml").write_text("version: 1\nsuites: {qa: {exact: {max_drop: 0.02}}}\n")
    begin(worse, "crashed", pid=2**22 - 1)
    with closing(sqlite3.connect(worse.path)) as connection:
        connection.execute("VACUUM INTO 'an other.db'")
    for option, told in ([], ""), (["--llmeval-db=an other.db"], " --llmeval-db 'an other.db'"):
        gated = llmeval("gate", NEW, "--baseline=main", *option)
        assert f"what changed: llmeval compare main {NEW}{told} " in " ".join(gated.out.split()) + " "
        why = llmeval("compare", "crashed", NEW, "--json", *option).json()["why_no_base"]
        again = f"continue with: pytest --resume crashed{told} (with the paths of the run)"
        assert why.endswith(again)
        assert llmeval("baseline", "set", "main", "crashed", *option).err.endswith(f"{again}\n")


def test_markdown_is_written_beside_the_tables(worse: SqliteStore, llmeval: Command, here: Path) -> None:
    """Or printed in their place."""
    done = llmeval("compare", "main", "last", "--output", "report.md")
    text = (here / "report.md").read_text("utf-8")
    assert text.startswith("### ❌ llmeval: FAIL: qa exact got worse (0.950 to 0.500")
    assert "expected: `4` · before: `4` · now: `5`" in text
    assert done.out.startswith("FAIL: qa exact got worse")
    assert llmeval("compare", "main", "last", "--output", "-").out == text


def test_json_has_every_row_that_flipped(worse: SqliteStore, llmeval: Command) -> None:
    """Where the tables show the first ones and count the rest."""
    begin(worse, "big", expected=100)
    begin(worse, "worst", expected=100)
    for number in range(100):
        add_row(worse, "big", f"row-{number:02}", True)
        add_row(worse, "worst", f"row-{number:02}", number < 3)
    for id in ("big", "worst"):
        worse.finish_run(id, END)
    shown = llmeval("compare", "big", "worst").out
    assert shown.count("  worse: qa row-") == 20
    assert "  ... and 77 more; --json has them\n" in shown
    found = llmeval("compare", "big", "worst", "--json", "--fail-on-regression")
    assert found.status == 1
    told = found.json()
    assert (told["verdict"], told["exit_code"], told["worse"], told["better"]) == ("fail", 1, 97, 0)
    assert len(told["flips"]) == 97
    flip = told["flips"][0]
    assert (flip["sample_id"], flip["before"]["answer"], flip["after"]["answer"]) == ("row-03", "4", "5")
    (change,) = told["changes"]
    assert (change["metric"], change["baseline_value"], change["value"], change["n"]) == ("exact", 1.0, 0.03, 100)
    assert {each["measure"] for each in told["measures"]} >= {"latency_s p50", "cost_usd", "error_rate"}
    beside = llmeval("compare", "big", "worst", "--json", "--output", "-").json()
    assert llmeval("compare", "big", "worst", "--json", "--output", "report.md").json() == told
    assert beside == {**told, "text": Path("report.md").read_text("utf-8")}


def test_a_partial_run_is_marked_in_every_form(worse: SqliteStore, llmeval: Command) -> None:
    suites = {"qa": {"expected": {"m": 2}, "left_out": ["2 cases were not selected"]}}
    add(worse, "part", range(2), rows=2, settings={"suites": suites, "partial": True})
    sides = [f"base: main (run {OLD})", "now: run part, partial (2 cases were not selected)"]
    lines = llmeval("compare", "main", "part").out.splitlines()
    assert [line for line in lines if line.startswith(("base:", "now:"))] == sides
    assert " · ".join(sides) in llmeval("compare", "main", "part", "--output", "-").out
    told = llmeval("compare", "main", "part", "--json").json()
    assert (told["base_partial"], told["current_partial"]) == ([], ["2 cases were not selected"])


def test_two_models_of_one_run_compare(store: SqliteStore, llmeval: Command) -> None:
    """Row by row, and the models are what differs."""
    specs = {"big": "openai:big", "small": "openai:small-1"}
    suites = {"qa": {"expected": {"big": 40, "small": 40}}}
    store.start_run(run(OLD, models=("big", "small"), settings={"models": specs, "suites": suites}))
    for model, right in (("big", 40), ("small", 20)):
        for number in range(40):
            passed = number < right
            scores = (score("exact", float(passed), passed),)
            outcome = "passed" if passed else "missed"
            store.add_case(
                OLD, record(f"row-{number}", model=model, scores=scores, outcome=outcome, calls=(call(model=model),))
            )
    store.finish_run(OLD, END)
    done = llmeval("compare", "last@big", "last@small", "--fail-on-regression")
    assert (done.status, done.out.splitlines()[0][:43]) == (1, "FAIL: qa exact got worse (1.000 to 0.500, p")
    assert "differs in: model big, now small (openai:small-1)" in done.out
    assert llmeval("compare", "last@small", "last@big", "--fail-on-regression").status == 0


def test_an_exported_file_is_compared_with(worse: SqliteStore, llmeval: Command, here: Path) -> None:
    """The prompt is that of the run of the database."""
    llmeval("baseline", "export", "main", "main.jsonl")
    done = llmeval("compare", "main.jsonl", "last")
    lines = done.out.splitlines()
    assert lines[1] == f"base: main.jsonl (run {OLD})"
    assert "    asked     system: Be brief.\\n\\nuser: 2+2?" in lines
    assert "    before    4" in lines


def test_files_compare_without_a_database(worse: SqliteStore, llmeval: Command, here: Path, tmp_path: Path) -> None:
    """As in a job that got both as artifacts; answers are in them, prompts are not."""
    llmeval("baseline", "export", "main", "main.jsonl")
    llmeval("baseline", "export", NEW, "new.jsonl.gz")
    (here / ".llmeval").rename(here / "away")
    done = llmeval("compare", "main.jsonl", "new.jsonl.gz", "--fail-on-regression")
    assert (done.status, done.out.split(":")[0]) == (1, "FAIL")
    assert "    before    4\n    now       5\n" in done.out
    assert "    asked" not in done.out
    assert not (here / ".llmeval").exists()


def test_the_projects_own_rules_decide(worse: SqliteStore, llmeval: Command, here: Path) -> None:
    """Those of thresholds.yaml, or of the file that is named."""
    (here / "thresholds.yaml").write_text("version: 1\nsuites: {qa: {exact: {max_drop: 0.6}}}\n")
    (here / "other.yaml").write_text("version: 1\nsuites: {qa: {exact: {max_drop: 0.1}}}\n")
    done = llmeval("compare", "main", "last", "--fail-on-regression")
    assert (done.status, done.out.split(":")[0]) == (0, "PASS")
    assert llmeval("compare", "main", "last", "--fail-on-regression", "--thresholds", "other.yaml").status == 1


def test_the_epoch_that_flipped_is_shown(store: SqliteStore, llmeval: Command) -> None:
    """Not the first one, which is the same in both runs."""
    for id, bad in ((OLD, 9), (NEW, 2)):
        begin(store, id, expected=2)
        for epoch in (1, 2):
            add_row(store, id, "row", epoch != bad, answer=f"{id[-1]}{epoch}", epoch=epoch)
        store.finish_run(id, END)
    out = llmeval("compare", OLD, NEW).out
    assert "  worse: qa row: exact 1 to 0.5\n" in out
    assert "    before    a1\n    now (epoch 2) b2\n" in out


def test_the_same_answer_with_another_score_says_why(store: SqliteStore, llmeval: Command) -> None:
    """A judge changed its mind, say."""
    for id, passed in ((OLD, True), (NEW, False)):
        begin(store, id, expected=1)
        add_row(store, id, "row", passed, answer="same")
        store.finish_run(id, END)
    assert "    now       same\n    why       exact: got 'same'\n" in llmeval("compare", OLD, NEW).out


@pytest.mark.parametrize(
    ("messages", "shown"),
    [
        ([{"role": "user", "content": "2+2?"}], "2+2?"),
        ([{"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url"}]}], None),
        ([{"role": "user", "content": None}], "null"),
        ([{"role": "user", "content": ["odd", 5]}], "odd\\n5"),
        ("odd", ""),
        ([5, "odd"], ""),
    ],
)
def test_a_prompt_is_told_whatever_it_is(
    store: SqliteStore, llmeval: Command, messages: object, shown: str | None
) -> None:
    """Who speaks is left out where only one does; of a picture, that it is there."""
    for id, passed in ((OLD, True), (NEW, False)):
        begin(store, id, expected=1)
        add_row(store, id, "row", passed, calls=(call(response="x", request={"messages": messages}),))
        store.finish_run(id, END)
    asked = [line.strip() for line in llmeval("compare", OLD, NEW).out.splitlines() if line.startswith("    asked")]
    expected = "What is it?\\n(image_url)" if shown is None else shown
    assert asked == ([f"asked     {expected}"] if expected else [])


def test_a_run_compared_with_itself_says_so(worse: SqliteStore, llmeval: Command) -> None:
    """A verdict without a word would look like a result."""
    assert "differs in: nothing: it is the same run twice\n" in llmeval("compare", "main", OLD).out


def test_untrusted_text_is_inert(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """In the terminal, in the file and in JSON."""
    hostile = "\x1b[31m\n::error::owned\n##[error]x\n```\n</details><script>x</script>\n@octocat | \u202e"
    for id, passed in ((OLD, True), (NEW, False)):
        begin(store, id, expected=1, git_branch=hostile + id)
        add_row(store, id, "row", passed, answer=hostile, target=json.dumps(hostile), slices=(hostile,))
        store.finish_run(id, END)
    markdown = here / "report.md"
    for out in (
        llmeval("compare", OLD, NEW, "--output", "report.md").out,
        llmeval("compare", OLD, NEW, "-v").out,
        llmeval("compare", OLD, NEW, "--json").out,
        markdown.read_text("utf-8"),
    ):
        assert not {"\x1b", "\u202e"} & {*out}
        assert not [line for line in out.splitlines() if line.lstrip().startswith("::") or "##[" in line]


def test_what_two_sessions_recorded_compares(project: Project, llmeval: Command) -> None:
    """From the first baseline to a prompt that is visibly worse, with a file between."""
    rows = [{"id": f"r{number}", "input": f"say {number}", "target": f"say {number}"} for number in range(12)]
    body = "def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n"
    project.eval(body, rows, marker='prompt="{input}"')
    assert project.run("evals").ret == 0
    assert llmeval("baseline", "set", "main").status == 0
    assert llmeval("baseline", "export", "main", "main.jsonl.gz").status == 0
    project.eval(body, rows, marker='prompt="{input}, please"')
    assert project.run("evals").ret == 1
    for base in ("main", "main.jsonl.gz"):
        done = llmeval("compare", base, "last", "--fail-on-regression")
        lines = done.out.splitlines()
        assert (done.status, lines[0][:48]) == (1, "FAIL: echo exact got worse (1.000 to 0.000, p 0.")
        assert "differs in: prompt of echo" in lines
        first = lines.index("  worse: echo r0: exact 1 to 0")
        assert lines[first + 1 : first + 5] == [
            "    asked     say 0, please",
            "    expected  say 0",
            "    before    say 0",
            "    now       say 0, please",
        ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope", "last"], "'nope': no baseline, no run in "),
        (["main", "nope"], "'nope': no baseline, no run in "),
        (["main@gpt", "last"], "'main@gpt': main has no such model; it has m"),
        (["main", "last", "last"], "Got unexpected extra argument (last)"),
        (["main", "last", "--thresholds", "none.yaml"], "none.yaml: no such file\n"),
        (["main", "last", "--output", "none/report.md"], "--output none/report.md: cannot be written: No such file"),
        (["main", "last", "--output", "."], "File '.' is a directory."),
        (["main", "last", "--db", "none.db"], "none.db: no such database"),
    ],
)
def test_mistakes_are_told(worse: SqliteStore, llmeval: Command, arguments: list[str], message: str) -> None:
    """With ``--fail-on-regression`` a mistake is no regression either."""
    done = llmeval("compare", *arguments, "--fail-on-regression")
    assert (done.status, done.out) == (4, "")
    assert message in done.err
