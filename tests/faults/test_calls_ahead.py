"""Responses are requested before their cases run: in order, each once, within the limits (contract, section 3)."""

from collections import Counter

import pytest

from tests.support.project import Project, jsonl
from tests.support.sessions import Held, Session, asked, requests, together, wait_until

COUNT = 24
ROWS = [{"id": f"r{n:02}", "input": f"q{n:02}"} for n in range(COUNT)]
TEXTS = [row["input"] for row in ROWS]
ECHO = "def test_echo(sample, response):\n    assert response.text == sample.input\n"
DISTRIBUTIONS = {
    "plain": ["-p", "no:xdist"],
    "n0": ["-n0"],
    "load": ["-n2"],
    "loadfile": ["-n2", "--dist=loadfile"],
    "loadscope": ["-n2", "--dist=loadscope"],
    "loadgroup": ["-n2", "--dist=loadgroup"],
    "worksteal": ["-n2", "--dist=worksteal"],
}


def test_requests_leave_in_the_order_of_collection(project: Project) -> None:
    project.eval(ECHO, ROWS)
    assert project.run("evals", "--max-connections=1").ret == 0
    assert asked(project.server) == TEXTS


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_each_row_is_asked_once_and_no_limit_is_passed(project: Project, distribution: str) -> None:
    """Whoever runs which case: as many requests as rows, as many in flight as allowed, and no more."""
    project.eval(ECHO, ROWS)
    project.model = project.server.spec("fault-slow-100")
    result = project.run("evals", "--max-connections=3", *DISTRIBUTIONS[distribution])
    assert result.ret == 0
    assert requests(project.server) == Counter(TEXTS)
    assert project.server.max_in_flight == 3
    assert f"{COUNT} requests, at most 3 in flight" in result.stdout.str()
    assert project.cases() == dict.fromkeys((row["id"] for row in ROWS), "passed")
    assert project.rows("SELECT DISTINCT attempts FROM cases") == [{"attempts": 1}]


def test_dist_each_is_a_usage_error(project: Project) -> None:
    """Not where there are no workers: pytest runs each test once then."""
    project.eval(ECHO, ROWS)
    result = project.run("evals", "--dist=each", "--tx=2*popen")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--dist=each would make every call once in each worker*"])
    assert project.server.ledger == []
    assert project.run("evals", "--dist=each").ret == 0


@pytest.mark.parametrize(
    ("dist", "least", "most"), [(["-p", "no:xdist"], 8, 10), (["-n2"], 16, 36)], ids=["plain", "n2"]
)
def test_a_slow_body_holds_the_calls_behind_it_to_the_window(
    project: Project, dist: list[str], least: int, most: int
) -> None:
    """Twice as many as connections are asked ahead; with xdist four times as many, and eight for each worker."""
    rows = [{"id": f"r{n:02}", "input": f"q{n:02}"} for n in range(60)]
    project.eval("", rows)
    project.write(
        evals__test_echo_py="""
        import pathlib
        import time

        import pytest

        @pytest.mark.llmeval("data/echo.jsonl")
        def test_echo(sample, response):
            while not pathlib.Path("go").exists():
                time.sleep(0.005)
        """
    )
    with Session(project, "--max-connections=4", *dist) as session:
        wait_until(lambda: len(project.server.ledger) >= least, "the window is used")
        with pytest.raises(AssertionError, match="not within"):
            wait_until(lambda: len(project.server.ledger) > most, "more is asked", longest_s=0.4)
        (project.root / "go").touch()
        assert session.end() == 0
    assert len(project.server.ledger) == 60


@pytest.mark.parametrize("is_within", [False, True], ids=["of the test", "of its fixture"])
def test_a_fixture_that_does_not_exist_pays_for_no_answer(project: Project, spread: list[str], is_within: bool) -> None:
    """Neither ahead nor in the turn of a case, whose setup fails as pytest's does."""
    asked = "database" if is_within else "databse"
    project.write(conftest_py="import pytest\n\n@pytest.fixture\ndef database(databse):\n    pass\n")
    project.eval(f"def test_echo(sample, response, score, {asked}):\n    pass\n", ROWS)
    project.eval("def test_good(response):\n    pass\n", ROWS[:1], name="good")
    result = project.run("evals", *spread)
    result.assert_outcomes(passed=1, errors=len(ROWS))
    result.stdout.fnmatch_lines(["*fixture 'databse' not found*"])
    assert len(project.server.ledger) == 1
    kinds = Counter(row["error_kind"] for row in project.rows("SELECT error_kind FROM cases"))
    assert kinds == {"code": len(ROWS), None: 1}


def test_a_fixture_whose_place_a_parameter_takes_needs_nothing_of_its_own(project: Project) -> None:
    """What it would ask for does not exist, and nobody asks; the answers come ahead as ever."""
    project.write(conftest_py="import pytest\n\n@pytest.fixture\ndef client(databse):\n    pass\n")
    project.eval(
        """
        @pytest.mark.parametrize("client", ["own"])
        def test_echo(sample, response, client):
            assert client == "own"
        """,
        ROWS[:3],
    )
    project.server.reply = together(3)
    project.run("evals").assert_outcomes(passed=3)


def test_cases_that_a_mark_may_skip_are_not_asked_ahead(project: Project, dist_args: list[str]) -> None:
    project.eval(
        ECHO,
        [
            {"id": "skipped", "input": "a", "marks": ["skip"]},
            {"id": "run", "input": "b"},
            {"id": "failing", "input": "c", "marks": ["xfail"]},
        ],
    )
    result = project.run("evals", *dist_args)
    result.assert_outcomes(skipped=1, passed=1, xpassed=1)
    assert requests(project.server) == Counter("bc")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["evals", "-k", "r07 or r11"], ["q07", "q11"]),
        (["evals/test_echo.py::test_echo[r05]"], ["q05"]),
        (["evals", "--limit=3"], ["q00", "q01", "q02"]),
        (["evals", "--deselect=evals/test_echo.py::test_echo[r00]", "--limit=3"], ["q01", "q02"]),
    ],
)
def test_only_selected_cases_are_asked(project: Project, arguments: list[str], expected: list[str]) -> None:
    project.eval(ECHO, ROWS)
    assert project.run(*arguments).ret == 0
    assert sorted(asked(project.server)) == expected


def test_lf_asks_for_the_failed_ones_alone(project: Project) -> None:
    project.eval("def test_echo(sample, response):\n    assert sample.id != 'r03'\n", ROWS[:6])
    assert project.run("evals").ret == 1
    project.server.ledger.clear()
    result = project.run("evals", "--lf")
    assert asked(project.server) == ["q03"]
    result.assert_outcomes(failed=1)


@pytest.mark.parametrize("dist", [["-p", "no:xdist"], ["-n0"]])
def test_x_stops_the_calls_within_the_window(project: Project, dist: list[str]) -> None:
    project.eval("def test_echo(response):\n    assert False\n", ROWS)
    result = project.run("evals", "-x", "--max-connections=2", *dist)
    assert result.ret == 1
    assert 1 <= len(project.server.ledger) <= 5
    assert project.last_run()["status"] == "interrupted"
    assert project.rows("SELECT count(*) AS n FROM cases") == [{"n": 1}]
    assert len(project.rows("SELECT * FROM calls WHERE status = 'ok'")) >= 1


def test_a_debugger_sees_the_case_it_stopped_in(project: Project) -> None:
    """In a suite with rules, too, where a miss fails nothing."""
    project.eval("async def test_echo(sample, response):\n    assert sample.id != 'r01', 'stop here'\n", ROWS[:4])
    project.write(
        conftest_py="""
        import pdb

        def show(self, frame, found):
            stack, place = self.get_stack(frame, getattr(found, "__traceback__", found))
            print("at", *sorted(stack[place][0].f_locals))

        pdb.Pdb.interaction = show
        """
    )
    result = project.run("evals", "--pdb", "-p", "no:xdist", inside=False)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*stop here*", "*entering PDB*", "at *response sample"])
    assert "0 ran ahead, 4 in their turn (--pdb: 4)" in result.stdout.str()
    assert requests(project.server) == Counter(TEXTS[:4])
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, 'this')\n", ROWS[:1])
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0}}}\n")
    result = project.run("evals", "--pdb", "-p", "no:xdist", inside=False)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*> traceback >*", "exact: *", "*entering PDB*", "at response sample score", "*1 missed in *"]
    )


def test_two_suites_and_two_models_share_one_order_and_one_limit(project: Project) -> None:
    project.write(
        data__rows_jsonl=jsonl(*ROWS[:6]),
        evals__test_both_py="""
        import pytest

        @pytest.mark.llmeval("data/rows.jsonl")
        def test_one(sample, response):
            assert response.text == sample.input

        @pytest.mark.llmeval("data/rows.jsonl")
        async def test_two(sample, response):
            assert response.text == sample.input
        """,
    )
    other = f"--model={project.server.spec('other')}"
    assert project.run("evals", other, "--max-connections=2", "-n2").ret == 0
    assert Counter(
        (entry.model, text) for entry, text in zip(project.server.ledger, asked(project.server), strict=True)
    ) == {(model, text): 2 for model in ("echo", "other") for text in TEXTS[:6]}
    assert project.server.max_in_flight <= 2


def test_a_case_says_how_long_it_waited_for_its_answer(project: Project, spread: list[str]) -> None:
    """Its duration in reports is that of a pytest item; what of it was waiting stands beside it."""
    project.eval(ECHO, ROWS[:2])
    project.model = project.server.spec("fault-slow-120")
    assert project.run("evals", "--junitxml=out.xml", "--max-connections=1", *spread).ret == 0
    waits = project.rows("SELECT waited_s, latency_s FROM cases ORDER BY sample_id")
    assert sum(row["waited_s"] for row in waits) > 0.1
    assert all(row["latency_s"] >= 0.12 for row in waits)
    assert (project.root / "out.xml").read_text().count('<property name="llmeval_wait_s"') == 2


def test_answers_that_wait_are_no_reason_to_hold_a_case_that_needs_none(project: Project) -> None:
    """A case without a call runs at once, though the server holds the calls of those behind it."""
    project.eval("def test_echo(response):\n    pass\n", ROWS[:2], name="slow")
    project.eval("def test_free(sample):\n    __import__('pathlib').Path('free.txt').touch()\n", ROWS[:2], name="free")
    held = Held(project.server, 0)
    with Session(project, "-p", "no:xdist") as session:
        wait_until(lambda: len(project.server.ledger) == 2, "both are asked")
        wait_until(lambda: (project.root / "free.txt").exists(), "the free cases run")
        held.open()
        assert session.end() == 0


def test_answers_in_flight_where_a_failure_stops_the_run_are_kept(project: Project) -> None:
    """They are paid: the run can be resumed with them."""
    project.eval("def test_echo(sample, response):\n    assert sample.id != 'r00'\n", ROWS[:8])
    result = project.run("evals", "-x", "--max-connections=3", model=project.server.spec("fault-slow-150"))
    assert (result.ret, project.last_run()["status"]) == (1, "interrupted")
    (kept,) = project.rows("SELECT count(*) AS n FROM calls WHERE status = 'ok'")
    assert kept["n"] == len(project.server.ledger) > 1


def test_cases_that_end_before_they_ask_leave_the_window_to_others(project: Project, spread: list[str]) -> None:
    """And few of their answers are paid for: a function most of whose cases a fixture skips is asked in turn."""
    rows = [{"id": f"r{n:03}", "input": f"q{n}"} for n in range(60)]
    project.eval("def test_skipped(response, skipping):\n    pass\n", rows, name="first")
    project.eval(ECHO, ROWS)
    project.write(
        conftest_py="""
        import pytest

        @pytest.fixture(autouse=True)
        def skipping(request):
            if "test_skipped" in request.node.name:
                pytest.skip("not this")
        """
    )
    project.model = project.server.spec("fault-slow-100")
    result = project.run("evals", "--max-connections=4", *spread)
    result.assert_outcomes(passed=COUNT, skipped=60)
    assert "-n2" in spread or project.server.max_in_flight == 4
    assert len(project.server.ledger) < COUNT + 50


def test_cases_that_ask_their_prompt_themselves_first_leave_the_window_to_others(project: Project) -> None:
    """The answer that was asked ahead is that of the first call, and ``response`` the second one."""
    project.eval("def test_echo(warm, response):\n    pass\n", ROWS)
    project.write(conftest_py="import pytest\n\n@pytest.fixture\ndef warm(model):\n    model.generate_sync()\n")
    project.model = project.server.spec("fault-slow-20")
    assert project.run("evals", "--max-connections=2", "-p", "no:xdist").ret == 0
    texts = asked(project.server)
    assert Counter(texts) == dict.fromkeys(TEXTS, 2)
    assert texts.index(TEXTS[-1]) < len(texts) - 1 - texts[::-1].index(TEXTS[-2])


def test_while_other_tests_run_nothing_is_asked_and_what_they_change_reaches_no_call(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They patch the environment, the clock, the sockets: a key of theirs would close the account for the whole run."""
    monkeypatch.setenv("LLMEVAL_API_KEY", "sk-real-0123456789")
    patched = 'monkeypatch.setenv("LLMEVAL_API_KEY", "sk-of-a-test-0123456789")'
    project.eval(f"def test_first(monkeypatch, model):\n    {patched}\n    model.generate_sync()\n", ROWS[:1], name="a")
    project.eval(ECHO, ROWS, name="b")
    project.write(
        tests__test_unit_py="""
        import time
        from pathlib import Path

        def test_unit():
            time.sleep(0.3)
            Path("ended").write_text(str(time.monotonic()))
        """
    )
    project.run("tests", "evals").assert_outcomes(passed=COUNT + 2)
    ledger = project.server.ledger
    assert min(entry.time_s for entry in ledger) > float((project.root / "ended").read_text("utf-8"))
    assert {entry.headers["authorization"] for entry in ledger} == {"Bearer sk-real-0123456789"}


def test_a_prompt_function_that_takes_its_time_holds_up_no_call(project: Project) -> None:
    """As a latency, and within a time limit, counts what the server takes."""
    pause_s = 3
    slow = f"prompt=lambda sample: __import__('time').sleep({pause_s}) or sample.input"
    project.eval(ECHO, ROWS[:16])
    project.eval(ECHO.replace("echo", "slow"), ROWS[:2], name="slow", marker=slow)
    project.model = project.server.spec("fault-slow-100")
    assert project.run("evals", "--max-connections=8", "-p", "no:xdist").ret == 0
    (slowest,) = project.rows("SELECT max(latency_s) AS s FROM calls")
    assert slowest["s"] < 0.8 * pause_s
    assert len(project.server.ledger) == 18


def test_prompts_that_come_out_otherwise_in_their_turn_are_told_and_soon_not_asked_ahead(
    project: Project, spread: list[str]
) -> None:
    """What is sent in its turn goes: a fixture may have set what the function looks at."""
    project.eval(
        """
        def test_echo(sample, response):
            assert response.text == f"{sample.input} in its turn"

        def build(sample):
            import threading

            is_turn = threading.current_thread() is threading.main_thread()
            return f"{sample.input} in its turn" if is_turn else sample.input
        """,
        [{"id": f"r{n}", "input": f"q{n}"} for n in range(60)],
        marker="prompt=lambda sample: build(sample)",
    )
    result = project.run("evals", "--max-connections=4", *spread)
    assert result.ret == 0, result.stdout.str()
    told = " ".join(result.stdout.str().split())
    assert "of suite echo differed in the case's turn from the one asked ahead" in told
    assert "-n2" in spread or len(project.server.ledger) < 80
