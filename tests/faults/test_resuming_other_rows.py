"""``--resume`` of a run whose dataset has another order, or has lost rows: it comes to what a new run comes to."""

import json
from typing import Any

import pytest

from tests.faults.test_resuming import resume, unwrapped
from tests.support.project import Project, jsonl

BODY = """
def test_echo(sample, response, score):
    if "breaks" in sample.slices and not __import__("os").path.exists("fixed"):
        raise RuntimeError("not now")
    score.exact(response, sample.target)
"""
MIN = "{min: 0.5}"
EVERY = "{every: true}"
CHANGED = "--llmeval-resume-changed"


def row(name: str, *slices: str, passes: bool = True, **more: Any) -> dict[str, Any]:
    """Return a row whose case passes, or misses."""
    return {"id": name, "input": f"q{name}", "target": f"q{name}" if passes else "other", "slice": [*slices], **more}


def begin(project: Project, rule: str, *rows: dict[str, Any], arguments: tuple[str, ...] = ()) -> None:
    """Let a run end that has an error, fix what broke and begin a new count of calls."""
    project.write(thresholds_yaml=f"version: 1\nsuites: {{echo: {{exact: {rule}}}}}\n")
    project.eval(BODY, rows)
    project.run("evals", *arguments)
    assert "error" in project.cases().values()
    (project.root / "fixed").touch()
    project.server.ledger.clear()


def write_rows(project: Project, *rows: dict[str, Any]) -> None:
    """Give the dataset other rows."""
    project.write(data__echo_jsonl=jsonl(*rows))


def judged(project: Project) -> list[dict[str, Any]]:
    """Return the verdicts of the newest run."""
    newest = "(SELECT id FROM runs ORDER BY started_at DESC, rowid DESC LIMIT 1)"
    return project.rows(f"SELECT rule, n, value, verdict FROM verdicts WHERE run_id = {newest}")


@pytest.mark.parametrize(
    ("rule", "before", "after", "status"),
    [
        (
            MIN,
            [row("a"), row("b"), row("c", "breaks")],
            [row("x", passes=False), row("y", passes=False), row("c", "breaks")],
            1,
        ),
        (
            EVERY,
            [row("a"), row("b", passes=False), row("c", "breaks")],
            [row("a"), row("x"), row("c", "breaks")],
            0,
        ),
        (EVERY, [row("a"), row("b", "breaks"), row("c", "breaks")], [row("a"), row("c", "breaks")], 0),
    ],
    ids=["passed", "missed", "broke"],
)
def test_cases_of_rows_that_went_count_for_nothing(
    project: Project, rule: str, before: Any, after: Any, status: int, spread: list[str]
) -> None:
    begin(project, rule, *before)
    write_rows(project, *after)
    result = resume(project, CHANGED, *spread)
    assert result.ret == status
    gone = sorted({each["id"] for each in before} - {each["id"] for each in after})
    told = f"{len(gone)} row{'s' if len(gone) > 1 else ''} of suite 'echo'"
    assert f"note: {told}" in unwrapped(result) and f"no rule counts {', '.join(gone)}" in unwrapped(result)
    assert "continue with" not in result.stdout.str()
    assert set(project.cases()) == {each["id"] for each in [*before, *after]}, "nothing is deleted"
    run, found = project.last_run(), judged(project)
    assert run["status"] == "finished"
    assert {each["n"] for each in found} == {len(after)}

    gate = project.llmeval("gate", run["id"])
    assert gate.ret == status
    shown = project.llmeval("show", run["id"]).stdout.str()
    assert f"no rule counts {', '.join(gone)}" in " ".join(shown.split())
    facts = json.loads(project.llmeval("show", run["id"], "--json").stdout.str())
    assert facts["verdict"] == run["verdict"]
    lines = project.llmeval("export", "jsonl", run["id"]).stdout.str().splitlines()
    assert {json.loads(line).get("sample_id") for line in lines} - {None} == {each["id"] for each in after}

    assert project.run("evals").ret == status
    assert judged(project) == found
    assert (project.last_run()["status"], project.last_run()["verdict"]) == (run["status"], run["verdict"])
    compared = project.llmeval("compare", run["id"], "last")
    assert compared.ret == 0 and "only in" not in compared.stdout.str()


def test_a_row_that_is_not_selected_now_is_not_gone(project: Project) -> None:
    """And rows that came are missed until they were asked about."""
    begin(project, MIN, row("a"), row("b"), row("c", "breaks"))
    write_rows(project, row("b"), row("c", "breaks"), row("x", passes=False), row("y", passes=False))
    result = resume(project, CHANGED, "-k", "echo[c]")
    assert (result.ret, project.last_run()["status"]) == (10, "interrupted")
    assert "no rule counts a" in unwrapped(result)
    assert "2 cases of the run did not finish, now or before" in unwrapped(result)
    assert resume(project, "-k", "echo[x]").ret == 10
    result = resume(project)
    assert (result.ret, project.last_run()["status"]) == (0, "finished")
    assert "no rule counts a" in unwrapped(result)
    assert {each["n"] for each in judged(project)} == {4}


def test_rows_that_went_before_they_were_asked_about_hold_nothing_up(project: Project, spread: list[str]) -> None:
    begin(project, MIN, row("a", "breaks"), *map(row, "bcdef"), arguments=("-x", "--max-connections=1"))
    assert set(project.cases()) < {*"abcdef"}
    write_rows(project, row("a", "breaks"), row("b"))
    result = resume(project, CHANGED, *spread)
    assert (result.ret, project.last_run()["status"]) == (0, "finished")
    assert {each["n"] for each in judged(project)} == {2}


@pytest.mark.parametrize("more", [[], ["-k", "not [b]"]], ids=["as it began", "less"])
def test_a_run_that_began_with_some_rows_goes_on_with_those_of_them_that_there_are(
    project: Project, more: list[str]
) -> None:
    rows = [row("a"), row("b"), row("c", "breaks"), row("d"), row("e")]
    begin(project, MIN, *rows, arguments=("-k", "not [e]"))
    write_rows(project, *rows[1:3], *rows[4:])
    assert resume(project, CHANGED, *more).ret == 0
    assert {each["n"] for each in judged(project)} == {2}
    assert resume(project).ret == 0
    assert project.last_run()["status"] == "finished"
    assert "e" not in project.cases()


def test_a_row_that_comes_back_counts_again_and_is_not_asked_again(project: Project) -> None:
    begin(project, MIN, row("a"), row("b"), row("c", "breaks"))
    write_rows(project, row("b"), row("c", "breaks"))
    assert resume(project, CHANGED).ret == 0
    assert {each["n"] for each in judged(project)} == {2}
    assert resume(project).ret == 0, "nothing changed since"
    assert {each["n"] for each in judged(project)} == {2}
    write_rows(project, row("a"), row("b"), row("c", "breaks"))
    result = resume(project, CHANGED)
    assert result.ret == 0
    assert "no rule counts" not in unwrapped(result)
    assert {each["n"] for each in judged(project)} == {3}
    assert project.server.ledger == []


@pytest.mark.parametrize("cut", ["--limit=3", "--slice=few"])
def test_a_run_of_some_rows_has_those_that_a_new_one_takes(project: Project, cut: str) -> None:
    rows = [row(name, "few") for name in "abde"]
    begin(project, MIN, *rows[:2], row("c", "few", "breaks"), *rows[2:], arguments=(cut,))
    write_rows(project, rows[1], row("c", "few", "breaks"), *rows[2:])
    assert resume(project, CHANGED).ret == 0
    found = judged(project)
    assert project.run("evals", cut).ret == 0
    assert judged(project) == found


def test_a_shard_is_joined_without_cases_of_rows_that_went(project: Project) -> None:
    """What people said of them, and what they came to before, stays in the file of the shard."""
    rows = [row(name) for name in "abcdefgh"]
    project.write(thresholds_yaml=f"version: 1\nsuites: {{echo: {{exact: {MIN}}}}}\n")
    project.eval(BODY, [*rows, row("broken", "breaks")])
    for number in (1, 2):
        project.run("evals", f"--shard={number}/2", f"--llmeval-db=shard{number}.db")
    (project.root / "fixed").touch()
    write_rows(project, *rows[2:], row("broken", "breaks"))
    for number in (1, 2):
        database = f"--llmeval-db=shard{number}.db"
        assert project.run("evals", "--resume=last", CHANGED, database, model="").ret == 0
    done = project.llmeval("merge", "shard1.db", "shard2.db")
    assert done.ret == 0, done.stdout.str() + done.stderr.str()
    assert "no rule counts a, b" in " ".join(done.stdout.str().split())
    assert set(project.cases()) == {*"cdefgh", "broken"}
    assert {each["n"] for each in judged(project)} == {7}


def test_scored_again_such_a_run_is_what_it_was(project: Project) -> None:
    begin(project, MIN, row("a"), row("b"), row("c", "breaks"))
    write_rows(project, row("b"), row("c", "breaks"))
    assert resume(project, CHANGED).ret == 0
    found = judged(project)
    done = project.llmeval("rescore", "last")
    assert done.ret == 0, done.stdout.str()
    assert judged(project) == found


@pytest.mark.parametrize("passes", [False, True], ids=["missed", "broke"])
def test_a_suite_that_lost_all_its_rows_counts_for_nothing(project: Project, passes: bool) -> None:
    """As in a new run of the same slice."""
    begin(project, EVERY, row("a", "few"), row("c", "few", "breaks"), arguments=("--slice=few",))
    (project.root / "fixed").unlink()
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {every: true}}, two: {exact: {every: true}}}\n")
    two = row("e", *(["few", "breaks"] if passes else ["few"]), passes=passes)
    project.eval(BODY.replace("test_echo", "test_two"), [two], name="two")
    project.run("evals", "--slice=few")
    (project.root / "fixed").touch()
    project.write(data__two_jsonl=jsonl(two | {"slice": ["other"]}))
    done = resume(project, CHANGED)
    assert done.ret == 0, done.stdout.str()
    assert "the dataset of suite 'two' changed" in unwrapped(done)
    assert {each["verdict"] for each in judged(project)} == {"pass", "not_judged"}


@pytest.mark.parametrize("cut", [(), ("--limit=2",)], ids=["all", "the first"])
def test_rows_in_another_order_are_the_same_rows_unless_others_are_the_first(
    project: Project, cut: tuple[str, ...], spread: list[str]
) -> None:
    """As a folder, a set or a database may give them. The run goes on as if nothing was, and may be a baseline."""
    rows = [row("a", "breaks"), row("b"), row("c")]
    begin(project, MIN, *rows, arguments=cut)
    write_rows(project, *reversed(rows))
    result = resume(project, *spread)
    if cut:
        assert result.ret == 4
        assert "the dataset of suite 'echo' changed" in result.stdout.str() + result.stderr.str()
        return
    assert (result.ret, len(project.server.ledger)) == (0, 0)
    assert project.cases() == {"a": "passed", "b": "passed", "c": "passed"}
    assert project.llmeval("baseline", "set", "main", "last").ret == 0
