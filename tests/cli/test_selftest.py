"""``llmeval selftest``: how often the rules alarm falsely, told with stored runs."""

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_llmeval.store.records import RunEnd
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.cli.test_plan import add_run
from tests.support.project import Project
from tests.support.records import record, score
from tests.support.stored_runs import END, run

FIRST, SECOND, THIRD = ("20250101-000000-aaaaaa", "20250102-000000-bbbbbb", "20250103-000000-cccccc")
RULES = """version: 1
suites:
  qa:
    exact: {min: 0.8, max_drop: 0.02}
    slices:
      easy: {exact: {max_drop: 0.02}}
"""


@pytest.fixture
def twins(here: Path, store: SqliteStore) -> SqliteStore:
    """Two full runs of the same rows, with rules on a change beside them."""
    (here / "thresholds.yaml").write_text(RULES)
    add_run(store, FIRST)
    add_run(store, SECOND, seed=2)
    return store


GOLDEN = """\
run 20250101-000000-aaaaaa and run 20250102-000000-bbbbbb
60 rows in both runs, each swapped with chance 1/2; 1,000 pairs judged, seed 0

false alarms: 2.8% of sessions (1.9..4.0%): no more than alpha, 5.0%
inconclusive or unmeasurable, without a failure: 7.0% of sessions
rows are swapped one by one: if some hang together, a `cluster` has to say so,
  or it is not seen here

rules on a change, by how often each alone fails
  metric        rule            n  differ  fails  95% interval  unsure
  exact         max_drop=0.02  60      14   2.8%     1.9..4.0%    7.0%
  exact [easy]  max_drop=0.02   6       0   0.0%     0.0..0.4%    0.0%

other rules, of whose false alarms swapping says nothing: how often a mix of
  the two runs fails them
  metric  rule      n  differ  fails  95% interval  unsure
  exact   min=0.8  60      14   9.8%    8.1..11.8%    0.0%
"""


def test_the_newest_run_and_the_one_like_it_are_swapped(twins: SqliteStore, llmeval: Command) -> None:
    done = llmeval("selftest")
    assert (done.status, done.err) == (0, "")
    assert done.out == GOLDEN


def test_the_same_seed_gives_the_same_numbers(twins: SqliteStore, llmeval: Command) -> None:
    first, again, another = (
        llmeval("selftest", "--pairs=200", f"--seed={seed}", "--json").json() for seed in (1, 1, 2)
    )
    assert first == again
    assert first["rules"] != another["rules"]


def test_json_holds_rates_with_their_intervals(twins: SqliteStore, llmeval: Command) -> None:
    told = llmeval("selftest", "--pairs", "200", "--json").json()
    assert told["runs"] == [FIRST, SECOND]
    assert (told["pairs"], told["rows"], told["units"], told["seed"], told["alpha"]) == (200, 60, 60, 0, 0.05)
    assert told["rate"] == told["alarms"] / 200
    assert told["interval"]["low"] <= told["rate"] <= told["interval"]["high"]
    assert told["above_alpha"] is False
    rules = {(rule["rule"], rule["slice"]): rule for rule in told["rules"]}
    assert [(rule, rules[rule]["on_a_change"]) for rule in rules] == [
        (("min=0.8", None), False),
        (("max_drop=0.02", None), True),
        (("max_drop=0.02", "easy"), True),
    ]
    assert all(sum(rule["verdicts"].values()) == 200 for rule in rules.values())


def runs_of(llmeval: Command, *arguments: str) -> list[str]:
    found: list[str] = llmeval("selftest", "--pairs=5", "--json", *arguments).json()["runs"]
    return found


def test_runs_can_be_named(twins: SqliteStore, llmeval: Command) -> None:
    add_run(twins, THIRD, seed=3)
    assert runs_of(llmeval) == [SECOND, THIRD]
    assert runs_of(llmeval, FIRST) == [THIRD, FIRST]
    assert runs_of(llmeval, FIRST, SECOND) == [FIRST, SECOND]
    twins.set_baseline("main", FIRST, "2025-01-03T00:00:00.000+00:00")
    assert runs_of(llmeval, "main", "last") == [FIRST, THIRD]


def test_files_are_swapped_without_a_database(
    twins: SqliteStore, llmeval: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pytest.ini").write_text("[pytest]\n")
    (elsewhere / "thresholds.yaml").write_text(RULES)
    for id, name in ((FIRST, "a.jsonl"), (SECOND, "b.jsonl")):
        llmeval("baseline", "export", id, str(elsewhere / name), "--even-red")
    told = llmeval("selftest", FIRST, SECOND, "--pairs", "50").out
    monkeypatch.chdir(elsewhere)
    assert llmeval("selftest", "a.jsonl", "b.jsonl", "--pairs", "50").out == told
    for refs in ([], ["a.jsonl", "gone"]):
        done = llmeval("selftest", *refs)
        assert done.status == 4
        assert "no such database; `pytest evals` makes one" in done.err


def test_the_baseline_of_the_rules_is_the_second_run(here: Path, twins: SqliteStore, llmeval: Command) -> None:
    """Unless it has none of the rows, or is the run itself."""
    add_run(twins, THIRD, seed=3)
    (here / "thresholds.yaml").write_text(f"baseline: main\n{RULES}")
    assert runs_of(llmeval) == [SECOND, THIRD]  # not set yet
    twins.set_baseline("main", FIRST, "2025-01-03T00:00:00.000+00:00")
    assert runs_of(llmeval) == [FIRST, THIRD]
    twins.set_baseline("main", THIRD, "2025-01-03T00:00:00.000+00:00")
    assert runs_of(llmeval) == [SECOND, THIRD]
    twins.start_run(run("20240101-000000-000000", started_at="2024-01-01T00:00:00.000+00:00", host=""))
    twins.add_case("20240101-000000-000000", record("other", suite="other", scores=(score(),)))
    twins.finish_run("20240101-000000-000000", END)
    twins.set_baseline("main", "20240101-000000-000000", "2025-01-03T00:00:00.000+00:00")
    assert runs_of(llmeval) == [SECOND, THIRD]


def test_the_epochs_of_a_single_run_are_split(here: Path, store: SqliteStore, llmeval: Command) -> None:
    (here / "thresholds.yaml").write_text(RULES)
    add_run(store, FIRST, epochs=4)
    assert runs_of(llmeval) == runs_of(llmeval, FIRST, FIRST) == [FIRST]
    out = llmeval("selftest", "--pairs=5").out
    assert out.splitlines()[0] == f"run {FIRST}, its epochs in two halves"


def test_too_few_answers_are_told_with_what_to_do(here: Path, store: SqliteStore, llmeval: Command) -> None:
    (here / "thresholds.yaml").write_text(RULES)
    done = llmeval("selftest")
    assert (done.status, done.err) == (
        4,
        "llmeval: no run finished with all its rows; `pytest evals` records one\n",
    )
    add_run(store, FIRST)
    advice = (
        " and has one epoch, but swapping needs two answers for each row: run the same evals once more, or with"
        " --epochs 2, and try again\n"
    )
    assert llmeval("selftest").err == f"llmeval: run {FIRST} is the only full run of its rows{advice}"
    done = llmeval("selftest", FIRST, FIRST)
    assert (done.status, done.err) == (4, f"llmeval: run {FIRST} was named twice{advice}")


@pytest.mark.parametrize("end", [replace(END, status="interrupted"), replace(END, status="unmeasurable")])
def test_a_run_that_is_not_full_is_taken_where_it_is_named(
    here: Path, store: SqliteStore, llmeval: Command, end: RunEnd
) -> None:
    """Else it is told that there is one, and nothing is said of it that holds for full ones alone."""
    (here / "thresholds.yaml").write_text(RULES)
    for id, epochs in ((FIRST, 1), (SECOND, 2)):
        add_run(store, id, epochs=epochs)
        store.finish_run(id, end)
        done = llmeval("selftest")
        assert (done.status, done.err) == (
            4,
            "llmeval: no run is finished with all its rows (one that is unmeasurable, partial or a shard is not); name"
            " one to take it all the same: llmeval selftest RUN\n",
        )
    done = llmeval("selftest", FIRST)
    assert done.status == 4
    assert done.err.startswith(
        f"llmeval: run {FIRST} is not full, shares no row with a full run and has one epoch, but swapping needs two"
    )
    assert runs_of(llmeval, SECOND) == [SECOND]


def test_runs_of_other_rows_cannot_be_swapped(twins: SqliteStore, llmeval: Command) -> None:
    twins.start_run(run(THIRD))
    twins.add_case(THIRD, record("other", scores=(score(),)))
    twins.finish_run(THIRD, END)
    done = llmeval("selftest", FIRST, THIRD)
    assert (done.status, done.err) == (
        4,
        f"llmeval: run {FIRST} and run {THIRD} share no row of a suite that has rules\n",
    )


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("version: 1\nsuites: {qa: {exact: {min: 0.8}}}\n", "no rule on a change (max_drop, max_rise)"),
        (None, "no rule on a change (max_drop, max_rise)"),
        (
            "version: 1\nsuites: {qa: {slices: {hard: {exact: {max_drop: 0}}}}}\n",
            "no max_drop and no max_rise is about",
        ),
    ],
    ids=["only bars", "no file", "no such slice"],
)
def test_rules_without_a_false_alarm_are_refused(
    here: Path, twins: SqliteStore, llmeval: Command, rules: str | None, message: str
) -> None:
    (here / "thresholds.yaml").unlink()
    if rules is not None:
        (here / "thresholds.yaml").write_text(rules)
    done = llmeval("selftest", "--pairs=3")
    assert done.status == 4
    assert done.err.startswith(f"llmeval: thresholds.yaml: {message}")


def test_three_runs_are_one_too_many(twins: SqliteStore, llmeval: Command) -> None:
    done = llmeval("selftest", FIRST, SECOND, FIRST)
    assert done.status == 4
    assert "two runs are compared, not 3" in done.err


def test_equal_answers_say_nothing(here: Path, store: SqliteStore, llmeval: Command) -> None:
    (here / "thresholds.yaml").write_text(RULES)
    add_run(store, FIRST)
    add_run(store, SECOND)
    out = " ".join(llmeval("selftest", "--pairs=20").out.split())
    assert "which says nothing: no value differs between the two runs, so that a swap changes nothing" in out
    assert "take two runs whose answers differ" in out


def flipped(store: SqliteStore, flips: int) -> None:
    """Record two runs of 30 rows that differ in so many."""
    for id, value in ((FIRST, 1.0), (SECOND, 0.0)):
        store.start_run(run(id, settings={"suites": {"qa": {"expected": {"m": 30}}}}))
        for number in range(30):
            here = value if number < flips else 1.0
            store.add_case(id, record(f"s{number}", scores=(score(value=here),), input_digest="d"))
        store.finish_run(id, END)


@pytest.mark.parametrize(
    ("alpha", "pairs", "told", "advice"),
    [
        (0.05, 1_000, "clearly MORE than alpha, 5.0%", "so little above is usual"),
        (0.1, 100, "not clearly more than alpha, 10.0%", "rows are swapped one by one"),
        (0.1, 1_000, "): no more than alpha, 10.0%", "rows are swapped one by one"),
    ],
)
def test_the_rate_is_held_against_alpha_in_words(
    here: Path, store: SqliteStore, llmeval: Command, alpha: float, pairs: int, told: str, advice: str
) -> None:
    """Twelve rows that differ alarm in 7.3 % of the ways to swap them; the status is 0 all the same."""
    rule = f"defaults: {{alpha: {alpha}}}\nsuites: {{qa: {{exact: {{max_drop: 0}}}}}}\n"
    (here / "thresholds.yaml").write_text(f"version: 1\n{rule}")
    flipped(store, 12)
    done = llmeval("selftest", f"--pairs={pairs}", "--seed=1")
    assert done.status == 0
    out = " ".join(done.out.split())
    assert told in out
    assert advice in out


@pytest.mark.skipif(os.name != "posix", reason="there are no pseudo-terminals elsewhere")
def test_a_terminal_is_told_how_far_it_is_and_a_pipe_is_not(twins: SqliteStore, here: Path) -> None:
    command = [str(Path(sys.executable).with_name("llmeval")), "selftest", "--pairs", "3000"]
    master, slave = pty.openpty()
    with subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        out = process.communicate(timeout=120)[0].decode()
    told = b""
    while True:
        try:
            chunk = os.read(master, 4096)
        except OSError:  # the other end is closed, as Linux tells it
            break
        if not chunk:
            break
        told += chunk
    os.close(master)
    assert b" of 3,000 pairs judged" in told
    assert told.endswith(b"\r\x1b[K")
    assert "pairs judged\r" not in out


def test_the_runs_of_sessions_can_be_tested(project: Project, llmeval: Command) -> None:
    """Two sessions of which one has other answers for half the rows, by its prompt."""
    body = "def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n"
    rows = [{"id": f"r{n}", "input": f"{n}", "target": f"{n}"} for n in range(12)]
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {max_drop: 0}}}\n")
    project.eval(body, rows)
    project.run("evals")
    project.eval(body.replace("sample.target)", "sample.target if int(sample.id[1:]) % 2 else 'x')"), rows)
    project.run("evals")
    told = llmeval("selftest", "--pairs=500", "--json").json()
    (rule,) = told["rules"]
    assert (rule["n"], rule["differing"], told["rows"]) == (12, 6, 12)


def test_a_baseline_whose_answers_were_scored_again_is_no_second_run(
    here: Path, twins: SqliteStore, llmeval: Command
) -> None:
    """A swap of the same answers changes nothing; another run of the rows is there."""
    (here / "thresholds.yaml").write_text(f"baseline: main\n{RULES}")
    twins.set_baseline("main", FIRST, "2025-01-03T00:00:00.000+00:00")
    add_run(twins, THIRD, seed=3, rescored=FIRST)
    assert runs_of(llmeval) == [SECOND, THIRD]


def test_more_epochs_in_one_run_are_told(here: Path, store: SqliteStore, llmeval: Command) -> None:
    """Means of four answers less single ones are skewed, and a swap hides it: the true rate is above the one told."""
    (here / "thresholds.yaml").write_text(RULES)
    add_run(store, FIRST)
    add_run(store, SECOND, seed=2, epochs=4)
    done = llmeval("selftest", FIRST, SECOND, "--pairs", "20")
    told = " ".join(done.out.split())
    assert (
        "60 rows with more epochs in one run than in the other: where means are near 0 or 1, rules on a change" in told
    )
    assert llmeval("selftest", FIRST, SECOND, "--pairs", "20", "--json").json()["uneven"] == 60
