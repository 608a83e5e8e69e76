"""A model, a client or a score that an application keeps: none of another case answers or counts unnoticed."""

import pytest

from tests.plugin.test_retries import RETRY
from tests.support.judges import Judged
from tests.support.project import Project

ROWS = [{"id": each, "input": f"say {each}"} for each in "abc"]
KEPT = """
import asyncio
import concurrent.futures
import threading

import pytest

from pytest_llmeval import async_openai_client, openai_client

class App:
    client = None

def answer(question):
    chat = [{"role": "user", "content": question}]
    return App.client.chat.completions.create(model="x", messages=chat).choices[0].message.content

def kind_answer(question):
    try:
        return answer(question)
    except Exception:
        return "sorry"
"""
ADVICE = "make the client in each test"


def errors(project: Project) -> dict[str, str]:
    """Return what kept each case from a verdict, by its model and sample."""
    found = project.rows("SELECT model, sample_id, error_kind, error FROM cases WHERE outcome = 'error'")
    assert {row["error_kind"] for row in found} <= {"code"}
    return {f"{row['model']}-{row['sample_id']}": row["error"] for row in found}


def write(project: Project, body: str, rows: list[dict[str, str]] = ROWS) -> None:
    """Write an eval of an application that keeps what it was given."""
    project.eval(body, rows)
    path = project.root / "evals" / "test_echo.py"
    path.write_text(KEPT + path.read_text())


@pytest.mark.parametrize("asked", ["answer", "kind_answer"])
def test_a_client_of_a_case_that_has_ended_asks_for_no_other_model(
    project: Project, spread: list[str], asked: str
) -> None:
    """Each case that uses it is an error, also where the application makes an answer of that."""
    rows = [{"id": f"r{number}", "input": "x"} for number in range(4)]
    body = f"""
    def test_echo(sample, model, score):
        if App.client is None:
            App.client = openai_client(model)
        score.record("asked", {asked}(sample.input) is not None)
    """
    write(project, body, rows)
    models = [f"--model={project.server.spec(name)}" for name in ("one", "other")]
    result = project.run("evals", *models, *spread, model="")
    assert result.ret == 1
    passed = project.rows("SELECT model, sample_id FROM cases WHERE outcome = 'passed'")
    calls = project.rows("SELECT calls.model, cases.model AS of FROM calls JOIN cases ON cases.id = case_id")
    assert len(passed) == len(calls) == len(project.server.ledger) == (2 if "-n2" in spread else 1)
    assert all(call["model"] == call["of"] for call in calls)
    found = errors(project)
    assert len(found) == 8 - len(passed)
    for error in found.values():
        assert error.startswith(("model one of another case: ", "model other of another case: "))
        assert f"case: {ADVICE}, of its own model, and" in error and "applications.md); it is that of evals/" in error
        assert "], which has ended, and was used in evals/test_echo.py::test_echo[" in error


def test_a_client_of_a_case_whose_call_failed_lets_no_other_case_pass(project: Project, spread: list[str]) -> None:
    write(
        project,
        """
    def test_echo(sample, model, score):
        if App.client is None:
            App.client = openai_client(model)
        score.contains(kind_answer(sample.input), "sorry")
    """,
    )
    result = project.run("evals", *spread, model=project.server.spec("fault-status-400"))
    assert result.ret == 1
    assert project.cases() == dict.fromkeys("abc", "error")
    kinds = [row["error_kind"] for row in project.rows("SELECT error_kind FROM cases ORDER BY error_kind")]
    assert kinds == (["bad_request", "bad_request", "code"] if "-n2" in spread else ["bad_request", "code", "code"])


@pytest.mark.parametrize("caught", [False, True])
def test_a_client_of_a_body_that_runs_beside_another_answers_for_it_nowhere(project: Project, caught: bool) -> None:
    """The client is an attribute that each body sets: when it asks again, that is the client of the last one."""
    otherwise = "suppress(Exception)" if caught else "nullcontext()"
    write(
        project,
        f"""
    async def test_echo(sample, model, score):
        App.client = async_openai_client(model)
        said = []
        for part in ("plan", "do"):
            with contextlib.{otherwise}:
                chat = [{{"role": "user", "content": f"{{part}} {{sample.id}}"}}]
                said.append(await App.client.chat.completions.create(model="x", messages=chat))
        score.record("said", len(said))

    import contextlib
    """,
    )
    models = [f"--model={project.server.spec(f'fault-slow-{ms}')}" for ms in (200, 300)]
    assert project.run("evals", "-p", "no:xdist", *models, model="").ret == 1
    found = errors(project)
    assert len(found) == 5
    for error in found.values():
        assert "] and was used in evals/test_echo.py::test_echo[" in error and ADVICE in error
    calls = project.rows(
        "SELECT calls.model, cases.model AS of, sample_id, request FROM calls JOIN cases ON cases.id = case_id"
    )
    assert len(calls) == len(project.server.ledger) == 7
    assert all(call["model"] == call["of"] and f' {call["sample_id"]}"' in call["request"] for call in calls)


@pytest.mark.parametrize("how", ["", "async "])
def test_a_score_of_another_case_records_nothing(project: Project, judged_by: Judged, how: str) -> None:
    """Where both bodies run at once it is refused, too, and before a judge is asked."""
    asked = "await kept[0].judge('x', rubric='qa')" if how else "kept[0].judge_sync('x', rubric='qa')"
    write(
        project,
        f"""
    {how}def test_echo(sample, score):
        kept.append(score)
        if sample.id == "a":
            {"await asyncio.sleep(0.3)" if how else ""}
            return
        with contextlib.suppress(Exception):
            if sample.id == "b":
                kept[0].exact("x", "y")
            elif sample.id == "c":
                kept[0].record("extra", 1)
            else:
                {asked}

    import contextlib
    kept = []
    """,
        [*ROWS, {"id": "d", "input": "x"}],
    )
    judge = judged_by(lambda messages: pytest.fail("asked"))
    assert project.run("evals", "-p", "no:xdist", f"--judge-model={judge.spec('judge')}").ret == 1
    assert project.cases() == {"a": "passed", "b": "error", "c": "error", "d": "error"}
    for error in errors(project).values():
        assert error.startswith("score of another case: use the fixture of the running test, and do not keep it; it")
        assert "it is that of evals/test_echo.py::test_echo[a]" in error and "was used in evals/" in error
    assert project.rows("SELECT * FROM scores") == []
    assert judge.ledger == []


def test_a_thread_of_which_no_case_is_known_lets_none_pass_that_asked_nothing_itself(project: Project) -> None:
    write(
        project,
        """
        def test_echo(sample, model, pool):
            if App.client is None:
                App.client = openai_client(model)
            assert pool.submit(kind_answer, sample.input).result()

        @pytest.fixture(scope="module")
        def pool():
            with concurrent.futures.ThreadPoolExecutor(1) as made:
                yield made
        """,
    )
    assert project.run("evals", "-p", "no:xdist").ret == 1
    assert project.cases() == {"a": "passed", "b": "error", "c": "error"}
    assert len(project.server.ledger) == 1


def test_a_client_that_all_bodies_share_in_threads_of_theirs_answers_for_one(project: Project) -> None:
    """Of which the first made it; whom a thread runs for is known, as the body's task gave it the call."""
    body = """
        async def test_echo(sample, model, score):
            if App.client is None:
                App.client = openai_client(model)
            score.record("said", len(await asyncio.to_thread(kind_answer, sample.input)))
    """
    write(project, body)
    assert project.run("evals", "-p", "no:xdist", model=project.server.spec("fault-slow-300")).ret == 1
    assert project.cases() == {"a": "passed", "b": "error", "c": "error"}
    assert len(project.server.ledger) == 1


def test_a_client_of_an_attempt_that_was_repeated_asks_no_more(project: Project) -> None:
    write(
        project,
        """
        def test_echo(sample, model):
            if App.client is None:
                App.client = openai_client(model)
            answer(sample.input)
            assert False
        """,
        ROWS[:1],
    )
    project.write(conftest_py=RETRY)
    assert project.run("evals", "-p", "no:xdist").ret == 1
    assert errors(project)["echo-a"].startswith(f"model echo of an earlier attempt: {ADVICE}")
    assert len(project.server.ledger) == 1
