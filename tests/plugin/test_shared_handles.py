"""A task or thread of the application that serves several cases with what each was given, or outlives one."""

import pytest

from tests.plugin.test_kept_handles import ADVICE, ROWS, write
from tests.support.fault_server import Entry, FaultHandler
from tests.support.project import Project


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
