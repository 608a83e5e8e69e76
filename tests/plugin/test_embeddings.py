"""An application that looks passages up by embeddings: a client of its own makes them, beside the case's model."""

import pytest

from tests.support.project import Project
from tests.support.sessions import Session, wait_until

ROWS = [{"id": each, "input": f"say {each}"} for each in "ab"]
WAYS = ("sync", "async", "thread", "endpoint")
APP = """
async def test_rag(sample, model, score):
    import asyncio
    import openai
    from pytest_llmeval import async_openai_client, model_endpoint, openai_client

    own = {"base_url": "URL", "api_key": "of-embeddings", "max_retries": 0}

    def sync(client):
        vector = client.embeddings.create(model="tiny", input=sample.input).data[0].embedding
        return vector, client.chat.completions.create(model="x", messages=chat).choices[0].message.content

    async def awaited(client):
        made = await client.embeddings.create(model="tiny", input=sample.input)
        completion = await client.chat.completions.create(model="x", messages=chat)
        return made.data[0].embedding, completion.choices[0].message.content

    def asked(endpoint):
        with openai.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key) as client:
            return sync(client)

    chat = [{"role": "user", "content": sample.input}]
    with openai.OpenAI(**own) as plain:
        async with openai.AsyncOpenAI(**own) as waiting:
            if "WAY" == "sync":
                vector, said = await asyncio.to_thread(sync, openai_client(model, embeddings=plain))
            elif "WAY" == "async":
                vector, said = await awaited(async_openai_client(model, embeddings=waiting))
            elif "WAY" == "thread":
                vector, said = await awaited(async_openai_client(model, embeddings=plain))
            else:
                with model_endpoint(model, embeddings=plain) as endpoint:
                    vector, said = await asyncio.to_thread(asked, endpoint)
    assert vector == [0.5, -0.25]
    score.exact(said, sample.input)
"""


@pytest.mark.parametrize("way", WAYS)
def test_its_own_client_makes_them(project: Project, way: str) -> None:
    """With its own address and key, and as they were asked for; the calls of the case are those of its model alone."""
    project.eval(APP.replace("URL", project.server.url).replace("WAY", way), ROWS)
    project.run("evals").assert_outcomes(passed=2)
    own = [entry for entry in project.server.ledger if entry.path == "/v1/embeddings"]
    assert {entry.headers["authorization"] for entry in own} == {"Bearer of-embeddings"}
    assert sorted((entry.model, entry.body["input"]) for entry in own) == [("tiny", "say a"), ("tiny", "say b")]
    assert len(project.server.ledger) == 4 and len(project.rows("SELECT id FROM calls")) == 2
    project.run("evals", "--cache=only").assert_outcomes(passed=2)
    assert [entry.path for entry in project.server.ledger[4:]] == ["/v1/embeddings"] * 2


def test_workers_make_them_too(project: Project) -> None:
    project.eval(APP.replace("URL", project.server.url).replace("WAY", "async"), ROWS)
    project.run("evals", "-n2").assert_outcomes(passed=2)
    assert len(project.server.ledger) == 4


@pytest.mark.parametrize("way", WAYS)
def test_one_that_fails_is_an_error_of_the_case(project: Project, way: str) -> None:
    """Also where the application answers without what it was to find, which would be scored."""
    caught = """
    try:
        await app(sample, model)
    except Exception:
        pass
    score.exact("sorry", "sorry")
"""
    app = (
        APP.replace("URL", project.server.url).replace("WAY", way).replace("    score.exact(said, sample.input)\n", "")
    )
    app = app.replace('"tiny"', '"fault-echoauth"').replace(
        "async def test_rag(sample, model, score)", "async def app(sample, model)"
    )
    project.eval(f"\nasync def test_rag(sample, model, score):{caught}\n{app}", ROWS)
    project.run("evals").assert_outcomes(errors=2)
    (found,) = project.rows("SELECT DISTINCT error_kind, error FROM cases")
    assert found["error_kind"] == "code"
    assert f"embeddings from {project.server.url}: AuthenticationError: Error code: 401" in found["error"]
    assert [entry.path for entry in project.server.ledger] == ["/v1/embeddings"] * 2


def test_what_makes_no_embeddings_is_refused(project: Project) -> None:
    """A name or an address, and a client that is awaited where nobody awaits; without a client the error says so."""
    project.eval(
        """
        def test_rag(sample, model, score):
            import openai
            from pytest_llmeval import async_openai_client, model_endpoint, openai_client
            told = "`embeddings` takes a client of OpenAI's SDK, found 'text-embedding-3-small'"
            for make in (openai_client, async_openai_client, lambda *a, **k: model_endpoint(*a, **k).__enter__()):
                with pytest.raises(TypeError, match=told):
                    make(model, embeddings="text-embedding-3-small")
            for make in (openai_client, lambda *a, **k: model_endpoint(*a, **k).__enter__()):
                with pytest.raises(TypeError, match="an openai.OpenAI here, found an async client"):
                    make(model, embeddings=openai.AsyncOpenAI(api_key="x"))
            with pytest.raises(TypeError, match="takes a client of OpenAI's SDK, found <class 'openai.OpenAI'>"):
                openai_client(model, embeddings=openai.OpenAI)
            openai_client(model).embeddings.create(model="x", input="x")
        """,
        ROWS[:1],
    )
    project.run("evals").assert_outcomes(errors=1)
    (found,) = project.rows("SELECT error FROM cases")
    told = "POST /v1/embeddings: only chat completions and responses go through the case's model; for embeddings pass"
    assert f"{told} an OpenAI client: `embeddings=client`, next to `model`" in found["error"]


@pytest.mark.parametrize("way", ("sync", "async"))
def test_an_answer_without_embeddings_is_an_error_of_the_case(project: Project, way: str) -> None:
    """A gateway's page under status 200, say: the application answers without what it was to find."""
    project.eval(
        """
        async def test_rag(sample, model, score):
            import openai
            from pytest_llmeval import async_openai_client
            own = {"base_url": "URL", "api_key": "x", "max_retries": 0}
            with openai.OpenAI(**own) as plain:
                async with openai.AsyncOpenAI(**own) as waiting:
                    client = async_openai_client(model, embeddings=plain if "WAY" == "sync" else waiting)
                    try:
                        (await client.embeddings.create(model=sample.input, input="x")).data[0]
                    except Exception:
                        pass
            score.exact("sorry", "sorry")
        """.replace("URL", project.server.url).replace("WAY", way),
        [{"id": each, "input": f"fault-body-{each}"} for each in ("html", "emptyobj", "list", "null", "nullvector")],
    )
    project.run("evals").assert_outcomes(errors=5)
    errors = {row["sample_id"]: row["error"] for row in project.rows("SELECT sample_id, error FROM cases")}
    told = f"embeddings from {project.server.url}: the answer does not contain 1 embedding, but "
    assert errors["html"] == f"{told}'<html><body>Please log in</body></html>'"
    assert errors["emptyobj"] == f"{told}{{}}" and errors["list"] == f"{told}[]" and errors["null"] == f"{told}None"
    assert errors["nullvector"].startswith(told)


def test_an_application_of_azure_asks_and_embeds_at_the_address(project: Project) -> None:
    """Its key comes in a header of Azure's own; who makes the embeddings may be a client of Azure's, too."""
    project.eval(
        """
        def test_rag(sample, model, score):
            import openai
            from pytest_llmeval import model_endpoint
            azure = {"api_version": "2024-10-21"}
            own = openai.AzureOpenAI(base_url="URL", api_key="of-embeddings", **azure)
            with own, model_endpoint(model, embeddings=own) as endpoint:
                app = openai.AzureOpenAI(azure_endpoint=endpoint.root_url, api_key=endpoint.api_key, **azure)
                with app:
                    assert app.embeddings.create(model="tiny", input="x").data[0].embedding == [0.5, -0.25]
                    chat = [{"role": "user", "content": sample.input}]
                    completion = app.chat.completions.create(model="x", messages=chat)
            score.exact(completion.choices[0].message.content, sample.input)
        """.replace("URL", project.server.url),
        ROWS[:1],
    )
    project.run("evals").assert_outcomes(passed=1)
    (made, _) = project.server.ledger
    assert made.headers["api-key"] == "of-embeddings" and made.body["input"] == "x"


def test_between_clients_of_azure_the_deployment_in_the_address_counts(project: Project) -> None:
    """Azure ignores the model in the body: another one would embed the questions than embedded the passages."""
    project.eval(
        """
        def test_rag(model):
            import openai
            from pytest_llmeval import model_endpoint
            azure = {"api_version": "2024-10-21"}
            with openai.AzureOpenAI(base_url="URL", api_key="x", **azure) as own:
                with model_endpoint(model, embeddings=own) as endpoint:
                    reached = {"azure_endpoint": endpoint.root_url, "api_key": endpoint.api_key}
                    with openai.AzureOpenAI(azure_deployment="my emb", **reached, **azure) as app:
                        app.embeddings.create(model="ada", input="x")
        """.replace("URL", project.server.url),
        ROWS[:1],
    )
    project.run("evals").assert_outcomes(passed=1)
    (made,) = project.server.ledger
    assert (made.path.partition("?")[0], made.model) == ("/v1/deployments/my%20emb/embeddings", "my emb")


ONE = """
async def test_rag(sample, model):
    import asyncio
    import openai
    from pytest_llmeval import async_openai_client, openai_client
    with openai.OpenAI(base_url="URL", api_key="x", max_retries=0) as own:
        try:
            BODY
        except Exception:
            pass
"""


def error_of(project: Project, body: str, url: str = "") -> str:
    """Return the error of a case whose application catches every exception of its embeddings."""
    project.eval(ONE.replace("URL", url or project.server.url).replace("BODY", body), ROWS[:1])
    project.run("evals").assert_outcomes(errors=1)
    (found,) = project.rows("SELECT error_kind, error FROM cases")
    assert found["error_kind"] == "code"
    return str(found["error"])


def test_what_lies_behind_a_lost_connection_is_told(project: Project) -> None:
    """The SDK's own text is the same for all; the password of an address stays where it is."""
    body = 'await async_openai_client(model, embeddings=own).embeddings.create(model="x", input="x")'
    error = error_of(project, body, "http://me:secret-of-mine@127.0.0.1:9/v1")
    assert "embeddings from http://***@127.0.0.1:9/v1: APIConnectionError: Connection error. (" in error
    assert "Connection refused" in error and "secret-of-mine" not in error


@pytest.mark.parametrize("count", [2, 3])
def test_fewer_embeddings_than_texts_are_an_error_of_the_case(project: Project, count: int) -> None:
    """The server answers one to each request here."""
    body = f'await async_openai_client(model, embeddings=own).embeddings.create(model="x", input=["x"] * {count})'
    assert f"the answer does not contain {count} embeddings, but " in error_of(project, body)


def test_a_sync_request_of_an_async_body_is_refused_before_it_blocks_all_others(project: Project) -> None:
    body = 'openai_client(model, embeddings=own).embeddings.create(model="x", input="x")'
    assert "RuntimeError: a sync call was made from async code" in error_of(project, body)
    assert project.server.ledger == []


def test_the_client_of_another_case_embeds_nothing(project: Project) -> None:
    """As it answers nothing: what fails there could not be told to the case that asks."""
    project.eval(
        """
        def test_rag(sample, model):
            import openai
            from pytest_llmeval import openai_client
            own = openai.OpenAI(base_url="URL", api_key="x", max_retries=0)
            KEPT.append(openai_client(model, embeddings=own))
            try:
                KEPT[0].embeddings.create(model="x", input="x")
            except Exception:
                pass

        KEPT = []
        """.replace("URL", project.server.url),
        ROWS,
    )
    project.run("evals").assert_outcomes(passed=1, errors=1)
    (found,) = project.rows("SELECT error FROM cases WHERE outcome = 'error'")
    assert (
        "model echo of another case: make the client in each test" in found["error"] and len(project.server.ledger) == 1
    )


def test_an_interrupt_does_not_wait_for_a_silent_server(project: Project) -> None:
    """A loop of the test's own would join the threads of its executor, for the ten minutes of the client's deadline."""
    project.eval(
        """
        def test_rag(model):
            import asyncio
            import openai
            from pytest_llmeval import async_openai_client
            own = openai.OpenAI(base_url="URL", api_key="x")

            async def app():
                await async_openai_client(model, embeddings=own).embeddings.create(model="fault-hang", input="x")

            asyncio.run(app())
        """.replace("URL", project.server.url),
        ROWS[:1],
    )
    with Session(project, "-p", "no:xdist") as session:
        wait_until(lambda: len(project.server.ledger) == 1, "the embedding is asked for")
        session.interrupt()
        assert session.end() == 2, session.text


def test_what_an_endpoint_answers_to_a_failure_is_told_once(project: Project) -> None:
    """The application's client raises it again, in words of its own."""
    project.eval(
        """
        def test_rag(sample, model):
            import openai
            from pytest_llmeval import model_endpoint
            with model_endpoint(model) as endpoint:
                with openai.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key) as app:
                    app.embeddings.create(model="tiny", input="x")
        """,
        ROWS[:1],
    )
    project.run("evals").assert_outcomes(errors=1)
    (found,) = project.rows("SELECT error FROM cases")
    assert found["error"].startswith("openai.BadRequestError: Error code: 400 - CaseError: POST /v1/embeddings: only")
    assert found["error"].count("POST /v1/embeddings") == 1
