"""``--cache``: which answers of earlier runs serve again, and which never do (contract, section 3; rows S18, X16)."""

import contextlib
import json
import os
import sqlite3
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.project import Project
from tests.support.sessions import Held, Session, asked, wait_until

ROWS = [{"id": f"r{n}", "input": f"q{n}"} for n in range(4)]
BODY = "def test_echo(sample, response, score):\n    score.record('length', len(response.text))\n"
PRICED = "models: {priced: {spec: '%s', prices: {input: 1, output: 1}}}\n"


@pytest.fixture
def warm(project: Project) -> Project:
    """A project with one run, whose answers are numbered and cost something."""
    numbers = iter(range(1000))
    project.server.reply = lambda messages: f"{messages[-1]['content']} {next(numbers)}"
    project.eval(BODY, ROWS)
    project.write(models_yaml=PRICED % project.model)
    project.model = "priced"
    assert project.run("evals").ret == 0
    assert len(project.server.ledger) == 4
    return project


def newest(project: Project) -> list[dict[str, Any]]:
    """Return the cases of the newest run."""
    return project.rows("SELECT * FROM cases WHERE run_id = ? ORDER BY sample_id", project.last_run()["id"])


def test_used_answers_make_no_call_cost_nothing_and_keep_their_latency(warm: Project, dist_args: list[str]) -> None:
    before = newest(warm)
    warm.write(thresholds_yaml="version: 1\nsuites: {echo: {latency_s: {max_p95: 60}, length: {min: 1}}}\n")
    assert all(row["cost_usd"] > 0 and not row["cached"] for row in before)
    result = warm.run("evals", "--cache=use", *dist_args)
    assert len(warm.server.ledger) == 4
    after = newest(warm)
    assert [(row["cached"], row["cost_usd"]) for row in after] == 4 * [(1, 0.0)]
    assert [(row["response"], row["latency_s"]) for row in after] == [
        (row["response"], row["latency_s"]) for row in before
    ]
    assert "4 answers from the cache" in " ".join(result.stdout.str().split())
    verdicts = warm.rows("SELECT metric, n, verdict FROM verdicts WHERE run_id = ?", warm.last_run()["id"])
    assert {row["metric"]: row["n"] for row in verdicts if row["metric"] != "error_rate"}["length"] == 4
    assert {row["metric"]: row["verdict"] for row in verdicts}["latency_s"] == "not_judged"
    assert result.ret == 0
    result.stdout.fnmatch_lines(["not judged (all answers come from the cache): echo latency_s max_p95=60"])


def test_an_answer_outlives_the_run_that_asked_for_it(warm: Project) -> None:
    """The runs that took it from the cache have it, too: `llmeval prune` deletes the first of them."""
    assert warm.run("evals", "--cache=use").ret == 0
    with contextlib.closing(SqliteStore(warm.root / ".llmeval" / "llmeval.db")) as store:
        asking = store.runs()[-1].id
        assert store.bulk([asking]).cached_answers == 0
        assert store.bulk([run.id for run in store.runs()]).cached_answers == 4
        assert store.delete_run(asking, is_wanted=lambda run_id: True)
    assert warm.run("evals", "--cache=only").ret == 0
    assert (len(warm.server.ledger), [row["cached"] for row in newest(warm)]) == (4, [1] * 4)


def test_questions_that_differ_deep_within_or_by_the_type_of_a_large_number_are_others(project: Project) -> None:
    """What the database keeps of a request leaves out what is nested deep, and has large integers as texts."""
    deep: list[Any] = ["left", "right"]
    for _ in range(120):
        deep = [{"within": each} for each in deep]
    rows = [{"id": f"r{n}", "input": [{"role": "user", "content": [each]}]} for n, each in enumerate(deep)]
    project.server.reply = lambda messages: "left" if "left" in json.dumps(messages) else "right"
    project.eval(
        """
        def test_echo(sample, model, score):
            answers = [model.generate_sync(seed=seed) for seed in (2**64, str(2**64))]
            score.exact(answers[1], "left" if "left" in str(sample.input) else "right")
        """,
        rows,
    )
    assert [project.run("evals", "--cache=use").ret, len(project.server.ledger)] == [0, 4]
    assert [project.run("evals", "--cache=use").ret, len(project.server.ledger)] == [0, 4]


def test_without_the_option_every_run_makes_its_own_calls(warm: Project) -> None:
    assert warm.run("evals").ret == 0
    assert warm.run("evals", "--cache=off").ret == 0
    assert len(warm.server.ledger) == 12


def test_refreshed_answers_take_the_place_of_the_old_ones(warm: Project) -> None:
    assert warm.run("evals", "--cache=refresh").ret == 0
    assert len(warm.server.ledger) == 8
    refreshed = [row["response"] for row in newest(warm)]
    assert warm.run("evals", "--cache=use").ret == 0
    assert [row["response"] for row in newest(warm)] == refreshed
    assert len(warm.server.ledger) == 8


def test_only_what_is_cached_is_had_and_nobody_is_asked(warm: Project, spread: list[str]) -> None:
    assert warm.run("evals", "--cache=only").ret == 0
    warm.eval(BODY, [*ROWS, {"id": "new", "input": "new"}])
    result = warm.run("evals", "--cache=only", *spread)
    assert result.ret == 10
    assert len(warm.server.ledger) == 4
    assert [(row["sample_id"], row["error_kind"]) for row in newest(warm) if row["outcome"] == "error"] == [
        ("new", "not_cached")
    ]


def test_only_on_an_empty_database_is_unmeasurable(project: Project) -> None:
    project.eval(BODY, ROWS)
    result = project.run("evals", "--cache=only")
    assert result.ret == 10
    assert project.server.ledger == []
    result.stdout.fnmatch_lines(["*4 cases without an answer: not_cached*"])


def test_the_gate_says_what_missing_answers_come_to(warm: Project) -> None:
    warm.eval(BODY, [*ROWS, {"id": "new", "input": "new"}])
    rules = "version: 1\nsuites: {echo: {length: {min: 1}, settings: {max_error_rate: %s}}}\n"
    warm.write(thresholds_yaml=rules % 0.5)
    assert warm.run("evals", "--cache=only").ret == 0
    warm.eval(BODY, [*ROWS, {"id": "new", "input": "new"}, {"id": "newer", "input": "newer"}])
    warm.write(thresholds_yaml=rules % 0.1)
    assert warm.run("evals", "--cache=only").ret == 10


def test_equal_requests_of_one_run_are_one_call(project: Project, spread: list[str]) -> None:
    """While the first is in flight the others wait for it, and they cost nothing."""
    project.eval(BODY, [{"id": f"r{n}", "input": "the same"} for n in range(6)])
    assert project.run("evals", "--cache=use", *spread).ret == 0
    assert len(project.server.ledger) == 1
    assert Counter(row["cached"] for row in newest(project)) == {0: 1, 1: 5}


def test_epochs_are_questions_of_their_own(warm: Project) -> None:
    assert warm.run("evals", "--cache=use", "--epochs=3").ret == 0
    assert len(warm.server.ledger) == 4 + 8
    assert warm.run("evals", "--cache=use", "--epochs=3").ret == 0
    assert len(warm.server.ledger) == 12


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.eval(BODY, ROWS, marker="prompt='Say {input}'"),
        lambda p: p.eval(BODY, ROWS, marker="params={'temperature': 1}"),
        lambda p: setattr(p, "model", p.server.spec("other")),
        lambda p: setattr(p, "model", p.server.spec("echo").replace("127.0.0.1", "localhost")),
        lambda p: setattr(p, "model", f"{p.server.spec('echo')}?deployment=b"),
    ],
    ids=["prompt", "params", "model", "address", "query"],
)
def test_whatever_decides_an_answer_is_in_its_key(warm: Project, change: Any) -> None:
    change(warm)
    assert warm.run("evals", "--cache=use").ret == 0
    assert len(warm.server.ledger) == 8


@pytest.mark.parametrize("was_in_models", [True, False], ids=["to the marker", "to models.yaml"])
def test_where_a_parameter_stands_is_nothing_to_its_answer(
    project: Project, was_in_models: bool, spread: list[str]
) -> None:
    """Moved between models.yaml and the marker it is sent as before: nothing is asked, or called damaged."""
    spec = f"spec: '{project.model}'"
    project.write(models_yaml=f"models: {{cold: {{{spec}, params: {{temperature: 0, seed: 1}}}}, bare: {{{spec}}}}}\n")
    for is_in_models in (was_in_models, not was_in_models):
        marker = "params={'seed': 1}" if is_in_models else "params={'temperature': 0, 'seed': 1}"
        project.eval(BODY, ROWS, marker=marker)
        result = project.run("evals", "--cache=use", *spread, model="cold" if is_in_models else "bare")
        assert result.ret == 0
        assert len(project.server.ledger) == len(ROWS)
    result.stdout.no_fnmatch_line("*damaged*")


@pytest.mark.parametrize("way", ["query", "headers"])
def test_what_leads_a_request_elsewhere_is_in_its_key_and_a_credential_is_not(
    project: Project, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """By query or headers a gateway chooses what answers; no key is needed to find it, and none is written down."""
    project.eval(BODY, ROWS[:1])
    numbers = iter(range(1000))
    project.server.reply = lambda messages: str(next(numbers))

    def answer(deployment: str, key: str, cache: str = "use") -> str:
        sent = {"deployment": deployment, "api-key": key, "x-userToken": key}
        query = "&".join(f"{name}={value}" for name, value in sent.items())
        monkeypatch.setenv("OPENAI_BASE_URL", project.server.url + ("" if way == "headers" else f"?{query}"))
        monkeypatch.setenv("OPENAI_API_KEY", key)
        monkeypatch.setenv("OPENAI_ORG_ID", key)
        headers = "\n".join(f"{name}: {value}" for name, value in sent.items())
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", headers if way == "headers" else "")
        if not key:
            for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID"):
                monkeypatch.delenv(name)
        project.run("evals", f"--cache={cache}", model="openai:echo")
        return str(newest(project)[0]["response"])

    assert [answer(*each) for each in (("a", "sk-1"), ("b", "sk-1"), ("a", "sk-2"), ("b", "sk-3"))] == list("0101")
    assert [answer(deployment, "", "only") for deployment in "ab"] == ["0", "1"]
    assert answer("c", "", "only") == "None"
    assert len(project.server.ledger) == 2
    assert b"sk-" not in (project.root / ".llmeval" / "llmeval.db").read_bytes()


@pytest.mark.parametrize(("model", "status"), [("fault-status-400", 1), ("fault-body-refusal", 0)])
def test_errors_and_refusals_are_asked_again(project: Project, model: str, status: int) -> None:
    project.eval(BODY, ROWS[:2])
    project.model = project.server.spec(model)
    for count in (2, 4):
        assert project.run("evals", "--cache=use").ret == status
        assert len(project.server.ledger) == count


@pytest.mark.parametrize(
    "damage",
    [
        "response = 'better'",
        "detail = '{}'",
        "checksum = NULL",
        "request = '{}'",
        "detail = 'not JSON'",
        "request = '{\"m'",
    ],
)
def test_a_damaged_entry_is_a_miss_and_told(warm: Project, damage: str) -> None:
    with contextlib.closing(sqlite3.connect(warm.root / ".llmeval" / "llmeval.db")) as database, database:
        database.execute(f"UPDATE calls SET {damage} WHERE json_extract(request, '$.messages[0].content') = 'q2'")
    result = warm.run("evals", "--cache=use")
    assert result.ret == 0
    assert asked(warm.server)[4:] == ["q2"]
    result.stdout.fnmatch_lines(["note: stored answers that are damaged and were skipped: 1"])


def test_a_second_call_of_a_case_has_its_own_answer(project: Project) -> None:
    """The same request twice in one body is two questions, in each run."""
    numbers = iter(range(1000))
    project.server.reply = lambda messages: str(next(numbers))
    project.eval(
        "async def test_echo(model):\n    first, second = await model.generate('x'), await model.generate('x')\n"
        "    assert first.text != second.text\n",
        ROWS[:1],
    )
    for _ in range(2):
        assert project.run("evals", "--cache=use").ret == 0
        assert len(project.server.ledger) == 2


def test_files_are_their_owners_alone(project: Project) -> None:
    """Database and journal alike, whatever the umask says."""
    project.eval(BODY, ROWS)
    held = Held(project.server, 2)
    old = os.umask(0)
    try:
        with Session(project, "-p", "no:xdist") as session:
            wait_until(lambda: len(project.server.ledger) == 4, "all are asked")
            folder = project.root / ".llmeval"
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir() if path.name[0] != "."}
            held.open()
            assert session.end() == 0
    finally:
        os.umask(old)
    assert len(modes) >= 4
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["a\x00b", "a\ud83d", "ok \N{PILE OF POO}"])
def test_an_answer_that_sqlite_cannot_hold_as_it_is_is_found_again(project: Project, text: str) -> None:
    project.server.reply = lambda messages: text
    project.eval("def test_echo(response):\n    assert len(response.text) > 0\n", [{"id": "a", "input": "x"}])
    for _ in range(2):
        assert project.run("evals", "--cache=use").ret == 0
    assert len(project.server.ledger) == 1


def test_only_what_is_cached_needs_no_key(project: Project, spread: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a pull request from a fork, which gets no secrets."""
    project.model = "mine"
    project.write(
        models_yaml=f"models: {{mine: {{spec: 'openai:echo@{project.server.url}', api_key_env: MINE_KEY}}}}\n"
    )
    project.eval(BODY, ROWS)
    with monkeypatch.context() as patch:
        patch.setenv("MINE_KEY", "sk-mine")
        assert project.run("evals").ret == 0
    assert project.run("evals").ret == 4
    assert project.run("evals", "--cache=only", *spread).ret == 0
    assert len(project.server.ledger) == 4


def test_only_what_is_cached_needs_no_weights(
    project: Project, tmp_path: Path, spread: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    project.eval(BODY, ROWS)
    result = project.run("evals", "--cache=only", *spread, model="local:smollm2")
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*4 cases without an answer: not_cached*"])
    assert list(tmp_path.rglob("*.gguf*")) == []


def test_messages_that_a_test_changes_afterwards_are_recorded_as_they_were_sent(
    project: Project, spread: list[str]
) -> None:
    project.eval(
        """
        def test_echo(sample, model):
            message = {"role": "user", "content": ""}
            for message["content"] in ("a", "b", "c"):
                model.generate_sync([message], stop=[message["content"]])
            message["content"] = "d"
        """,
        ROWS[:1],
    )
    assert project.run("evals", *spread).ret == 0
    requests = [json.loads(row["request"]) for row in project.rows("SELECT request FROM calls ORDER BY response")]
    assert [each["messages"][0]["content"] for each in requests] == ["a", "b", "c"]
    assert project.run("evals", "--cache=use", *spread).ret == 0
    assert len(project.server.ledger) == 3


def test_answers_to_a_request_with_a_large_integer_are_found_whoever_was_asked_before(project: Project) -> None:
    """A random seed of 64 bits; SQLite's own integers are smaller. In workers, and in the one process."""
    project.eval(BODY, ROWS, marker="params={'seed': 2**64 - 1}")
    assert project.run("evals", "-n2").ret == 0
    for arguments in (["--cache=use"], ["--llmeval-rescore=last"]):
        result = project.run("evals", *arguments, model="" if "rescore" in arguments[0] else None)
        assert result.ret == 0, result.stdout.str()
        assert len(project.server.ledger) == 4
    assert [entry.body["seed"] for entry in project.server.ledger] == [2**64 - 1] * 4
    assert len(project.rows("SELECT DISTINCT request FROM calls WHERE request LIKE '%q0%'")) == 1
