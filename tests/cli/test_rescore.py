"""``llmeval rescore``: today's scorers over stored answers, in a run of its own, without any call."""

import json

import pytest

from tests.cli.conftest import Command
from tests.support.project import Project
from tests.support.row_evals import EXACT

ROWS = [{"id": f"r{n}", "input": f"answer {n}", "target": f"answer {n % 3}"} for n in range(6)]
CONTAINS = """
def test_echo(sample, response, score):
    score.contains(response, "answer" if sample.id != "r0" else "question", name="exact")
"""


@pytest.fixture
def recorded(project: Project) -> Project:
    """A project with a run called ``main`` in which three of six rows miss."""
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.5}}}\n")
    assert project.run("evals", "--run-name=main").ret == 0
    return project


def requests(project: Project) -> int:
    return len(project.server.ledger)


@pytest.mark.parametrize("spread", [[], ["-n0"], ["-n2"]], ids=str)
def test_answers_are_scored_anew_beside_the_old_scores(recorded: Project, llmeval: Command, spread: list[str]) -> None:
    """r0 was right and is wrong now, r3, r4 and r5 the other way round; no request is sent."""
    recorded.eval(CONTAINS)
    before = (
        recorded.rows("SELECT * FROM cases JOIN scores ON case_id = cases.id ORDER BY cases.id"),
        requests(recorded),
    )
    done = llmeval("rescore", "main", *spread)
    assert done.status == 0, done.err
    old, new = recorded.rows("SELECT * FROM runs ORDER BY rowid")
    assert [row["id"] for row in before[0] if row["run_id"] != old["id"]] == []
    after = recorded.rows(
        "SELECT * FROM cases JOIN scores ON case_id = cases.id WHERE run_id = ? ORDER BY cases.id", old["id"]
    )
    assert (after, requests(recorded)) == before
    assert done.out.splitlines()[:9] == [
        "echo",
        "  pass_rate: 4 of 6 flipped",
        "    from passed to missed: 1",
        "      r0 on echo: 1 -> 0",
        "    from missed to passed: 3",
        *(f"      r{n} on echo: 0 -> 1" for n in (3, 4, 5)),
        "  exact: 4 of 6 flipped",
    ]
    assert done.out.splitlines()[-2:] == [
        f"the answers of run {old['id']} (main) were scored again as run {new['id']}",
        "gate: PASS (1 pass)",
    ]
    settings = json.loads(new["settings_json"])
    assert (new["name"], settings["rescored"], settings["partial"]) == ("main", old["id"], False)
    assert settings["models"] == json.loads(old["settings_json"])["models"]


def test_the_answers_cost_nothing_and_say_nothing_of_latency(recorded: Project, llmeval: Command) -> None:
    assert llmeval("rescore", "last").status == 0
    calls = recorded.rows("SELECT response, cached, cost_usd, latency_s, status FROM calls ORDER BY rowid")
    assert {(row["cached"], row["cost_usd"]) for row in calls[6:]} == {(1, 0.0)}
    assert sorted(row["response"] for row in calls[6:]) == sorted(row["response"] for row in calls[:6])
    newest = recorded.last_run()["id"]
    again = recorded.rows("SELECT cached, cost_usd FROM cases WHERE run_id = ?", newest)
    assert again == 6 * [{"cached": 1, "cost_usd": 0.0}]


def test_it_can_be_done_again(recorded: Project, llmeval: Command) -> None:
    """By name the newest run is meant, which holds the same answers."""
    for _ in range(2):
        assert llmeval("rescore", "main").status == 0
    chain = [json.loads(row["settings_json"]).get("rescored") for row in recorded.rows("SELECT * FROM runs")]
    assert chain[2] is not None
    assert chain[2] != chain[1]
    assert requests(recorded) == 6


def test_the_status_is_that_of_the_new_run(recorded: Project, llmeval: Command) -> None:
    recorded.eval(EXACT.replace("sample.target", "'else'"))
    done = llmeval("rescore", "main")
    assert done.status == 1
    assert done.out.splitlines()[-1] == "gate: FAIL (1 fail)"
    assert recorded.last_run()["exit_code"] == 1


def test_what_made_the_status_and_what_it_was_compared_with_is_said(recorded: Project, llmeval: Command) -> None:
    """Without a rule a miss fails the run; what the gate says explains no status then."""
    assert llmeval("baseline", "set", "main", "last").status == 0
    base, rules = recorded.last_run()["id"], "version: 1\nbaseline: main\nsuites: {echo: {exact: {max_drop: 0.5}}}\n"
    recorded.write(thresholds_yaml=rules)
    recorded.run("evals", "--run-name=newer")
    assert f"compared with baseline main: run {base}" in llmeval("rescore", "newer").out.splitlines()
    recorded.write(thresholds_yaml=rules.replace("echo", "others"))
    done = llmeval("rescore", "main")
    assert done.status == 1
    assert "note: 3 cases missed in a suite without rules (echo): status 1" in done.out.splitlines()


def test_what_flipped_comes_as_json(recorded: Project, llmeval: Command) -> None:
    recorded.eval(CONTAINS)
    told = llmeval("rescore", "main", "--json").json()
    old, new = recorded.rows("SELECT id FROM runs ORDER BY rowid")
    assert (told["run"], told["rescored"], told["exit_code"], told["verdict"]) == (new["id"], old["id"], 0, "pass")
    assert [(each["suite"], each["score"], each["cases"]) for each in told["flips"]] == [
        ("echo", "pass_rate", 6),
        ("echo", "exact", 6),
    ]
    assert told["flips"][1]["to_missed"] == [
        {"sample_id": "r0", "model": "echo", "epoch": 1, "before": 1.0, "after": 0.0}
    ]
    assert told["verdicts"][0]["verdict"] == "pass"


def test_a_changed_target_is_judged_by_todays_dataset(recorded: Project, llmeval: Command) -> None:
    recorded.eval(EXACT, [{**row, "target": row["input"]} for row in ROWS])
    assert llmeval("rescore", "main").status == 0
    assert set(recorded.cases().values()) == {"passed"}
    assert requests(recorded) == 6


def test_a_changed_prompt_has_no_stored_answer(recorded: Project, llmeval: Command) -> None:
    recorded.eval(EXACT, marker='prompt="Say: {input}"')
    done = llmeval("rescore", "main")
    assert done.status == 10
    assert requests(recorded) == 6
    errors = recorded.rows("SELECT error_kind, error FROM cases WHERE outcome = 'error'")
    assert {row["error_kind"] for row in errors} == {"not_cached"}
    assert "holds no answer to this request: prompt, row, parameters" in errors[0]["error"]
    assert "had a value and have none: 6" in done.out


def test_rows_that_are_new_wait_and_rows_that_went_are_named(recorded: Project, llmeval: Command) -> None:
    """Neither makes the new run partial: all that there was to score again was scored."""
    recorded.eval(EXACT, [*ROWS[:5], {"id": "new", "input": "x", "target": "x"}])
    assert llmeval("rescore", "main").status == 0
    assert sorted(recorded.cases()) == ["r0", "r1", "r2", "r3", "r4"]
    assert recorded.settings()["partial"] is False
    result = recorded.run("evals", "--llmeval-rescore=main", model="")
    told = ["note: the answers are those of run *; no model was asked", "  through the fixtures"]
    result.stdout.fnmatch_lines(told)
    assert requests(recorded) == 6


def test_answers_that_broke_the_test_are_scored_again_once_it_is_mended(project: Project, llmeval: Command) -> None:
    """Going on would hand them to the same code; where that changed it is refused, and a new run pays for all again."""
    reads = "def test_echo(sample, response, score):\n    score.exact(%s, sample.target)\n"
    project.eval(reads % "response.text.split()[2]", ROWS)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.4}}}\n")
    result = project.run("evals")
    assert result.ret == 10
    run = project.last_run()["id"]
    assert f"note: code broke over {len(ROWS)} answers: these are errors, not misses" in result.stdout.str()
    result.stdout.fnmatch_lines([f"once the code is fixed: llmeval rescore {run}"])
    assert "continue with" not in result.stdout.str()
    project.eval(reads % "response.text[2:] or ''")
    result = project.run("evals", "--resume=last", model="")
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*changed. Score its answers again, without any call: llmeval rescore {run}, start*"])
    project.eval(reads % "' '.join(response.text.split()[:2])")
    assert llmeval("rescore", run).status == 0
    assert (requests(project), project.last_run()["verdict"]) == (len(ROWS), "pass")


def test_a_case_that_broke_before_its_call_has_its_turn_as_the_run_goes_on(project: Project) -> None:
    """Scoring again finds no answer of it; where the test was changed meanwhile, it is not told as the way out."""
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.1}}}\n")
    project.write(
        conftest_py="""
        import pathlib, pytest

        @pytest.fixture
        def service(sample):
            if sample.id in ("r1", "r2") and not pathlib.Path("up").exists():
                raise OSError("the service is down")
        """
    )
    body = "def test_echo(sample, service, response, score):\n    score.exact(response%s, sample.target)\n"
    project.eval(body % ".text", ROWS)
    result = project.run("evals")
    run = project.last_run()["id"]
    assert (result.ret, "once the code is fixed" in result.stdout.str()) == (10, False)
    result.stdout.fnmatch_lines([f"continue with: pytest --resume {run} evals"])
    project.eval(body % "")
    result = project.run("evals", "--resume=last", model="")
    result.stderr.fnmatch_lines([f"*changed. Start a new run (llmeval rescore {run} scores what answers there are, *"])
    project.eval(body % ".text.split()[0 if sample.id < 'r5' else 2]")
    both = project.run("evals").outlines
    run = project.last_run()["id"]
    steps = [f"continue with: pytest --resume {run} evals", f"once the code is fixed: llmeval rescore {run}"]
    assert [line for line in both if line in steps] == steps
    (project.root / "up").touch()
    result = project.run("evals", "--resume=last", model="")
    assert requests(project) == 2 * len(ROWS)  # those of the broken rows had come ahead of their turn
    assert "continue with" not in result.stdout.str()
    result.stdout.fnmatch_lines([f"once the code is fixed: llmeval rescore {run}"])


def test_an_error_of_a_call_comes_again_with_its_kind_and_text(project: Project, llmeval: Command) -> None:
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.1}}}\n")
    assert project.run("evals", model=project.server.spec("fault-status-400")).ret == 10
    assert llmeval("rescore", "last").status == 10
    first, again = [
        project.rows("SELECT error_kind, error, cost_usd FROM cases WHERE run_id = ? ORDER BY sample_id", run["id"])
        for run in project.rows("SELECT id FROM runs ORDER BY rowid")
    ]
    assert [(row["error_kind"], row["error"]) for row in again] == [(row["error_kind"], row["error"]) for row in first]
    assert {row["cost_usd"] for row in again} == {0.0}


def test_models_rows_and_epochs_are_those_of_the_run(
    project: Project, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What models.yaml says by now does not matter, nor that a key is gone."""
    spec = f"openai:a@{project.server.url}"
    project.write(models_yaml=f"models:\n  one: {{spec: '{spec}', api_key_env: THE_KEY}}\n")
    monkeypatch.setenv("THE_KEY", "sk-something-long")
    project.eval(EXACT, ROWS)
    two = f"--model=openai:b@{project.server.url}"
    assert project.run("evals", "--model=one", two, "--epochs=2", "--limit=3", "-k", "r0 or r1", model="").ret == 0
    monkeypatch.delenv("THE_KEY")
    project.write(models_yaml="models:\n  other: {spec: 'openai:gpt-4o-mini'}\n")
    assert llmeval("rescore", "last").status == 0
    cases = project.rows("SELECT run_id, model, sample_id, epoch FROM cases ORDER BY model, sample_id, epoch")
    runs = [row["id"] for row in project.rows("SELECT id FROM runs ORDER BY rowid")]
    by_run = [[{**case, "run_id": ""} for case in cases if case["run_id"] == run] for run in runs]
    assert by_run[0] == by_run[1]
    assert len(by_run[0]) == 8
    first, again = (json.loads(row["settings_json"]) for row in project.rows("SELECT * FROM runs ORDER BY rowid"))
    assert again["partial"] is True
    assert again["suites"]["echo"]["left_out"] == first["suites"]["echo"]["left_out"]
    assert len(project.server.ledger) == 8


def test_what_m_selected_is_scored_again(project: Project, llmeval: Command) -> None:
    project.eval(EXACT, [{**row, "marks": ["regression"] if n < 2 else []} for n, row in enumerate(ROWS)])
    assert project.run("evals", "-m", "regression").ret == 0
    assert llmeval("rescore", "last").status == 0
    first, again = (json.loads(row["settings_json"]) for row in project.rows("SELECT * FROM runs ORDER BY rowid"))
    for key in ("markexpr", "partial"):
        assert first[key] == again[key]
    for key in ("made", "deselected", "left_out", "expected"):
        assert first["suites"]["echo"][key] == again["suites"]["echo"][key]


def test_a_run_that_did_not_end_is_scored_as_far_as_it_came(project: Project, llmeval: Command) -> None:
    """Nothing can make it whole, so that it never reports success."""
    project.eval("def test_echo(sample, response):\n    assert sample.id != 'r2'\n", ROWS)
    assert project.run("evals", "-x").ret == 1
    project.eval("def test_echo(sample, response):\n    pass\n")
    done = llmeval("rescore", "last")
    assert done.status == 10
    assert project.cases() == {"r0": "passed", "r1": "passed", "r2": "passed"}
    assert project.last_run()["status"] == "interrupted"
    assert "from missed to passed: 1" in done.out


@pytest.mark.parametrize("narrower", [["-k", "r0 or r1"], ["-m", "regression"]], ids=" ".join)
def test_what_narrows_makes_the_new_run_partial_and_the_name_stays_with_the_whole(
    recorded: Project, llmeval: Command, narrower: list[str]
) -> None:
    """A part that has a name of its own is found by that."""
    recorded.eval(EXACT, [{**row, "marks": ["regression"] if row["id"] in ("r0", "r1") else []} for row in ROWS])
    assert llmeval("rescore", "main", *narrower).status == 0
    assert sorted(recorded.cases()) == ["r0", "r1"]
    settings = recorded.settings()
    assert settings["suites"]["echo"]["left_out"] == ["4 cases were not selected"]
    assert recorded.last_run()["name"] is None
    assert llmeval("baseline", "set", "other", "main").status == 0
    assert llmeval("rescore", "main", *narrower, "--run-name=part").status == 0
    assert llmeval("rescore", "part").status == 0
    assert (len(recorded.cases()), recorded.last_run()["name"]) == (2, "part")
    assert llmeval("rescore", "main").status == 0
    assert (len(recorded.cases()), recorded.last_run()["name"]) == (6, "main")


def test_a_run_that_lacks_answers_takes_no_name(recorded: Project, llmeval: Command) -> None:
    """Be it for one row of six, which a rule may bear, or for all, as after a change of the application."""
    recorded.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.1}, settings: {max_error_rate: 0.2}}}\n")
    for changed in (1, 6):
        recorded.eval(EXACT, [{**row, "input": "other"} for row in ROWS[:changed]] + ROWS[changed:])
        llmeval("rescore", "main")
        kinds = recorded.rows("SELECT error_kind FROM cases WHERE run_id = ?", recorded.last_run()["id"])
        assert sum(row["error_kind"] == "not_cached" for row in kinds) == changed
        assert recorded.last_run()["name"] is None


@pytest.mark.parametrize("arguments", [["--limit=2"], ["--model", "gpt-4o-mini"], ["--resume=last"], ["--cache=use"]])
def test_options_that_the_run_decides_are_refused(recorded: Project, llmeval: Command, arguments: list[str]) -> None:
    done = llmeval("rescore", "main", *arguments)
    assert done.status == 4
    assert "models, rows and epochs are those of the run" in done.err
    assert f"leave out {arguments[0].partition('=')[0]} (" in done.err
    assert len(recorded.rows("SELECT * FROM runs")) == 1


@pytest.mark.parametrize("variable", ["LLMEVAL_LIMIT", "LLMEVAL_RESUME"])
def test_the_environment_decides_nothing_that_the_run_does(
    recorded: Project, llmeval: Command, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Nobody typed it; a run that was itself scored again would not even go on."""
    monkeypatch.setenv(variable, "1" if variable == "LLMEVAL_LIMIT" else "last")
    for _ in range(2):
        done = llmeval("rescore", "main")
        assert done.status == 0, done.err
    assert len(recorded.cases()) == 6


def test_an_option_of_the_project_is_none_that_the_run_decides(recorded: Project) -> None:
    recorded.write(conftest_py="def pytest_addoption(parser):\n    parser.addoption('--limit')\n")
    rescore = ("evals", "--llmeval-rescore=main", "-k", "r0")
    assert recorded.run(*rescore, "--limit", "3", model="").ret == 0
    result = recorded.run(*rescore, "--llmeval-limit", "3", model="")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*leave out --llmeval-limit (*"])


def test_a_run_that_nobody_knows_is_a_mistake(recorded: Project, llmeval: Command) -> None:
    assert "no run 'mian'; did you mean 'main'?" in llmeval("rescore", "mian").err
    result = recorded.run("evals", "--llmeval-rescore=mian", model="")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--llmeval-rescore: .llmeval/llmeval.db: no run 'mian'*"])


def test_a_test_that_is_gone_is_said_by_pytest(recorded: Project, llmeval: Command) -> None:
    recorded.eval(EXACT.replace("test_echo", "test_other"))
    done = llmeval("rescore", "main")
    assert done.status == 4
    assert "test_echo" in done.err


def test_last_means_the_same_run_in_every_worker(recorded: Project) -> None:
    """A worker that looks late finds the new run in the database already."""
    recorded.write(
        conftest_py="""
        import sqlite3
        import time

        def pytest_collection(session):
            deadline = time.monotonic() + 20
            is_late = getattr(session.config, "workerinput", {}).get("workerid") == "gw1"
            while is_late and time.monotonic() < deadline:
                if sqlite3.connect(".llmeval/llmeval.db").execute("SELECT count(*) FROM runs").fetchone()[0] == 2:
                    open("late.txt", "w").close()
                    break
                time.sleep(0.02)
        """
    )
    first = recorded.last_run()["id"]
    result = recorded.run("evals", "--llmeval-rescore=last", "-n2", model="")
    assert result.ret == 0, result.stdout.str()
    assert (recorded.root / "late.txt").exists()
    assert recorded.settings()["rescored"] == first
    assert sorted(recorded.cases()) == [row["id"] for row in ROWS]


def test_a_rescored_run_is_not_resumed(recorded: Project, llmeval: Command) -> None:
    assert llmeval("rescore", "main").status == 0
    result = recorded.run("evals", "--resume=last", model="")
    assert result.ret == 4
    told = "*scored the answers of run * again and asked no model; do it again with: llmeval rescore "
    result.stderr.fnmatch_lines([f"{told}*"])
    (recorded.root / ".llmeval").rename(recorded.root / "kept")
    elsewhere = recorded.run("evals", "--resume=last", "--llmeval-db=kept/llmeval.db", model="")
    elsewhere.stderr.fnmatch_lines([f"{told}* --llmeval-db kept/llmeval.db"])


def test_an_imported_run_is_scored_again_only_where_it_made_no_call(recorded: Project, llmeval: Command) -> None:
    """A file holds no calls, so that each case would be an error that blames its prompt."""
    recorded.eval(EXACT.replace("response, sample.target", "sample.input, sample.target").replace("response, ", ""))
    assert recorded.run("evals", "--run-name=silent").ret == 0
    for name in ("main", "silent"):
        assert llmeval("baseline", "export", name, f"{name}.gz").status == 0
        assert llmeval("baseline", "import", f"{name}.gz", "--llmeval-db=there.db").status == 0
    done = llmeval("rescore", "main", "--llmeval-db=there.db")
    assert (done.status, done.out) == (4, "")
    assert "was imported without its calls; it can be scored again only in the database that recorded it" in done.err
    assert llmeval("rescore", "silent", "--llmeval-db=there.db").status == 0


def test_several_calls_of_a_case_are_told_apart(project: Project, llmeval: Command) -> None:
    """The same request twice, and another: each gets its own answer again."""
    answers = iter("abc")
    project.server.reply = lambda messages: next(answers)
    body = """
    def test_echo(model, score):
        said = "".join(model.generate_sync(text).text for text in ("x", "x", "y"))
        assert said == "{}"
    """
    project.eval(body.format("abc"), ROWS[:1])
    assert project.run("evals").ret == 0
    assert llmeval("rescore", "last").status == 0
    assert len(project.server.ledger) == 3
