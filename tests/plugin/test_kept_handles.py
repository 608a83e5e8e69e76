"""A model, a client or a score that an application keeps: none of another case answers or counts unnoticed."""

import pytest

from tests.plugin.test_retries import RETRY
from tests.support.fault_server import Entry, FaultHandler
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
        assert f"case: {ADVICE}, of its own model, and" in error and "models.md); it is that of evals/" in error
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
        assert error.startswith("score of another case: use the fixture of the test that runs, and keep it nowhere; it")
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


def test_what_a_body_left_behind_asks_no_more_and_is_no_fault_of_others(project: Project) -> None:
    write(
        project,
        """
        async def test_echo(sample, model, request):
            if sample.id == "a":
                async def later():
                    while not begun:
                        await asyncio.sleep(0.01)
                    try:
                        await asyncio.to_thread(openai_client(model).models.list)
                    except Exception:
                        with pytest.raises(Exception, match="model echo of a case that has ended: "):
                            await model.generate("more")
                        told.append("done")

                kept.append(asyncio.create_task(later()))
            elif sample.id == "b":
                begun.append(1)
                async with asyncio.timeout(10):
                    while not told:
                        await asyncio.sleep(0.01)

        kept, begun, told = [], [], []
        """,
    )
    project.run("evals", "-p", "no:xdist").assert_outcomes(passed=3)
    assert project.server.ledger == []


WORKING = """
{how}def test_echo(sample, model, score, judge{more}):
    chat = [{{"role": "user", "content": sample.id}}]

    def ask():
        openai_client(model).chat.completions.create(model="x", messages=chat)

    def in_threads():
        threads = [threading.Thread(target=ask), threading.Thread(target=score.record, args=("extra", 1))]
        for each in threads:
            each.start()
            each.join()

    async def in_tasks():
        async with asyncio.TaskGroup() as group:
            group.create_task(async_openai_client(model).chat.completions.create(model="x", messages=chat))
            group.create_task(asyncio.to_thread(ask))
            loop = asyncio.get_running_loop()
            asks = [loop.run_in_executor(pool, ask) for pool in (None, POOL)]
            asks.append(asyncio.wrap_future(asyncio.run_coroutine_threadsafe(model.generate(chat), LOOP)))
            await asyncio.gather(*asks)
        await asyncio.to_thread(in_threads)
        score.exact(await model.generate(), sample.input)

    {body}

POOL = concurrent.futures.ThreadPoolExecutor(2)
LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, daemon=True).start()
atexit = __import__("atexit").register(LOOP.call_soon_threadsafe, LOOP.stop)

@pytest.fixture
def around(model, judge, score):
    model.generate_sync("before")
    yield
    judge.generate_sync("behind")

@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"

@pytest.fixture(scope="session")
async def stays(anyio_backend):
    yield
"""


@pytest.mark.parametrize(
    ("how", "more", "body"),
    [
        ("", ", around", "asyncio.run(in_tasks())"),
        ("async ", "", "await in_tasks()"),
        ("async ", ", around", "await in_tasks()"),
        ("@pytest.mark.anyio\nasync ", ", around, stays", "await in_tasks()"),
    ],
    ids=["sync", "ahead", "in its turn", "anyio"],
)
def test_what_a_body_starts_itself_asks_and_scores_for_it(
    project: Project, spread: list[str], how: str, more: str, body: str
) -> None:
    write(project, WORKING.format(how=how, more=more, body=body))
    loaded = ["-p", "anyio"] if "stays" in more else []
    result = project.run("evals", *spread, *loaded, f"--judge-model={project.server.spec('judge')}", inside=not loaded)
    assert result.ret == 0, result.stdout.str()
    assert project.cases() == dict.fromkeys("abc", "passed")
    asked = project.rows("SELECT sample_id, COUNT(*) AS n FROM calls JOIN cases ON cases.id = case_id GROUP BY 1")
    assert {row["sample_id"]: row["n"] for row in asked} == dict.fromkeys("abc", 9 if "around" in more else 7)
    assert ("3 ran ahead" in result.stdout.str()) == (not more) or "-n2" in spread


def test_a_task_that_serves_one_case_after_another_may_ask_for_each(project: Project) -> None:
    """It was started by the first of them, which has ended."""
    write(
        project,
        """
        async def test_echo(sample, model, score, request):
            if not started:
                started.append(asyncio.create_task(serve()))
            promise = asyncio.get_running_loop().create_future()
            asked.put_nowait((async_openai_client(model), sample.input, promise))
            score.exact(await promise, sample.input)

        async def serve():
            while True:
                client, question, promise = await asked.get()
                chat = [{"role": "user", "content": question}]
                said = await client.chat.completions.create(model="x", messages=chat)
                promise.set_result(said.choices[0].message.content)

        started, asked = [], asyncio.Queue()
        """,
    )
    project.run("evals", "-p", "no:xdist").assert_outcomes(passed=3)
    assert project.cases() == dict.fromkeys("abc", "passed")


@pytest.mark.parametrize("how", ["task", "thread"])
def test_what_serves_several_cases_at_once_may_ask_for_each(project: Project, spread: list[str], how: str) -> None:
    """The first of them began it and is not over; each gives it a client of its own."""
    write(
        project,
        f"""
        async def test_echo(sample, model, score):
            if not started:
                started.append({"asyncio.create_task(serve())" if how == "task" else "threading.Thread(target=serve)"})
                {"" if how == "task" else "started[0].daemon = True; started[0].start()"}
            promise = concurrent.futures.Future()
            asked.put_nowait((model, sample.input, promise))
            score.exact(await asyncio.wrap_future(promise), sample.input)

        {"async " if how == "task" else ""}def serve():
            while True:
                model, question, promise = {"await " if how == "task" else ""}asked.get()
                client = {"async_" if how == "task" else ""}openai_client(model)
                chat = [{{"role": "user", "content": question}}]
                said = {"await " if how == "task" else ""}client.chat.completions.create(model="x", messages=chat)
                promise.set_result(said.choices[0].message.content)

        import queue
        started, asked = [], {"asyncio" if how == "task" else "queue"}.Queue()
        """,
        [{"id": f"r{number}", "input": "x"} for number in range(6)],
    )
    result = project.run("evals", *spread, model=project.server.spec("fault-slow-100"))
    assert result.ret == 0, result.stdout.str()
    assert set(project.cases().values()) == {"passed"}
    assert len(project.server.ledger) == 6


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


@pytest.mark.parametrize("answer_first", [True, False])
def test_what_a_case_left_behind_is_no_error_of_the_next_that_asked_itself(
    project: Project, answer_first: bool
) -> None:
    """A thread of a case that waited no longer for it goes on in the turn of the next."""
    write(
        project,
        f"""
        def test_echo(sample, model, score):
            if sample.id == "a":
                kept.append(POOL.submit(later, openai_client(model)))
                return
            {"score.exact(model.generate_sync(), sample.input)" if answer_first else ""}
            gate.set()
            with pytest.raises(Exception, match="model echo of a case that has ended: {ADVICE}"):
                kept[0].result()
            {"" if answer_first else "score.exact(model.generate_sync(), sample.input)"}

        def later(client):
            gate.wait()
            client.chat.completions.create(model="x", messages=[{{"role": "user", "content": "more"}}])

        kept, gate, POOL = [], threading.Event(), concurrent.futures.ThreadPoolExecutor(1)
        """,
        ROWS[:2],
    )
    project.run("evals", "-p", "no:xdist").assert_outcomes(passed=2)
    assert project.cases() == {"a": "passed", "b": "passed"}


def test_a_late_failure_of_a_call_is_of_the_case_that_made_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It passed before, and the next one has nothing to do with it."""

    def late(handler: FaultHandler, entry: Entry) -> None:
        (project.root / "asked").touch()
        handler.server.faults.closing.wait(1)
        handler._error(400, "no")

    monkeypatch.setattr(FaultHandler, "_normal", late)
    write(
        project,
        """
        def test_echo(sample, model, score):
            chat = [{"role": "user", "content": sample.input}]
            if sample.id == "a":
                kept.append(POOL.submit(openai_client(model).chat.completions.create, model="x", messages=chat))
                while not os.path.exists("asked"):
                    time.sleep(0.01)
                return
            with pytest.raises(Exception, match="HTTP 400"):
                kept[0].result()

        import os, time
        kept, POOL = [], concurrent.futures.ThreadPoolExecutor(1)
        """,
        ROWS[:2],
    )
    project.run("evals", "-p", "no:xdist").assert_outcomes(passed=2)


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
