"""Judgements are requested behind their responses, before the turn of their case, where its code makes them certain."""

import json
import threading
import time
from collections import Counter

import pytest

from tests.support.judges import Judged, Messages, answer_in, named, verdict
from tests.support.project import Project
from tests.support.sessions import wait_until

COUNT = 12
ROWS = [{"id": f"r{n:02}", "input": "yes", "target": f"yes {n}"} for n in range(COUNT)]
SYNC = """
def test_echo(response, score):
    score.judge_sync(response, rubric="qa")
"""
ASYNC = """
async def test_echo(response, score):
    await score.judge(response, rubric="qa")
"""
GENERATE = """
async def test_echo(model, score):
    await score.judge(await model.generate(), rubric="qa")
"""
RUBRIC_OF_THE_MODULE = """
def test_echo(sample, response, score):
    score.judge_sync(response.text, sample.target, rubric=RUBRIC)

RUBRIC = "qa"
"""
SET_BY_FIXTURE = """
import pytest

QUESTION = "not set"

@pytest.fixture(scope="{scope}", autouse=True)
def question({uses}):
    {does}

@pytest.mark.llmeval("data/echo.jsonl")
def test_echo(response, score):
    score.judge_sync(response, question=QUESTION, rubric="qa")
"""
OF_THE_MODULE = {"scope": "module", "uses": "", "does": "global QUESTION; QUESTION = 'which?'"}
OF_THE_CASE = {"scope": "function", "uses": "sample", "does": "global QUESTION; QUESTION = sample.id"}
PATCHED = {
    "scope": "function",
    "uses": "sample, request, monkeypatch",
    "does": "monkeypatch.setattr(request.module, 'QUESTION', sample.id)",
}
SKIPPING = """
import pathlib, time

import pytest

@pytest.fixture
def backend(sample):
    time.sleep(0.1)
    pathlib.Path(f"{sample.id}.skipped").touch()
    pytest.skip("the backend is down")
"""
LAST = """
def test_last():
    import pathlib, time

    while len(list(pathlib.Path().glob("*.skipped"))) < 4:
        time.sleep(0.01)
    time.sleep(0.2)
    pathlib.Path("ended").touch()
    time.sleep(0.5)
"""


def judged_texts(project: Project) -> Counter[str]:
    """Return how often each case of the newest run has a judge's call."""
    run = project.last_run()["id"]
    rows = project.rows(
        "SELECT sample_id FROM calls JOIN cases ON cases.id = case_id WHERE calls.run_id = ? AND role = 'judge'", run
    )
    return Counter(row["sample_id"] for row in rows)


@pytest.mark.parametrize(
    ("fixture", "more"),
    [(OF_THE_MODULE, 0), (PATCHED, 0), (OF_THE_CASE, 8 + 2 * 2 + 1)],
    ids=["module", "patched", "case"],
)
def test_by_what_fixtures_set_no_case_or_few_are_judged_twice(
    project: Project, judged_by: Judged, fixture: dict[str, str], more: int
) -> None:
    """Of cases whose variables differ the first ones tell that; by then four others are begun, and one has its turn."""
    judge = judged_by(verdict)
    project.eval("", rows := [{"id": f"r{n}", "input": "yes", "target": f"yes {n}"} for n in range(40)])
    project.write(evals__test_echo_py=SET_BY_FIXTURE.format(**fixture))
    model = project.server.spec("fault-slow-50")
    result = project.run("evals", named(project, judge), "--max-connections=2", model=model)
    assert result.ret == 0
    told = " ".join(result.stdout.str().split())
    assert ("suite echo asked the judge otherwise than ahead of their turn, so both were asked" in told) == (more > 0)
    assert len(rows) <= len(judge.ledger) <= len(rows) + more


@pytest.mark.parametrize("body", [SYNC, RUBRIC_OF_THE_MODULE], ids=["literal", "variable"])
def test_a_body_that_is_not_async_is_judged_while_others_run(
    project: Project, judged_by: Judged, spread: list[str], body: str
) -> None:
    """The judge answers nobody until four ask it at once; one by one they would wait in vain."""
    together = threading.Barrier(4, timeout=20)

    def reply(messages: Messages) -> str:
        together.wait()
        return verdict(messages)

    judge = judged_by(reply)
    project.eval(body, ROWS)
    result = project.run("evals", named(project, judge), *spread)
    assert result.ret == 0, result.stdout.str()
    assert len(judge.ledger) == COUNT
    assert project.cases() == dict.fromkeys((row["id"] for row in ROWS), "passed")
    assert judged_texts(project) == Counter(row["id"] for row in ROWS)
    assert f"{2 * COUNT} requests" in result.stdout.str()


def test_all_judges_of_a_panel_are_asked_ahead(project: Project, judged_by: Judged, dist_args: list[str]) -> None:
    """Six calls at once: those of two cases at least, by three judges."""
    together = threading.Barrier(6, timeout=20)

    def reply(messages: Messages) -> str:
        together.wait()
        return verdict(messages)

    judge = judged_by(reply)
    project.eval(SYNC, ROWS)
    specs = "".join(f"  {name}: {{spec: 'openai:{name}@{judge.url}'}}\n" for name in "abc")
    project.write(models_yaml=f"models:\n{specs}")
    result = project.run("evals", *(f"--judge-model={name}" for name in "abc"), *dist_args)
    assert result.ret == 0, result.stdout.str()
    assert judged_texts(project) == Counter({row["id"]: 3 for row in ROWS})
    assert len(judge.ledger) == 3 * COUNT


def test_a_judgement_that_hangs_on_the_answer_is_asked_for_in_its_turn(project: Project, judged_by: Judged) -> None:
    project.eval(
        """
        def test_echo(response, score):
            if score.contains(response, "no").value:
                score.judge_sync(response, rubric="qa")
        """,
        ROWS,
    )
    judge = judged_by(verdict)
    project.run("evals", named(project, judge))
    assert judge.ledger == []
    assert len(project.server.ledger) == COUNT


def test_an_answer_that_comes_after_the_end_of_its_case_is_not_judged(
    project: Project, judged_by: Judged, spread: list[str]
) -> None:
    """The model answers nobody until a fixture has skipped all cases."""

    def reply(messages: Messages) -> str:
        wait_until((project.root / "ended").exists, "the cases have ended")
        return "yes"

    judge = judged_by(verdict)
    project.server.reply = reply
    project.write(conftest_py=SKIPPING)
    project.eval(SYNC.replace("(", "(backend, ", 1) + LAST, ROWS[:4])
    result = project.run("evals", named(project, judge), *spread)
    result.assert_outcomes(skipped=4, passed=1)
    assert project.server.ledger and judge.ledger == []


def test_a_verdict_that_is_asked_for_again_is_asked_once_for_body_and_look_ahead(
    project: Project, judged_by: Judged, spread: list[str]
) -> None:
    def stumbling(messages: Messages) -> str:
        return "It is right." if len(messages) == 2 else verdict(messages)

    judge = judged_by(stumbling)
    project.eval(SYNC, ROWS)
    assert project.run("evals", named(project, judge), *spread).ret == 0
    assert len(judge.ledger) == 2 * COUNT
    assert judged_texts(project) == Counter({row["id"]: 2 for row in ROWS})


def test_what_a_judge_does_not_answer_is_an_error_of_the_case(
    project: Project, judged_by: Judged, spread: list[str]
) -> None:
    judge = judged_by(lambda messages: "I would rather not.")
    project.eval(SYNC, ROWS[:4])
    assert project.run("evals", named(project, judge), *spread).ret == 1
    assert len(judge.ledger) == 3 * 4
    assert {row["error_kind"] for row in project.rows("SELECT error_kind FROM cases")} == {"judge"}


def test_verdicts_of_an_earlier_run_are_not_asked_for_again(
    project: Project, judged_by: Judged, spread: list[str]
) -> None:
    judge = judged_by(verdict)
    project.eval(SYNC, ROWS)
    flag = named(project, judge)
    for _ in range(2):
        assert project.run("evals", flag, *spread).ret == 0
    assert len(judge.ledger) == COUNT
    assert judged_texts(project) == Counter(row["id"] for row in ROWS)


def test_answers_and_judgements_that_were_requested_ahead_are_not_made_again_by_a_resumed_run(
    project: Project, judged_by: Judged
) -> None:
    judge = judged_by(verdict)
    project.eval(
        """
        def test_echo(sample, response, score):
            import pathlib

            score.judge_sync(response, rubric="qa")
            if sample.id == "r03" and not pathlib.Path("fixed").exists():
                pytest.exit("enough", 3)
        """,
        ROWS,
    )
    flag = named(project, judge)
    project.run("evals", flag, inside=False)
    (project.root / "fixed").touch()
    assert project.run("evals", flag, "--resume=last").ret == 0
    assert len(judge.ledger) == COUNT
    assert len(project.server.ledger) == COUNT


@pytest.mark.parametrize("body", [SYNC, ASYNC, GENERATE], ids=["sync", "response", "generate"])
def test_one_connection_is_enough_for_a_model_and_its_judge_on_one_server(
    project: Project, judged_by: Judged, spread: list[str], body: str
) -> None:
    """Nobody holds the only slot while it waits for another call."""

    def reply(messages: Messages) -> str:
        return verdict(messages) if messages[0]["role"] == "system" else "yes"

    server = judged_by(reply)
    project.eval(body, ROWS)
    model = f"openai:model@{server.url}"
    result = project.run("evals", named(project, server), "--max-connections=1", *spread, model=model)
    assert result.ret == 0, result.stdout.str()
    assert len(server.ledger) == 2 * COUNT
    assert server.max_in_flight == 1


@pytest.mark.parametrize("body", [SYNC, ASYNC, GENERATE], ids=["sync", "response", "generate"])
def test_the_end_of_the_budget_stops_judge_calls_too(
    project: Project, judged_by: Judged, spread: list[str], body: str
) -> None:
    """A call of the judge costs a dollar by its bound; the model costs nothing."""
    judge = judged_by(verdict)
    project.eval(body, ROWS)
    prices = "prices: {input: 0, output: 1000000}, params: {max_tokens: 1}"
    project.write(
        models_yaml=f"""
        models:
          free: {{spec: 'openai:echo@{project.server.url}', prices: {{input: 0, output: 0}}}}
          j: {{spec: 'openai:judge@{judge.url}', {prices}}}
        """
    )
    result = project.run("evals", "--judge-model=j", "--max-cost=5", *spread, model="free")
    assert result.ret == 10, result.stdout.str()
    assert 1 <= len(judge.ledger) <= 5
    found = Counter(row["error_kind"] for row in project.rows("SELECT error_kind FROM cases"))
    assert found == Counter({"budget": COUNT - len(judge.ledger), None: len(judge.ledger)})
    assert json.loads(project.last_run()["judge_models"]) == ["j"]


def test_a_judge_is_not_taken_to_cost_what_the_model_does(project: Project, judged_by: Judged) -> None:
    """Its replies have no bound: until its own price is known one call goes alone, though the model's is known."""
    judge = judged_by(verdict)
    project.eval(SYNC, ROWS)
    project.write(
        models_yaml=f"""
        models:
          free: {{spec: 'openai:echo@{project.server.url}', prices: {{input: 0, output: 0}}}}
          j: {{spec: 'openai:judge@{judge.url}', prices: {{input: 0, output: 40000}}}}
        """
    )
    result = project.run("evals", "--judge-model=j", "--max-cost=3", model="free")
    assert result.ret == 10, result.stdout.str()
    (spent,) = project.rows(
        "SELECT count(*) AS calls, sum(cost_usd) AS usd FROM calls WHERE status = 'ok' AND role = 'judge'"
    )
    assert (len(judge.ledger), spent["calls"]) == (3, 3)
    assert spent["usd"] <= 3


def test_a_judge_without_a_price_cannot_be_held_to_a_budget(project: Project, judged_by: Judged) -> None:
    judge = judged_by(verdict)
    project.eval(SYNC, ROWS)
    project.write(
        models_yaml=f"""
        models:
          free: {{spec: 'openai:echo@{project.server.url}', prices: {{input: 0, output: 0}}}}
          j: {{spec: 'openai:judge@{judge.url}'}}
        """
    )
    result = project.run("evals", "--judge-model=j", "--max-cost=5", model="free")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--max-cost*j*"])
    assert judge.ledger == project.server.ledger == []


@pytest.mark.parametrize(("body", "good"), [(SYNC, 0), (SYNC, 6), (ASYNC, 6)], ids=["none", "sync", "async"])
def test_what_a_judge_that_is_asked_no_more_was_asked_for_counts(
    project: Project, judged_by: Judged, spread: list[str], body: str, good: int
) -> None:
    """Verdicts that have come, or are in flight, when it is given up are those of their cases, in money, too."""
    come, deadline = list[str](), time.monotonic() + 10

    def reply(messages: Messages) -> str:
        if answer_in(messages)[0] == "yes":
            come.append("good")
            return verdict(messages)
        while len(come) < good and time.monotonic() < deadline:
            time.sleep(0.01)
        return "It is wrong."

    judge = judged_by(reply)
    bad = [{"id": f"s{n:02}", "input": "no", "target": f"yes {n}"} for n in range(18)]
    project.eval(body, bad + ROWS[:good])
    project.write(
        models_yaml=f"""
        models:
          free: {{spec: 'openai:echo@{project.server.url}', prices: {{input: 0, output: 0}}}}
          j: {{spec: 'openai:judge@{judge.url}', prices: {{input: 1000, output: 1000}}}}
        """
    )
    project.run("evals", "--judge-model=j", "--max-connections=64", *spread, model="free")
    cases = project.rows(
        "SELECT sample_id, outcome, error, cases.cost_usd, sum(calls.cost_usd) AS paid, sum(role = 'judge') AS replies"
        " FROM cases JOIN calls ON calls.case_id = cases.id GROUP BY cases.id"
    )
    assert [row["cost_usd"] for row in cases] == [pytest.approx(row["paid"]) for row in cases]
    assert len(cases) == 18 + good and sum(row["replies"] for row in cases) == len(judge.ledger)
    for row in cases:
        if row["sample_id"].startswith("r"):
            assert row["outcome"] == ("passed" if row["replies"] else "error")
        else:
            assert ("no valid verdict by rubric qa in 3 replies" in row["error"]) == (row["replies"] == 3)


def test_a_verdict_asked_for_ahead_and_in_turn_is_one_of_the_eight(project: Project, judged_by: Judged) -> None:
    judge = judged_by(lambda messages: "It is wrong.")
    project.eval(SYNC, [{"id": f"s{n:02}", "input": "no", "target": f"yes {n}"} for n in range(12)])
    project.run("evals", named(project, judge), "--max-connections=1", "-n0")
    errors = [row["error"] for row in project.rows("SELECT error FROM cases WHERE error_kind = 'judge'")]
    assert len(errors) == 12 and sum("no valid verdict by rubric qa in 3 replies" in error for error in errors) >= 8
    assert 24 <= len(judge.ledger) < 36
