"""What a server refuses or delays: how often it is asked, and what the run comes to (rows N1 to N12, N17, N18)."""

import re
import threading
import time
from collections import Counter
from statistics import median
from typing import Any

import pytest

from tests.support.fault_server import Entry, FaultHandler, FaultServer
from tests.support.project import Project
from tests.support.sessions import requests

ROWS = [{"id": f"r{n:02}", "input": f"q{n:02}"} for n in range(50)]
ECHO = "def test_echo(sample, response):\n    assert response.text == sample.input\n"
NO_KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def shortest_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of calls that are drawn at random are as short as they may be: none; what a server asks for is kept."""
    monkeypatch.setattr("pytest_llmeval.models.http.retry._between", lambda low, high: low)


@pytest.fixture
def no_own_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that is refused without a word on how long does not pause."""
    monkeypatch.setattr("pytest_llmeval.engine.account_limit._part", lambda: 0.0)


def ask(project: Project, *models: str, rows: int = 1, arguments: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Run one row or more with each of ``models``; return the first case of each."""
    project.eval(ECHO, ROWS[:rows])
    others = [f"--model={project.server.spec(model)}" for model in models[1:]]
    project.run("evals", *others, *arguments, model=project.server.spec(models[0]))
    return {row["model"]: row for row in project.rows("SELECT * FROM cases ORDER BY sample_id DESC")}


def times_of(project: Project, model: str) -> list[float]:
    """Return when a model was asked."""
    return [entry.time_s for entry in project.server.ledger if entry.model == model]


@pytest.mark.usefixtures("shortest_pauses")
def test_faults_that_pass_cost_attempts_and_nothing_else(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """One session over many models: each fault counts its own requests, and the last lines count faults by kind."""
    passing = {
        "fault-status-429-1-after-1": 2,
        "fault-status-429-2": 3,
        "fault-status-503-2": 3,
        "fault-status-408-1": 2,
        "fault-status-409-1": 2,
        "fault-status-500-5": 6,
        "fault-rst-1": 2,
        "fault-close-2": 3,
        "fault-truncate-1": 2,
        "fault-chunkcut-1": 2,
        "fault-body-badjson-1": 2,
        "fault-sse-cut-1": 2,
        **{f"fault-status-429-1-after-{when}": 2 for when in ("minus1", "nan", "inf", "abc", "1e999", "datepast")},
    }
    cases = ask(project, *passing)
    assert {name: (row["outcome"], row["attempts"]) for name, row in cases.items()} == {
        name: ("passed", attempts) for name, attempts in passing.items()
    }
    assert Counter(entry.model for entry in project.server.ledger) == passing
    first, second = times_of(project, "fault-status-429-1-after-1")
    assert 1.0 <= second - first < 3
    assert cases["fault-status-429-1-after-1"]["latency_s"] < second - first  # the pause is none of the model's time
    told = " ".join(capsys.readouterr().out.split())
    assert f"calls: {sum(passing.values())} requests (9 rate_limited, 8 server_error, 6 connection, " in told


@pytest.mark.usefixtures("shortest_pauses", "no_own_pauses")
def test_faults_that_stay_end_the_row_after_so_many_requests(project: Project) -> None:
    staying = {
        "fault-status-500": (6, "server_error"),
        "fault-status-429": (6, "rate_limited"),
        "fault-rst": (6, "connection"),
        "fault-truncate": (6, "connection"),
        "fault-nohttp": (6, "connection"),
        "fault-status-400": (1, "bad_request"),
        "fault-status-404": (1, "bad_request"),
        "fault-status-422": (1, "bad_request"),
        "fault-status-429-9-after-3600": (1, "rate_limited"),
        "fault-status-429-9-after-datefar": (1, "rate_limited"),
    }
    start = time.monotonic()
    cases = ask(project, *staying)
    assert time.monotonic() - start < 15
    assert {name: (row["attempts"], row["error_kind"]) for name, row in cases.items()} == staying
    assert Counter(entry.model for entry in project.server.ledger) == {name: n for name, (n, _) in staying.items()}
    assert "3600" in cases["fault-status-429-9-after-3600"]["error"]
    assert "fault 404" in cases["fault-status-404"]["error"]
    assert {row["outcome"] for row in cases.values()} == {"error"}
    assert project.rows("SELECT * FROM scores") == []


def test_a_deadline_is_for_the_whole_call(project: Project) -> None:
    """Neither silence nor a byte now and then holds a row longer, and good rows stay good."""
    start = time.monotonic()
    cases = ask(project, "echo", "fault-hang", "fault-drip-20", "fault-sse-stall", arguments=("--timeout-s=1",))
    assert time.monotonic() - start < 6
    kinds = {name: (row["outcome"], row["error_kind"]) for name, row in cases.items()}
    assert kinds == {
        "echo": ("passed", None),
        "fault-hang": ("error", "timeout"),
        "fault-drip-20": ("error", "timeout"),
        "fault-sse-stall": ("error", "timeout"),
    }


def test_waiting_for_a_connection_is_no_timeout(project: Project) -> None:
    """Calls of 0.6 s over four connections take 3.6 s together, and each has 3 s."""
    project.eval(
        """
        async def test_echo(model):
            import asyncio

            await asyncio.gather(*(model.generate(f"q{number}") for number in range(24)))
        """,
        ROWS[:1],
    )
    model = project.server.spec("fault-slow-600")
    assert project.run("evals", "--max-connections=4", "--timeout-s=3", model=model).ret == 0
    assert set(project.cases().values()) == {"passed"}
    assert len(project.server.ledger) == 24
    assert project.server.max_in_flight == 4
    latencies = [row["latency_s"] for row in project.rows("SELECT latency_s FROM calls")]
    assert len(latencies) == 24
    assert median(latencies) < 1.4  # with their waiting it would be 2.1 s


def test_a_row_that_waits_to_try_again_holds_no_connection(project: Project) -> None:
    """With one connection those behind it are served during its pause, or its pause would hold all."""
    project.eval(ECHO, ROWS[:4])
    seen: list[str] = []

    def reply(messages: list[dict[str, Any]]) -> str:
        seen.append(messages[-1]["content"])
        return str(messages[-1]["content"])

    project.server.reply = reply
    other = f"--model={project.server.spec('echo')}"
    result = project.run("evals", other, "--max-connections=1", model=project.server.spec("fault-close-1"))
    assert result.ret == 0
    order = [(entry.model, entry.body["messages"][-1]["content"]) for entry in project.server.ledger]
    assert len(order) == 12
    again = [index for index, each in enumerate(order) if each in order[:index]]
    assert order.index(("echo", "q00")) < again[-1]
    assert project.server.max_in_flight == 1


@pytest.mark.parametrize("fault", ["quota", "status-401", "status-403", "echoauth-401"])
def test_a_refused_account_is_asked_no_more_and_the_run_is_unmeasurable(
    project: Project, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("LLMEVAL_API_KEY", NO_KEY)
    count = 50 if fault == "quota" else 20
    project.eval(ECHO, ROWS[:count])
    result = project.run("evals", "--max-connections=4", model=project.server.spec(f"fault-{fault}"))
    assert result.ret == 10
    assert len(project.server.ledger) <= 4
    kind = "quota" if fault == "quota" else "auth"
    assert project.rows("SELECT error_kind, count(*) AS n FROM cases GROUP BY error_kind") == [
        {"error_kind": kind, "n": count}
    ]
    assert (project.last_run()["status"], project.last_run()["exit_code"]) == ("unmeasurable", 10)
    text = result.stdout.str() + result.stderr.str()
    key = " \\(the key in LLMEVAL_API_KEY was sent\\)" if kind == "auth" else ""
    reason = f"\n{count} cases without an answer: {kind} \\(fault-{fault} at 127\\.0\\.0\\.1:\\d+{key}: HTTP 4"
    assert re.search(reason, text) and "continue with" not in text
    assert "Traceback" not in text and "_____" not in text
    assert NO_KEY not in text and NO_KEY[:12] not in text
    assert len(text.splitlines()) < 45


def test_each_reason_for_which_cases_have_no_answer_is_told(project: Project) -> None:
    """The three most frequent ones; what an application did by itself is worth going on with."""
    faults = ("status-401", "status-403", "echoauth-401")
    project.eval(ECHO, ROWS[:3])
    project.eval("def test_own():\n    pass\n", ROWS[:1], name="own")
    others = [f"--model={project.server.spec(f'fault-{fault}')}" for fault in faults]
    text = project.run("evals", *others, model=project.server.spec("fault-quota")).stdout.str()
    lines = [line for line in text.splitlines() if "without an answer" in line]
    assert lines.pop() == "3 cases more without an answer, for other reasons; llmeval show -vv lists them"
    assert len(lines) == 3 and all(line.startswith("3 cases without an answer: ") for line in lines)
    assert len({line.partition("(")[2].partition(" at ")[0] for line in lines}) == 3
    assert "continue with" in text


def test_a_refused_account_ends_alike_in_workers(project: Project) -> None:
    project.eval(ECHO, ROWS[:20])
    result = project.run("evals", "--max-connections=4", "-n2", model=project.server.spec("fault-quota"))
    assert result.ret == 10
    assert len(project.server.ledger) <= 4
    assert set(project.cases().values()) == {"error"}
    assert len(project.cases()) == 20


def test_a_gated_suite_of_a_refused_account_is_unmeasurable_too(project: Project) -> None:
    project.eval(ECHO, ROWS[:5])
    project.write(
        thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {min: 0.1}, settings: {max_error_rate: 1.0}}}\n"
    )
    assert project.run("evals", model=project.server.spec("fault-status-401")).ret == 10
    assert project.last_run()["verdict"] == "unmeasurable"


def test_one_refused_account_leaves_another_alone(project: Project) -> None:
    """Two addresses are two accounts."""
    project.eval(ECHO, ROWS[:6])
    other = f"--model=openai:echo@{project.server.url.replace('127.0.0.1', 'localhost')}"
    result = project.run("evals", other, model=project.server.spec("fault-quota"))
    assert result.ret == 10
    found = project.rows("SELECT model, outcome, count(*) AS n FROM cases GROUP BY model, outcome ORDER BY model")
    assert found == [
        {"model": "echo", "outcome": "passed", "n": 6},
        {"model": "fault-quota", "outcome": "error", "n": 6},
    ]


class FirewallHandler(FaultHandler):
    """Blocks some texts, and tells it as a firewall before the server does, which takes a while."""

    def _normal(self, entry: Entry) -> None:
        if entry.body["messages"][-1]["content"] in ("q00", "q03", "q07", "q08"):
            self._send(b"<html>Request blocked</html>", 403, "text/html")
        else:
            time.sleep(0.2 if self.server.faults.max_in_flight > 1 else 0)
            super()._normal(entry)


class FirewalledServer(FaultServer):
    """Serves the rows that are not blocked."""

    handler = FirewallHandler


@pytest.mark.parametrize(
    ("arguments", "first", "blocked"), [([], 0, 4), (["--max-connections=1"], 1, 3), (["-n2"], 0, 4)], ids=str
)
def test_rows_that_a_firewall_blocks_are_errors_of_their_own(
    project: Project, arguments: list[str], first: int, blocked: int
) -> None:
    """All others are asked, also where the firewall is quicker than the first answer, and the gate judges the run."""
    project.eval(ECHO, ROWS[first:])
    project.write(
        thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {min: 0.9}, settings: {max_error_rate: 0.1}}}\n"
    )
    with FirewalledServer() as server:
        result = project.run("evals", *arguments, model=server.spec("echo"))
    assert result.ret == 0
    assert project.last_run()["verdict"] == "pass"
    failed = {name for name, outcome in project.cases().items() if outcome == "error"}
    assert failed == set(["r00", "r03", "r07", "r08"][-blocked:])
    assert len(server.ledger) == 50 - first
    (kind,) = project.rows(
        "SELECT DISTINCT error_kind, error LIKE '%Request blocked%it is this one that is refused%' AS told"
        " FROM cases WHERE error > ''"
    )
    assert kind == {"error_kind": "bad_request", "told": 1}


@pytest.mark.parametrize("rows", [1, 3, 50])
def test_a_key_that_is_refused_by_403_ends_the_run_at_once(project: Project, rows: int) -> None:
    """With as many connections as there are by default."""
    project.eval(ECHO, ROWS[:rows])
    assert project.run("evals", model=project.server.spec("fault-status-403")).ret == 10
    assert len(project.server.ledger) <= 32
    assert project.rows("SELECT DISTINCT error_kind FROM cases") == [{"error_kind": "auth"}]


def test_requests_a_minute_are_spaced_evenly(project: Project, spread: list[str]) -> None:
    """600 a minute: a burst of one second's worth, ten, and then one each 0.1 s."""
    project.eval(ECHO, ROWS[:16])
    assert project.run("evals", "--rpm=600", *spread).ret == 0
    times = [entry.time_s for entry in project.server.ledger]
    assert len(times) == 16
    assert 0.35 <= times[-1] - times[0] <= 3


class CrowdedHandler(FaultHandler):
    """Refuses each request over three in flight; the others take a while."""

    seats = threading.Semaphore(3)

    def _normal(self, entry: Entry) -> None:
        if not self.seats.acquire(blocking=False):
            self._error(429, "too many at once")
            return
        time.sleep(0.1)
        self.seats.release()  # before the client can send the next one
        super()._normal(entry)


class CrowdedServer(FaultServer):
    """Serves three at once."""

    handler = CrowdedHandler


def test_a_server_that_refuses_a_rate_is_asked_by_fewer_at_once(project: Project) -> None:
    """Each request over three in flight is refused; all rows are served in the end, in a bounded number of requests."""
    project.eval(ECHO, ROWS)
    with CrowdedServer() as server:
        result = project.run("evals", "--max-connections=16", model=server.spec("echo"))
    assert result.ret == 0
    assert set(project.cases().values()) == {"passed"}
    assert 50 < len(server.ledger) < 95  # about 73; about 120 where those that wait are let go as before


class BusyHandler(FaultHandler):
    """Refuses all that comes within 1.5 s of the first request, and does not say how long."""

    def _normal(self, entry: Entry) -> None:
        if entry.time_s - self.server.faults.ledger[0].time_s < 1.5:
            self._error(429, "slow down")
        else:
            super()._normal(entry)


class BusyServer(FaultServer):
    """Serves after a while."""

    handler = BusyHandler


@pytest.mark.parametrize(("timeout_s", "requests_sent", "kind"), [(5, 5, None), (1, 18, "rate_limited")])
def test_an_account_that_is_refused_pauses_as_long_as_it_may(
    project: Project, shortest_pauses: None, timeout_s: int, requests_sent: int, kind: str | None
) -> None:
    """Its second pause is 2 to 4 s: in 5 s it is made, and outlasts the refusals; one second has no room for it."""
    project.eval(ECHO, ROWS[:3])
    with BusyServer() as server:
        project.run("evals", "--max-connections=1", f"--timeout-s={timeout_s}", model=server.spec("echo"))
    assert project.rows("SELECT DISTINCT error_kind FROM cases") == [{"error_kind": kind}]
    assert len(server.ledger) == requests_sent
    longest_s = max(
        after.time_s - before.time_s for before, after in zip(server.ledger, server.ledger[1:], strict=False)
    )
    assert (longest_s >= 1.9) == (kind is None)


def test_rows_that_are_refused_once_cost_one_request_more(project: Project) -> None:
    project.eval(ECHO, ROWS[:30])
    project.model = project.server.spec("fault-status-429-1-after-0.2")
    result = project.run("evals", "--max-connections=16")
    assert result.ret == 0
    assert requests(project.server).total() == 60
    assert set(project.cases().values()) == {"passed"}


def test_a_closed_port_is_an_error_of_the_connection(project: Project, shortest_pauses: None) -> None:
    project.eval(ECHO, ROWS[:2])
    result = project.run("evals", model="openai:echo@http://127.0.0.1:9/v1")
    assert result.ret == 1
    assert project.rows("SELECT DISTINCT error_kind FROM cases") == [{"error_kind": "connection"}]
