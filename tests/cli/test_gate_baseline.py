"""``llmeval gate`` compares with what the session was told, or with what it is told itself."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.project import OPTIONS, Project
from tests.support.row_evals import EXACT

ROWS = [{"id": f"r{number:02}", "input": "yes", "target": "yes"} for number in range(10)]
WORSE = 'prompt="no {input}"'
PLAIN = """
import os
import pytest

@pytest.mark.parametrize("key", [os.environ["LLMEVAL_API_KEY"]])
def test_plain(key): assert False
def test_other(): pass
"""
RULES = "version: 1\n{baseline}suites: {{echo: {{exact: {{max_drop: 0.02}}}}}}\n"


@pytest.fixture
def two_runs(project: Project) -> tuple[str, str]:
    """The ids of a good run and of a worse one, and rules that name no baseline."""
    ids = []
    project.write(thresholds_yaml=RULES.format(baseline=""))
    for marker in ("", WORSE):
        project.eval(EXACT, ROWS, marker=marker)
        project.run("evals")
        ids.append(str(project.last_run()["id"]))
    return ids[0], ids[1]


def test_nothing_is_judged_without_a_baseline(two_runs: tuple[str, str], llmeval: Command) -> None:
    done = llmeval("gate")
    assert done.status == 0
    assert "not judged (no baseline): echo exact max_drop=0.02" in done.out


def test_an_option_names_one(two_runs: tuple[str, str], llmeval: Command) -> None:
    base, worse = two_runs
    done = llmeval("gate", worse, "--baseline", base)
    assert done.status == 1
    assert f"compared with run {base}, of " in done.out
    told = llmeval("gate", worse, "--baseline", base, "--json").json()
    assert told["baseline"] == {"name": base, "kind": "run", "run": base, "model": None}
    assert [found["delta"] for found in told["verdicts"]] == [-1.0]
    assert llmeval("gate", base, "--baseline", worse).status == 0


def test_a_run_that_is_shown_says_what_it_was_compared_with(
    project: Project, two_runs: tuple[str, str], llmeval: Command
) -> None:
    base, _ = two_runs
    project.run("evals", f"--baseline={base}")
    assert f"compared with run {base}" in llmeval("show").out
    assert llmeval("baseline", "set", "main", base).status == 0
    project.run("evals", "--baseline=main")
    assert f"compared with baseline main: run {base}" in " ".join(llmeval("show").out.split())
    assert "compared with" not in llmeval("show", base).out


def test_the_command_that_shows_flips_names_the_run_once_the_name_has_moved(
    project: Project, two_runs: tuple[str, str], llmeval: Command
) -> None:
    base, worse = two_runs
    assert llmeval("baseline", "set", "main", base).status == 0
    project.run("evals", "--baseline=main")
    run = project.last_run()["id"]
    assert f"what changed: llmeval compare main {run}" in " ".join(llmeval("gate", "last").out.split())
    assert llmeval("baseline", "set", "main", worse, "--even-red").status == 0
    assert f"what changed: llmeval compare {base} {run}" in " ".join(llmeval("gate", "last").out.split())


def test_misses_of_suites_without_rules_are_told_beside_a_gate_that_passes(
    project: Project, two_runs: tuple[str, str], llmeval: Command
) -> None:
    """Else nothing says why the status is 1."""
    project.write(
        evals__test_other_py=EXACT.replace(
            "def test_echo",
            """
import pytest

@pytest.mark.llmeval([{"input": "yes", "target": "no"}, {"input": "no", "target": "yes"}])
def test_other""",
        )
    )
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0}}}\n")
    result = project.run("evals")
    told = "note: 2 cases missed in a suite without rules (other): status 1"
    for text in ("\n".join(result.outlines), llmeval("gate").out, llmeval("show").out):
        assert told in " ".join(text.split()) and "gate: PASS (1 pass), status 1" in text
    assert (result.ret, llmeval("gate").status) == (1, 1)
    assert "(llmeval show" in llmeval("baseline", "set", "main").err
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0}}, other: {exact: {min: 0}}}\n")
    done = llmeval("gate")
    assert (done.status, "without rules" in done.out) == (0, False)


def test_misses_without_any_rules_are_told_where_no_test_fails_by_them(project: Project, llmeval: Command) -> None:
    """By a session that goes on with a run in which they ended, and by the gate; a session of which they fail tests
    says it by those."""
    project.eval(EXACT, [{"id": "a", "input": "no", "target": "yes"}], name="other")
    told = "note: 1 case missed in a suite without rules (echo): status 1"
    result = project.run("evals")
    assert (result.ret, told in result.outlines) == (1, False)
    assert (llmeval("gate").status, told in llmeval("gate").out) == (1, True)
    result = project.run("evals", "--resume=last", model="")
    assert (result.ret, told in result.outlines) == (1, True)


def test_a_run_that_went_on_with_another_baseline_keeps_that(
    project: Project, two_runs: tuple[str, str], llmeval: Command
) -> None:
    """The command that is printed for it need not name it again."""
    assert project.run("evals", "--resume=last", f"--baseline={two_runs[0]}").ret == 1
    assert llmeval("gate").status == 1
    assert project.run("evals", "--resume=last").ret == 1
    assert project.run("evals", "--resume=last", "--baseline=none").ret == 0
    assert llmeval("gate").status == project.run("evals", "--resume=last").ret == 0


def test_what_is_not_there_is_a_mistake(two_runs: tuple[str, str], llmeval: Command) -> None:
    done = llmeval("gate", "--baseline", "gone")
    assert done.status == 4
    assert "--baseline gone: 'gone': no baseline, no run" in done.err


def test_a_run_is_not_compared_with_itself(two_runs: tuple[str, str], llmeval: Command) -> None:
    done = llmeval("gate", two_runs[0], "--baseline", two_runs[0])
    assert done.status == 0
    assert "is this run itself): echo exact max_drop=0.02" in done.out.replace("\n  ", " ")


def test_the_baseline_of_the_rules_is_used(project: Project, two_runs: tuple[str, str], llmeval: Command) -> None:
    """Set since the session, too."""
    project.write(thresholds_yaml=RULES.format(baseline="baseline: main\n"))
    assert llmeval("gate").status == 0
    assert llmeval("baseline", "set", "main", two_runs[0]).status == 0
    assert llmeval("gate").status == 1
    assert llmeval("gate", "--baseline", "none").status == 0


def test_the_session_s_verdict_comes_out_again(project: Project, two_runs: tuple[str, str], llmeval: Command) -> None:
    """Though the name has moved on to another run."""
    base, worse = two_runs
    project.write(thresholds_yaml=RULES.format(baseline="baseline: main\n"))
    llmeval("baseline", "set", "main", base)
    assert project.run("evals").ret == 1
    run = project.last_run()
    assert json.loads(run["settings_json"])["baseline"]["run"] == base
    assert llmeval("baseline", "set", "main", worse, "--even-red").status == 0
    assert llmeval("gate", run["id"]).status == 1
    assert llmeval("gate", run["id"], "--baseline", "main").status == 0


def test_what_the_session_was_told_is_used_again(project: Project, two_runs: tuple[str, str], llmeval: Command) -> None:
    assert project.run("evals", f"--baseline={two_runs[0]}").ret == 1
    assert llmeval("gate").status == 1


def test_what_the_option_meant_then_is_meant_again(
    project: Project, two_runs: tuple[str, str], llmeval: Command
) -> None:
    """``last`` is another run by now, and so is the one that has the name."""
    base, worse = two_runs
    llmeval("baseline", "set", "main", base)
    for given in ("main", "last"):
        project.eval(EXACT, ROWS)
        assert project.run("evals").ret == 0
        project.eval(EXACT, ROWS, marker=WORSE)
        assert project.run("evals", f"--baseline={given}").ret == 1
        assert llmeval("gate").status == 1
        llmeval("baseline", "set", "main", worse, "--even-red")
        assert llmeval("gate").status == 1
        assert llmeval("gate", "--baseline", "main").status == 0


def test_an_exported_baseline_is_as_good(
    project: Project, two_runs: tuple[str, str], llmeval: Command, tmp_path: Path
) -> None:
    file = tmp_path / "main.jsonl.gz"
    assert llmeval("baseline", "export", two_runs[0], str(file), "--no-answers").status == 0
    by_run = llmeval("gate", two_runs[1], "--baseline", two_runs[0], "--json").json()
    by_file = llmeval("gate", two_runs[1], "--baseline", str(file), "--json").json()
    for told in (by_run, by_file):
        for verdict in told["verdicts"]:
            verdict.pop("reason")  # it names the baseline
    assert by_file["verdicts"] == by_run["verdicts"]
    assert by_file["exit_code"] == 1


def test_a_baseline_is_scored_again_where_a_scorer_is_new(
    project: Project, two_runs: tuple[str, str], llmeval: Command
) -> None:
    """As the message says; then the run that had no verdict has one, without any call."""
    llmeval("baseline", "set", "main", two_runs[0])
    project.write(thresholds_yaml=RULES.format(baseline="baseline: main\n").replace("exact", "contains"))
    project.eval(EXACT.replace("exact", "contains"), ROWS, marker=WORSE)
    session = project.run("evals")
    assert session.ret == 10
    told = " ".join(line.strip() for line in session.outlines)
    assert "score its answers again (llmeval rescore main) and set that" in told
    current, calls = project.last_run()["id"], len(project.server.ledger)
    project.eval(EXACT.replace("exact", "contains"), ROWS)  # with the baseline's prompt, whose answers are there
    done = llmeval("rescore", "main")
    assert done.status == 0, done.out
    assert llmeval("baseline", "set", "main").status == 0
    assert llmeval("gate", current, "--baseline", "main").status == 0  # "no yes" contains "yes"
    assert len(project.server.ledger) == calls


def test_a_run_that_was_scored_again_twice_is_not_judged_against_its_own_answers(
    two_runs: tuple[str, str], llmeval: Command
) -> None:
    """Nor where the runs between are not there, as in a database that has it and the first from their files."""
    llmeval("baseline", "set", "main", two_runs[1])
    for scored in (two_runs[1], "last"):
        done = llmeval("rescore", scored, "--baseline", "main")
        assert "not judged (the answers are those of baseline main)" in done.out
    for run, name in ((two_runs[1], "first"), ("last", "third")):
        assert llmeval("baseline", "export", run, f"{name}.jsonl").status == 0
        assert llmeval("baseline", "import", f"{name}.jsonl", "--name", name, "--db", "other.db").status == 0
    told = llmeval("gate", "last", "--baseline", "first.jsonl", "--db", "other.db").out
    assert "not judged (the answers are those of baseline first.jsonl)" in told


def test_what_fails_a_run_beside_its_rules_is_told_wherever_the_run_is_shown(
    project: Project, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strict xfail that passed survives an export, also one without answers, in which its reason does not stand.

    The id of a failed test, which parameters are part of, holds no key.
    """
    monkeypatch.setenv("LLMEVAL_API_KEY", "sk-abcdefghijklmnop")
    marked = [{**row, "marks": ["xfail"]} if row["id"] in ("r01", "r02") else row for row in ROWS[:5]]
    project.eval(EXACT, marked)
    rule = "version: 1\nsuites: {echo: {exact: {min: 0.5}}}\n"
    project.write(thresholds_yaml=rule, pytest_ini=f"[pytest]\n{OPTIONS}xfail_strict = true\n")
    project.write(evals__test_plain_py=PLAIN)
    result = project.run("evals", "-p", "no:cacheprovider")
    assert result.ret == 1
    beside = "warning: 1 test that is not an eval failed, and with it the session: evals/test_plain.py::test_plain[***]"
    why = "2 cases had to fail and passed (strict xfail), which fails a run: r01 of echo, r02 of echo"
    done = llmeval("gate", "last")
    assert (done.status, f"{beside} warning: {why} gate: PASS" in " ".join(done.out.split())) == (1, True)
    assert " ".join(done.out.split()).count(why) == 1
    shown = ["\n".join(result.outlines), llmeval("show").out, llmeval("export", "markdown").out.replace("\\", "")]
    assert all(told in " ".join(text.split()) for told in (beside, why) for text in shown)
    assert llmeval("gate", "last", "--json").json()["warnings"] == [why]
    assert "sk-abc" not in str(project.last_run()) + "".join(shown[1:])
    for number, flags in enumerate([[], ["--no-answers"]]):
        file, db = f"b{number}.jsonl", f"b{number}.db"
        assert llmeval("baseline", "export", "last", file, "--even-red", *flags).status == 0
        assert llmeval("baseline", "import", file, "--name", "main", "--db", db).status == 0
        assert llmeval("gate", "last", "--db", db).status == 1


def test_what_an_export_without_answers_says_of_a_strict_xfail_quotes_nobody(
    project: Project, llmeval: Command
) -> None:
    project.eval('@pytest.mark.xfail(reason="a secret", strict=True)' + EXACT, ROWS[:1])
    assert project.run("evals").ret == 1
    assert llmeval("baseline", "export", "last", "b.jsonl", "--even-red", "--no-answers").status == 0
    told = [json.loads(line) for line in (project.root / "b.jsonl").read_text().splitlines()]
    assert (told[1]["error"], "a secret" in str(told)) == ("[XPASS(strict)]", False)


def test_a_baseline_that_was_imported_is_not_scored_again(
    project: Project, two_runs: tuple[str, str], llmeval: Command
) -> None:
    """Its calls are where it was recorded: what cannot be done is not advised."""
    llmeval("baseline", "export", two_runs[0], "main.jsonl")
    assert llmeval("baseline", "import", "main.jsonl", "--name", "main", "--llmeval-db", "ci.db").status == 0
    project.write(thresholds_yaml=RULES.format(baseline="baseline: main\n").replace("exact", "contains"))
    project.eval(EXACT.replace("exact", "contains"), ROWS, marker=WORSE)
    session = project.run("evals", "--llmeval-db", "ci.db")
    told = " ".join(line.strip() for line in session.outlines)
    assert session.ret == 10
    assert "has no value of 'contains'; set a new baseline" in told
    assert "score its answers again" not in told
