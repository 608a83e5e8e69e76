"""llmeval merge: the shards of a run come to the run that one machine would have recorded, and are judged as one."""

import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.store.processes import process_started
from tests.cli.conftest import Command
from tests.support.fault_server import FaultHandler, FaultServer
from tests.support.judges import named, verdict
from tests.support.project import Project
from tests.support.row_evals import EXACT
from tests.support.stored_runs import look

ROWS: list[dict[str, Any]] = [
    {"id": f"row{number}", "input": f"q{number}", "target": f"q{number}" if number % 4 else "no", "slice": "some"}
    for number in range(12)
]
JUDGED = """
def test_echo(response, score):
    score.judge_sync(response, rubric="qa")
"""
OF_A_CASE = (
    "nodeid, suite, sample_id, model, epoch, slices, outcome, error_kind, input_digest, response, input_tokens,"
    " output_tokens, attempts, cached, target, cluster"
)


def rules(bound: str = "min: 0.5") -> str:
    return f"version: 1\nsuites: {{echo: {{exact: {{{bound}}}}}}}\n"


@pytest.fixture
def written(project: Project) -> Project:
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml=rules())
    return project


def record_shards(project: Project, of: int = 3, *arguments: str, numbers: Iterable[int] = ()) -> list[str]:
    """Run each shard with a database of its own, as on a machine of its own; return the files."""
    files = []
    for number in numbers or range(1, of + 1):
        files.append(f"machine{number}/llmeval.db")
        assert project.run("evals", f"--shard={number}/{of}", f"--llmeval-db={files[-1]}", *arguments).ret == 0
    return files


def joined_and_mended(project: Project, llmeval: Command, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Join shards of which one had no key, resume the joined run with one, and return the files."""
    files = [*record_shards(project, 2, numbers=[1]), "two.db"]
    with monkeypatch.context() as refusing:
        refusing.setattr(FaultHandler, "_normal", lambda handler, entry: handler._error(401, "no"))
        assert project.run("evals", "--shard=2/2", "--llmeval-db=two.db").ret == 10
    done = llmeval("merge", *files)
    run = project.last_run()["id"]
    assert (done.status, done.out.splitlines()[-1]) == (10, f"continue with: pytest --resume {run} evals")
    assert llmeval("gate", run).out.splitlines()[-1] == f"continue with: pytest --resume {run} evals"
    assert project.run("evals", "--resume=last").ret == 0
    assert "continue with" not in llmeval("gate", run).out
    return files


def as_if_killed(pid: int = 4194305) -> None:
    """Leave the run of the project's database as what a process that was killed before the verdict leaves."""
    with closing(sqlite3.connect(".llmeval/llmeval.db")) as connection, connection:
        told = {"pid": pid, "started": process_started(pid)}
        connection.execute(
            "UPDATE runs SET status = 'running', finished_at = NULL, pid = :pid, process_started = :started,"
            " verdict = 'none'",
            told,
        )
        connection.execute("DELETE FROM verdicts")


def test_the_joined_run_is_the_run_of_one_machine(written: Project, llmeval: Command) -> None:
    """All that does not depend on time and ids is equal, in every table; the whole may be a baseline."""
    done = llmeval("merge", *record_shards(written, 3, "--epochs=2"))
    assert done.status == 0
    assert written.run("evals", "--epochs=2", "--llmeval-db=whole.db").ret == 0
    one, other = Path(".llmeval/llmeval.db"), Path("whole.db")
    for sql in (
        f"SELECT {OF_A_CASE} FROM cases ORDER BY sample_id, epoch",
        "SELECT sample_id, epoch, scores.name, value, passed, scores.status, scorer_digest FROM scores"
        " JOIN cases ON cases.id = case_id ORDER BY sample_id, epoch, scores.name",
        "SELECT sample_id, epoch, calls.request, calls.response, calls.checksum IS NOT NULL FROM calls"
        " JOIN cases ON cases.id = case_id ORDER BY sample_id, epoch",
        "SELECT suite, model, metric, rule, value, n, low, high, verdict, reason FROM verdicts",
        "SELECT name, status, exit_code, verdict, models, git_commit, dataset_digest, version FROM runs",
    ):
        assert look(one, sql) == look(other, sql)
    joined, whole = (json.loads(look(file, "SELECT * FROM runs")[0]["settings_json"]) for file in (one, other))
    assert joined["suites"] == whole["suites"]
    assert joined["options"] == whole["options"]
    assert "shard" not in joined
    assert llmeval("baseline", "set", "main", "last").status == 0
    assert llmeval("gate").status == 0


@pytest.mark.parametrize("cut", [(), ("--limit=6",)], ids=["all", "the first"])
def test_each_machine_may_read_the_rows_in_an_order_of_its_own(
    written: Project, llmeval: Command, cut: tuple[str, ...]
) -> None:
    """A row lies in the same shard for all of them, unless each takes the first of its own order."""
    files = record_shards(written, 2, *cut, numbers=[1])
    written.eval(EXACT, ROWS[::-1])
    files += record_shards(written, 2, *cut, numbers=[2])
    done = llmeval("merge", *files)
    if cut:
        assert done.status == 4
        assert "differs from" in done.err and done.err.rstrip().endswith("in the rows")
        return
    assert done.status == 0
    assert written.cases().keys() == {row["id"] for row in ROWS}


@pytest.mark.parametrize(("bound", "status", "verdict"), [("min: 0.7", 0, "pass"), ("min: 0.9", 1, "fail")])
def test_one_gate_judges_all_shards(written: Project, llmeval: Command, bound: str, status: int, verdict: str) -> None:
    written.write(thresholds_yaml=rules(bound))
    done = llmeval("merge", *record_shards(written), "--json")
    assert done.status == status
    told = done.json()
    assert (told["exit_code"], told["verdict"], told["verdicts"][0]["n"]) == (status, verdict, 12)
    assert list(told["shards"]) == ["1/3", "2/3", "3/3"]
    run = written.last_run()
    assert (run["id"], run["verdict"], run["exit_code"]) == (told["run"], verdict, status)
    assert [row["verdict"] for row in written.rows("SELECT * FROM verdicts")] == [verdict]


def test_a_misspelt_slice_is_a_mistake_before_anything_is_joined(written: Project, llmeval: Command) -> None:
    """No shard could tell: each has only some of the rows."""
    files = record_shards(written)
    written.write(thresholds_yaml="version: 1\nsuites: {echo: {slices: {sone: {exact: {min: 0.5}}}}}\n")
    assert llmeval("gate", "--db", files[0]).status == 0
    done = llmeval("merge", *files)
    assert (done.status, done.out) == (4, "")
    assert "thresholds.yaml:2: suites.echo.slices.sone: unknown slice 'sone'; did you mean 'some'?" in done.err
    assert not written.rows("SELECT * FROM runs")
    written.write(thresholds_yaml="version: 1\nsuites: {echo: {slices: {some: {exact: {min: 0.5}}}}}\n")
    assert llmeval("merge", *files).status == 0


def test_shards_that_one_machine_ran_one_by_one_lie_in_one_file(written: Project, llmeval: Command) -> None:
    """The joined run is the newest of the file then."""
    for number in (1, 2):
        assert written.run("evals", f"--shard={number}/2").ret == 0
    done = llmeval("merge", ".llmeval/llmeval.db")
    assert done.status == 0
    assert "2 shards joined as run" in done.out
    assert len(written.cases()) == 12


def test_merging_again_finds_the_run(written: Project, llmeval: Command) -> None:
    files = record_shards(written)
    first = llmeval("merge", *files, "--json").json()
    before = written.rows("SELECT * FROM runs")
    written.write(thresholds_yaml=rules("min: 0.9"))
    again = llmeval("merge", *reversed(files))
    assert again.status == 1, "by today's rules"
    assert f"3 shards had been joined as run {first['run']}" in again.out
    assert written.rows("SELECT * FROM runs") == before
    assert len(written.rows("SELECT * FROM cases")) == 12


def test_a_merge_that_was_killed_before_its_verdict_is_done_again(written: Project, llmeval: Command) -> None:
    files = record_shards(written)
    assert llmeval("merge", *files).status == 0
    as_if_killed()
    assert llmeval("gate").status == 1, "a run without an end is not a success"
    told = "was left by a merge that was killed; llmeval merge with the same files completes it"
    assert told in llmeval("baseline", "set", "main", "last").err
    resumed = written.run("evals", "--resume=last")
    assert (resumed.ret, told in resumed.stderr.str()) == (4, True)
    assert llmeval("merge", *files).status == 0
    assert (written.last_run()["status"], written.last_run()["verdict"]) == ("finished", "pass")
    assert len(written.rows("SELECT * FROM verdicts")) == 1


def test_a_joined_run_whose_resuming_session_was_killed_is_resumed_again(written: Project, llmeval: Command) -> None:
    """No merge was killed, and the files of the shards may be gone."""
    assert llmeval("merge", *record_shards(written, 2)).status == 0
    assert written.run("evals", "--resume=last").ret == 0
    as_if_killed()
    assert "continue with: pytest --resume" in llmeval("baseline", "set", "main", "last").err
    assert written.run("evals", "--resume=last").ret == 0
    assert (written.last_run()["status"], written.last_run()["verdict"]) == ("finished", "pass")


def test_the_joined_run_is_scored_again_without_a_call(written: Project, llmeval: Command) -> None:
    assert llmeval("merge", *record_shards(written, 2)).status == 0
    asked = len(written.server.ledger)
    written.write(thresholds_yaml=rules("min: 0.9"))
    written.eval(EXACT.replace("sample.target)", "'q' + sample.id[3:])"))
    assert llmeval("rescore", "last").status == 0
    assert set(written.cases().values()) == {"passed"}
    assert len(written.server.ledger) == asked


def test_into_names_the_file_of_the_joined_run(written: Project, llmeval: Command) -> None:
    assert llmeval("merge", *record_shards(written), "--into", "all.db").status == 0
    assert not Path(".llmeval").exists()
    assert len(look(Path("all.db"), "SELECT * FROM cases")) == 12


def test_labels_and_money_come_along(written: Project, llmeval: Command) -> None:
    priced = "models: {{echo: {{spec: '{}', prices: {{input: 1000, output: 2000}}}}}}\n"
    written.write(models_yaml=priced.format(written.model))
    files = []
    for number in (1, 2):
        files.append(f"machine{number}.db")
        done = written.run("evals", f"--shard={number}/2", f"--llmeval-db={files[-1]}", model="echo")
        assert done.ret == 0
        with closing(sqlite3.connect(files[-1])) as connection, connection:
            connection.execute(
                "INSERT INTO labels SELECT id, 'exact', 1.0, 1, 'ann', 'fine', '2026-01-01T00:00:00+00:00', NULL"
                " FROM cases"
            )
    assert llmeval("merge", *files).status == 0
    shown = llmeval("show", "--json").json()
    parts = [
        look(Path(file), "SELECT sum(cost_usd) AS usd, sum(input_tokens) AS tokens FROM calls")[0] for file in files
    ]
    assert shown["spending"][0]["cost_usd"] == pytest.approx(sum(part["usd"] for part in parts))
    assert shown["spending"][0]["input_tokens"] == sum(part["tokens"] for part in parts)
    labelled = written.rows("SELECT sample_id, rater, note FROM labels JOIN cases ON cases.id = case_id")
    assert sorted(row["sample_id"] for row in labelled) == sorted(row["id"] for row in ROWS)


def test_votes_and_judges_come_along(written: Project, llmeval: Command) -> None:
    written.eval(JUDGED, [{**row, "input": "yes"} for row in ROWS])
    written.write(thresholds_yaml="version: 1\nsuites: {echo: {correctness: {min: 0.5}}}\n")
    with FaultServer(reply=verdict) as server:
        flags = [named(written, server), "--llmeval-judge-probe=1"]
        files = record_shards(written, 2, *flags)
        whole = written.run("evals", *flags, "--llmeval-db=whole.db")
    assert whole.ret == 0
    assert llmeval("merge", *files).status == 0
    for sql in (
        "SELECT judge_id, rubric FROM judges",
        "SELECT sample_id, votes.name, judge, repeat, value, level, reason FROM votes JOIN cases ON cases.id = case_id"
        " ORDER BY sample_id, votes.name, repeat",
        "SELECT role, count(*) AS n FROM calls GROUP BY role",
    ):
        assert written.rows(sql) == look(Path("whole.db"), sql) != []


def test_a_rule_on_a_change_compares_the_whole(written: Project, llmeval: Command) -> None:
    """On a machine that lacks the baseline a line says so; merged again where it was imported, the whole is judged."""
    assert written.run("evals", "--llmeval-db=main.db").ret == 0
    assert llmeval("baseline", "set", "main", "last", "--db=main.db").status == 0
    assert llmeval("baseline", "export", "main", "main.jsonl", "--db=main.db").status == 0
    written.write(thresholds_yaml=rules("max_drop: 0.05").replace("suites", "baseline: main\nsuites"))
    files = record_shards(written)
    for arguments, count in ((["--baseline=none", "--into=other.db"], 0), ([], 1)):
        (verdict,) = (done := llmeval("merge", *files, "--json", *arguments).json())["verdicts"]
        assert (done["exit_code"], verdict["verdict"], len(done["warnings"])) == (0, "not_judged", count)
    assert "warning: 1 rule on a change not judged: the baseline is not on this" in llmeval("merge", *files).out
    assert llmeval("baseline", "import", "main.jsonl").status == 0
    done = llmeval("merge", *files, "--json")
    (verdict,) = done.json()["verdicts"]
    assert (verdict["verdict"], verdict["n"], verdict["delta"]) == ("pass", 12, 0.0)
    assert (done.json()["baseline"]["name"], done.json()["warnings"]) == ("main", [])


def test_a_failed_test_beside_the_evals_fails_the_whole(written: Project, llmeval: Command) -> None:
    """It counts once, as ordinary tests run in each shard; of very many no more is kept than that."""
    own = "@pytest.mark.parametrize('n', range(101))\ndef test_own(n):\n    assert n >= int(os.environ['FAILED'])\n"
    written.write(tests__test_own_py=f"import os\nimport pytest\n\n{own}")
    for failed, many, more in ((101, "more than 100", "and more"), (100, "100", "and 97 more")):
        written.pytester._monkeypatch.setenv("FAILED", str(failed))
        assert written.run("tests", "evals", "--shard=2/2", f"--llmeval-db={failed}.db").ret == 1
        told = " ".join(llmeval("show", "--db", f"{failed}.db").out.split())
        assert f"warning: {many} tests that are not evals failed" in told
        assert f"::test_own[2] {more}" in told
    written.pytester._monkeypatch.setenv("FAILED", "1")
    assert written.run("tests", "evals", "--shard=1/2", "--llmeval-db=one.db").ret == 1
    done = llmeval("merge", "one.db", "100.db")
    assert done.status == 1
    assert "warning: 100 tests that are not evals failed" in " ".join(done.out.split())
    assert "shard 2/2 ended with status 1" in done.out
    assert llmeval("baseline", "set", "main", "last").status == 4


def test_another_plugins_status_of_a_shard_is_that_of_the_whole(written: Project, llmeval: Command) -> None:
    """As of one session: where ours would be 0. The run is no baseline then."""
    files = record_shards(written, 2, numbers=[1])
    written.write(conftest_py="def pytest_sessionfinish(session):\n    session.exitstatus = 7\n")
    assert written.run("evals", "--shard=2/2", "--llmeval-db=two.db").ret == 7
    done = llmeval("merge", *files, "two.db")
    assert (done.status, written.last_run()["exit_code"]) == (7, 7)
    assert "shard 2/2 ended with status 7" in done.out
    assert llmeval("baseline", "set", "main", "last").status == 4


def test_what_the_joined_run_asked_again_counts_where_it_is_joined_again(
    written: Project, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the shard left open is not open any more."""
    files = joined_and_mended(written, llmeval, monkeypatch)
    again = llmeval("merge", *files)
    assert (again.status, "ended with status" in again.out) == (0, False)


@pytest.mark.parametrize(
    ("is_alive", "told"),
    [(True, "has not ended; join them when it has"), (False, "crashed; continue with: pytest --resume ")],
)
def test_a_joined_run_that_goes_on_is_left_to_its_session(
    written: Project, llmeval: Command, monkeypatch: pytest.MonkeyPatch, is_alive: bool, told: str
) -> None:
    """It is not one that a killed merge left: what it holds of the sessions that went on with it stays."""
    files = joined_and_mended(written, llmeval, monkeypatch)
    as_if_killed(*([os.getpid()] if is_alive else []))
    before = written.last_run()
    done = llmeval("merge", *files)
    assert done.status == 4
    assert f"run {before['id']}, as which these shards were joined, was resumed and {told}" in done.err
    assert written.last_run() == before
    as_if_killed()
    assert written.run("evals", "--resume=last").ret == 0
    assert llmeval("merge", *files).status == 0


def test_errors_of_several_shards_add_up(written: Project, llmeval: Command) -> None:
    """None of the shards is judged; together they have more errors than the rules bear."""
    written.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.target['x'])\n")
    files = record_shards(written)
    assert llmeval("merge", *files).status == 10
    assert written.last_run()["status"] == "unmeasurable"


def test_shards_without_any_case_are_nothing_collected(written: Project, llmeval: Command) -> None:
    done = llmeval("merge", *record_shards(written, 2, "-k", "nothing"))
    assert done.status == 5
    assert not Path(".llmeval").exists()


def test_more_shards_than_rows(written: Project, llmeval: Command) -> None:
    done = llmeval("merge", *record_shards(written, 4, "--limit=2"), "--json")
    assert done.json()["verdicts"][0]["n"] == 2


def test_rescored_shards_are_joined_too(written: Project, llmeval: Command) -> None:
    """The whole shares its answers with the run that its shards' answers make up, and is not compared with it."""
    files = record_shards(written, 2)
    first = llmeval("merge", *files, "--json").json()["run"]
    for file in files:
        assert llmeval("rescore", "last", "--llmeval-db", file).status == 0
    second = llmeval("merge", *files, "--json")
    assert second.status == 0
    settings = json.loads(written.rows("SELECT * FROM runs WHERE id = ?", second.json()["run"])[0]["settings_json"])
    assert settings["rescored"] == first


def test_shards_that_were_scored_again_twice_are_not_judged_against_their_own_answers(
    written: Project, llmeval: Command
) -> None:
    """What was between them was never joined."""
    files = record_shards(written, 2)
    first = llmeval("merge", *files, "--json").json()["run"]
    for file in (*files, *files):
        assert llmeval("rescore", "last", "--llmeval-db", file).status == 0
    joined = llmeval("merge", *files, "--json").json()["run"]
    settings = json.loads(written.rows("SELECT * FROM runs WHERE id = ?", joined)[0]["settings_json"])
    assert settings["rescored"] == first
