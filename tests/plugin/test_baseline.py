"""What a session's regression rules are judged against: ``--baseline``, ``baseline:``, and when neither counts."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.store.baseline_file import write_baseline
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.project import Project
from tests.support.row_evals import EXACT

ROWS = [
    {"id": f"r{number:02}", "input": "yes", "target": "yes", **({"slice": "odd"} if number % 2 else {})}
    for number in range(40)
]
WORSE = 'prompt="no {input}"'
RULES = "version: 1\n{baseline}suites: {{echo: {{exact: {{max_drop: 0.02}}}}}}\n"


@pytest.fixture
def ruled(project: Project) -> Project:
    """A project whose only rule is on a change, and which names no baseline."""
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml=RULES.format(baseline=""))
    return project


def export(project: Project, name: str) -> Path:
    """Write the newest run into a file below the root, and return its path."""
    path = project.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    store = SqliteStore(project.root / ".llmeval" / "llmeval.db")
    run = store.find_run("last")
    write_baseline(path, shown=name, name="main", run=run, count=len(ROWS), cases=store.cases(run.id))
    store.close()
    return path


def only_verdict(project: Project) -> dict[str, Any]:
    """Return the one verdict of the newest run."""
    (found,) = project.rows("SELECT * FROM verdicts WHERE run_id = ?", project.last_run()["id"])
    return found


def base_run(project: Project, *arguments: str) -> str:
    """Run the evals and return the id of their run."""
    assert project.run("evals", *arguments).ret == 0
    return str(project.last_run()["id"])


def name_baseline(project: Project, name: str, run_id: str) -> None:
    """Give a run a baseline's name."""
    store = SqliteStore(project.root / ".llmeval" / "llmeval.db")
    store.set_baseline(name, run_id, "2026-01-01T00:00:00Z")
    store.close()


def test_without_a_baseline_a_rule_on_a_change_is_not_judged(ruled: Project) -> None:
    result = ruled.run("evals")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["not judged (no baseline): echo exact max_drop=0.02"])
    assert only_verdict(ruled)["verdict"] == "not_judged"


def test_a_run_that_was_stopped_is_nothing_to_compare_with(ruled: Project) -> None:
    """Of the rows that it never came to any loss would pass."""
    ruled.eval(EXACT + "    if sample.id == 'r05': raise KeyboardInterrupt\n", ROWS)
    assert ruled.run("evals", inside=False).ret == 2
    ruled.eval(EXACT, ROWS, marker=WORSE)
    ruled.server.ledger.clear()
    result = ruled.run("evals", "--baseline=last")
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["ERROR: --baseline last: not a valid baseline: run * was interrupted; continue with: *"]
    )
    assert not ruled.server.ledger


def test_a_name_that_is_not_set_yet_is_no_obstacle(ruled: Project) -> None:
    ruled.write(thresholds_yaml=RULES.format(baseline="baseline: main\n"))
    result = ruled.run("evals")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["not judged (baseline main is not set yet: llmeval baseline set main): *"])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("data/main.jsonl", "file data/main.jsonl is not there yet: llmeval baseline export RUN data/main.jsonl"),
        ("main@gpt", "baseline main@gpt is not set yet: llmeval baseline set main (@gpt names a model of its run)"),
        ("my main", "baseline my main is not set yet: llmeval baseline set 'my main'"),
        ("last", "last is not the name of a baseline: llmeval baseline set NAME gives the last run one"),
    ],
)
def test_what_is_to_be_done_can_be_done(ruled: Project, name: str, why: str) -> None:
    base_run(ruled)
    ruled.write(thresholds_yaml=RULES.format(baseline=f"baseline: {name}\n"))
    assert ruled.run("evals").ret == 0
    assert only_verdict(ruled)["reason"] == why


@pytest.mark.parametrize("has_runs", [False, True])
def test_what_the_option_names_must_be_there(ruled: Project, has_runs: bool) -> None:
    if has_runs:
        base_run(ruled)
    ruled.server.ledger.clear()
    result = ruled.run("evals", "--baseline=gone")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: --baseline gone: 'gone': no baseline, no run *"])
    assert not ruled.server.ledger


def test_an_unchanged_run_passes(ruled: Project, spread: list[str]) -> None:
    base = base_run(ruled)
    result = ruled.run("evals", f"--baseline={base}", *spread)
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"compared with run {base}, of *"])
    found = only_verdict(ruled)
    assert found["verdict"] == "pass"
    assert (found["baseline_value"], found["delta"], found["n"]) == (1.0, 0.0, 40)


def test_a_worse_prompt_fails_and_names_what_changed(ruled: Project, dist_args: list[str]) -> None:
    base = base_run(ruled)
    ruled.eval(EXACT, ROWS, marker=WORSE)
    result = ruled.run("evals", f"--baseline={base}", *dist_args)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["  fail: exact max_drop=0.02: 1 to 0 *", "*40 worse (r00, *", "compared with run *", "*prompt*"]
    )
    found = only_verdict(ruled)
    assert found["verdict"] == "fail"
    assert (found["value"], found["baseline_value"], found["delta"]) == (0.0, 1.0, -1.0)
    assert found["p_value"] < 1e-6
    noted = ruled.settings()["baseline"]
    assert noted == {"name": base, "kind": "run", "run": base, "model": None}


def date_back(project: Project, days: int) -> None:
    """Let the run that is there have begun so many days ago."""
    begun = datetime.now(UTC) - timedelta(days=days, hours=1)
    with closing(sqlite3.connect(project.root / ".llmeval" / "llmeval.db")) as connection, connection:
        connection.execute("UPDATE runs SET started_at = ?", [begun.isoformat(timespec="milliseconds")])


@pytest.mark.parametrize(
    ("days", "named", "command"), [(89, "last", None), (90, "main", "set main"), (91, "m.jsonl", "export RUN m.jsonl")]
)
def test_a_baseline_of_more_than_90_days_is_told_of(ruled: Project, days: int, named: str, command: str | None) -> None:
    """It is compared with all the same."""
    base = base_run(ruled)
    date_back(ruled, days)
    name_baseline(ruled, "main", base)
    export(ruled, "m.jsonl")
    result = ruled.run("evals", f"--baseline={named}")
    assert (result.ret, only_verdict(ruled)["verdict"]) == (0, "pass")
    line = f"the baseline is {days} days old; set it anew by a newer green run: llmeval baseline {command}"
    for told in (result.stdout.str(), ruled.llmeval("gate", "last").stdout.str()):
        assert (line in " ".join(told.split())) == (command is not None)
        assert ("days old" in told) == (command is not None)


def test_the_rules_name_a_baseline(ruled: Project) -> None:
    name_baseline(ruled, "main", base_run(ruled))
    ruled.write(thresholds_yaml=RULES.format(baseline="baseline: main\n"))
    ruled.eval(EXACT, ROWS, marker=WORSE)
    result = ruled.run("evals")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["compared with baseline main: run *, of *"])
    flips = "rows that flipped: 40 for the worse (r00 of echo, r01 of echo, r02 of echo and 37 more), 0 for the better"
    told = f"{flips}; what changed: llmeval compare main {ruled.last_run()['id']} "
    assert told in " ".join(result.stdout.str().split())
    assert told in " ".join(ruled.llmeval("gate", "last").stdout.str().split())
    assert ruled.run("evals", "--baseline=none").ret == 0
    assert only_verdict(ruled)["verdict"] == "not_judged"


def test_a_run_that_is_called_like_the_baseline_is_not_it(ruled: Project) -> None:
    base_run(ruled, "--run-name=main")
    ruled.write(thresholds_yaml=RULES.format(baseline="baseline: main\n"))
    ruled.run("evals").stdout.fnmatch_lines(["not judged (baseline main is not set yet: *"])


def test_the_rules_name_an_exported_file(ruled: Project) -> None:
    base_run(ruled)
    export(ruled, "data/baselines/main.jsonl")
    (ruled.root / ".llmeval" / "llmeval.db").unlink()
    ruled.write(thresholds_yaml=RULES.format(baseline="baseline: data/baselines/main.jsonl\n"))
    ruled.eval(EXACT, ROWS, marker=WORSE)
    result = ruled.run("evals")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["compared with baseline data/baselines/main.jsonl: run *"])


def test_a_file_that_is_damaged_further_down_is_found_out_before_any_call(ruled: Project) -> None:
    base_run(ruled)
    path = export(ruled, "main.jsonl")
    path.write_text(path.read_text().replace('"sample_id":"r30"', '"sample_id":30'))
    ruled.server.ledger.clear()
    result = ruled.run("evals", "--baseline=main.jsonl")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: main.jsonl:32: *"])
    assert not ruled.server.ledger


def test_a_file_that_goes_while_the_run_goes_on_leaves_a_run_that_can_be_judged(
    ruled: Project, spread: list[str]
) -> None:
    """Another branch is checked out meanwhile, say: what was found is all there, and unmeasurable for now."""
    base_run(ruled)
    path = export(ruled, "main.jsonl")
    held = path.read_bytes()
    ruled.eval(f"{EXACT}    if sample.id == 'r39':\n        Path({str(path)!r}).unlink()\n")
    text = (ruled.root / "evals" / "test_echo.py").read_text()
    ruled.write(
        evals__test_echo_py=f"from pathlib import Path\n{text}",
        thresholds_yaml=RULES.format(baseline="baseline: main.jsonl\n"),
    )
    result = ruled.run("evals", *spread)
    run = ruled.last_run()
    assert result.ret == 10
    assert (run["status"], run["exit_code"], run["verdict"]) == ("unmeasurable", 10, "unmeasurable")
    assert ruled.cases() == dict.fromkeys((row["id"] for row in ROWS), "passed")
    told = ["not judged (main.jsonl: cannot be read: *", "so the status is 10, unless something failed"]
    result.stdout.fnmatch_lines([*told, f"once that is fixed: llmeval gate {run['id']}"])
    result.stdout.no_fnmatch_line("*not recorded in full*")
    result.stdout.no_fnmatch_line("compared with*")
    path.write_bytes(held)
    assert ruled.llmeval("gate", run["id"]).ret == 0


def test_a_rule_that_needs_no_baseline_fails_without_one_that_went(ruled: Project) -> None:
    base_run(ruled)
    path = export(ruled, "main.jsonl")
    body = EXACT.replace("sample.target", "'never'")
    ruled.eval(f"{body}    if sample.id == 'r39':\n        Path({str(path)!r}).unlink()\n")
    text = (ruled.root / "evals" / "test_echo.py").read_text()
    rules = RULES.format(baseline="baseline: main.jsonl\n").replace("max_drop", "min: 0.5, max_drop")
    ruled.write(evals__test_echo_py=f"from pathlib import Path\n{text}", thresholds_yaml=rules)
    assert ruled.run("evals").ret == 1
    assert (ruled.last_run()["exit_code"], ruled.last_run()["verdict"]) == (1, "fail")


def test_a_damaged_file_is_a_usage_error(ruled: Project) -> None:
    ruled.write(data__main_jsonl="{}\n", thresholds_yaml=RULES.format(baseline="baseline: data/main.jsonl\n"))
    result = ruled.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: thresholds.yaml: baseline: data/main.jsonl:1: *"])
    assert not ruled.server.ledger


def test_a_partial_run_is_not_held_against_a_named_baseline(ruled: Project) -> None:
    base = base_run(ruled)
    name_baseline(ruled, "main", base)
    ruled.write(thresholds_yaml=RULES.format(baseline="baseline: main\n"))
    result = ruled.run("evals", "--limit=30")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["not judged (rows were left out: *", "*--baseline RUN): echo exact max_drop=0.02"])
    ruled.run("evals", "--limit=30", f"--baseline={base}")
    assert only_verdict(ruled)["verdict"] == "not_judged"


@pytest.mark.parametrize("cut", ["--limit=30", "-kr0", "--slice=odd"])
def test_a_partial_run_is_held_against_a_run_of_the_same_selection(ruled: Project, cut: str) -> None:
    base = base_run(ruled, cut)
    assert ruled.run("evals", cut, f"--baseline={base}").ret == 0
    assert only_verdict(ruled)["verdict"] == "pass"


def test_a_partial_run_is_held_against_no_run_of_other_rows(ruled: Project) -> None:
    """Whatever left them out; of a dataset that has changed the options say which rows are the same selection."""
    some, others, few = (f"--deselect=evals/test_echo.py::test_echo[r{start}" for start in ("09]", "10]", "0"))
    base = base_run(ruled, some)
    for cut in (others, few):
        assert ruled.run("evals", cut, f"--baseline={base}").ret == 0
        found = only_verdict(ruled)
        assert (found["verdict"], found["reason"]) == ("not_judged", f"run {base} is not of the same selection")
    assert ruled.run("evals", some, f"--baseline={base}").ret == 0
    assert only_verdict(ruled)["verdict"] == "pass"
    ruled.eval(EXACT, [*ROWS, {"id": "new", "input": "yes", "target": "yes"}])
    assert ruled.run("evals", some, f"--baseline={base}").ret == 0
    assert only_verdict(ruled)["verdict"] == "pass"


def test_rows_that_are_gone_are_missed_though_a_mark_expression_leaves_out_others(project: Project) -> None:
    """Those others are not in the baseline, which had the same expression."""
    rows = [{**row, "marks": ["regression"]} if "slice" in row else row for row in ROWS]
    project.eval(EXACT, rows)
    project.write(thresholds_yaml=RULES.format(baseline=""))
    base = base_run(project, "-mregression")
    assert project.run("evals", "-mregression", f"--baseline={base}").ret == 0
    project.eval(EXACT, [row for row in rows if "slice" not in row or str(row["id"]) > "r10"])
    result = project.run("evals", "-mregression", f"--baseline={base}")
    assert result.ret == 10
    assert only_verdict(project)["reason"].startswith("only 15 of 20 baseline rows pair")


def test_a_rule_that_passes_on_a_few_of_the_rows_says_so(project: Project) -> None:
    """As where the baseline was made of the marked rows alone; with all of them it has nothing to say."""
    rows = [{**row, "marks": ["regression"]} if number < 20 else row for number, row in enumerate(ROWS)]
    project.eval(EXACT, rows)
    project.write(thresholds_yaml=RULES.format(baseline=""))
    base = base_run(project, "-m", "regression")
    result = project.run("evals", f"--baseline={base}")
    assert result.ret == 0
    assert "note: exact max_drop=0.02: 1 to 1 " in result.stdout.str()
    assert "left out: 20 new" in " ".join(result.stdout.str().split())
    again = project.run("evals", "--baseline=last")
    assert "note: exact" not in again.stdout.str()


def test_one_model_of_a_run_is_named(ruled: Project) -> None:
    other = f"openai:echo-2@{ruled.server.url}"
    base = base_run(ruled, f"--model={other}")
    result = ruled.run("evals", f"--baseline={base}@echo-2")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"compared with run {base}@echo-2, of *"])
    assert ruled.run("evals", f"--baseline={base}@gone").ret == 4


def test_a_resumed_run_keeps_its_baseline(ruled: Project) -> None:
    base = base_run(ruled)
    ruled.eval(EXACT, ROWS, marker=WORSE)
    assert ruled.run("evals", f"--baseline={base}").ret == 1
    assert ruled.run("evals", "--resume=last").ret == 1
    assert only_verdict(ruled)["verdict"] == "fail"


def test_a_resumed_run_keeps_what_last_meant(ruled: Project) -> None:
    """By now the last run is the run itself."""
    base = base_run(ruled)
    ruled.eval(EXACT, ROWS, marker=WORSE)
    assert ruled.run("evals", "--baseline=last").ret == 1
    assert ruled.run("evals", "--resume=last", "--baseline=last").ret == 1
    result = ruled.run("evals", "--resume=last")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"compared with run {base}, of *"])


def test_a_resumed_run_keeps_its_baseline_though_the_name_is_gone(ruled: Project) -> None:
    base = base_run(ruled)
    name_baseline(ruled, "main", base)
    ruled.eval(EXACT, ROWS, marker=WORSE)
    assert ruled.run("evals", "--baseline=main").ret == 1
    store = SqliteStore(ruled.root / ".llmeval" / "llmeval.db")
    store.drop_baseline("main")
    store.close()
    result = ruled.run("evals", "--resume=last")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"compared with baseline main: run {base}, of *"])
    assert ruled.run("evals", "--resume=last", "--baseline=gone").ret == 4
    assert ruled.run("evals", "--resume=last", "--baseline=none").ret == 0


@pytest.mark.parametrize("suite", ["echo", "echo[2]"])
def test_a_rule_that_cannot_fail_is_named_at_the_start(project: Project, spread: list[str], suite: str) -> None:
    project.eval(
        EXACT, [{**row, "slice": "few"} if row in ROWS[:4] else row for row in ROWS], marker=f"suite={suite!r}"
    )
    project.write(
        thresholds_yaml=f"""
        version: 1
        suites:
          {suite}:
            exact: {{max_drop: 0.02}}
            slices: {{few: {{exact: {{max_drop: 0.02}}}}}}
        """
    )
    for arguments in ([], ["--co", "-q"]):
        result = project.run("evals", *arguments, *(spread if not arguments else []))
        assert result.ret == 0
        assert "cannot fail by itself with 4 rows" in str(result.stdout).replace("\n  ", " ")


@pytest.mark.parametrize("cut", ["-k r0", "--limit=3", "-m regression"])
def test_of_a_part_of_the_rows_only_a_mark_expression_is_weighed(project: Project, cut: str) -> None:
    project.eval(EXACT, [{**row, "marks": ["regression"]} if row in ROWS[:3] else row for row in ROWS])
    project.write(thresholds_yaml=RULES.format(baseline=""))
    result = project.run("evals", *cut.split(" ", 1))
    assert ("cannot fail by itself" in str(result.stdout)) is (cut == "-m regression")


def test_a_margin_that_the_rows_are_too_few_for_is_refused(project: Project) -> None:
    project.eval(EXACT, [{**row, "target": "yes" if number % 3 else "no"} for number, row in enumerate(ROWS)])
    project.write(thresholds_yaml=RULES.format(baseline=""))
    base = base_run(project)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {mode: noninferior, margin: 0.01}}}\n")
    project.server.ledger.clear()
    result = project.run("evals", f"--baseline={base}")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: thresholds.yaml:2: suites.echo.exact.*margin*"])
    assert not project.server.ledger
