"""Keys appear nowhere: not in what is printed, not in any file of the project (rows X1 to X5, X7, X8)."""

import base64
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from pytest_llmeval.cli import main
from tests.support.chat_bodies import completion
from tests.support.fault_server import FaultServer
from tests.support.project import Project
from tests.support.sessions import Held, Session, journal_answers, wait_until

KEY = "sk-canary/+7fQ2xW9&zT4pLmN8"
ROWS = [{"id": f"r{n}", "input": f"q{n}"} for n in range(3)]
TELLTALE = """
import logging
import os
import sys

import pytest

@pytest.mark.llmeval("data/echo.jsonl")
def test_echo(sample, response, score):
    key = os.environ["LLMEVAL_API_KEY"]
    print("out", key)
    print("err", key, file=sys.stderr)
    logging.getLogger("own").warning("log %s", key)
    score.record("own", 0.0, passed=False, reason=f"because {key}")
    if sample.id == "r0":
        raise RuntimeError(f"boom {key}")
    if sample.id == "r1":
        pytest.skip(f"skip {key}")
    assert key == "other"

@pytest.mark.llmeval("data/echo.jsonl")
async def test_async(sample, model, score):
    key = os.environ["LLMEVAL_API_KEY"]
    print("out", key)
    await model.generate()
    assert sample.id == key
"""

BROKEN = """
import os

import pytest_llmeval.models.chat.backend as chat

def broken(*args, **kwargs):
    raise KeyError(os.environ["LLMEVAL_API_KEY"])

chat.read_completion = broken
"""

ROWS_BREAK = """
import os

import pytest

def rows():
    yield {"id": "a", "input": "x"}
    raise RuntimeError(f"refused {os.environ['LLMEVAL_API_KEY']} at http://somebody:hunter2@h")

@pytest.mark.llmeval(dataset=rows)
def test_echo(response):
    pass
"""


def forms(key: str) -> dict[str, bytes]:
    """Return the spellings under which a key may turn up."""
    return {
        "raw": key.encode(),
        "base64": base64.b64encode(key.encode())[:-4],
        "URL": quote(key, safe="").encode(),
        "beginning": key[:12].encode(),
    }


def leaks(root: Path, texts: list[str], key: str = KEY) -> list[str]:
    """Return where the key stands: in the files under ``root`` or in ``texts``."""
    found = []
    for path in sorted(root.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found += [f"{name} in {path.relative_to(root)}" for name, form in forms(key).items() if form in content]
    for text in texts:
        found += [f"{name} in the output" for name, form in forms(key).items() if form in text.encode()]
    return found


def llmeval(*arguments: str) -> None:
    """Run the command in this process."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMEVAL_API_KEY", KEY)


def test_a_key_among_the_arguments_of_a_called_tool_is_not_shown(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a miss says what the model called, in the summary and in ``llmeval show -v``."""
    tool = {"id": "c", "type": "function", "function": {"name": "login", "arguments": f'{{"with": "{KEY}"}}'}}
    project.server.reply = lambda messages: completion(None, tool_calls=[tool])
    project.eval("def test_echo(response, score):\n    score.exact(response, 'x')\n", ROWS[:1])
    printed = project.run("evals", "-v").stdout.str()
    capsys.readouterr()
    llmeval("show", "last", "-v")
    for text in (printed, capsys.readouterr().out):
        assert "    called login(" in text and KEY[:12] not in text


@pytest.mark.usefixtures("all_plugins")
@pytest.mark.parametrize("arguments", [["-l", "-rA", "-vv"], ["-l", "--tb=long", "--full-trace", "-n2"]])
def test_a_key_that_a_test_prints_and_holds_is_nowhere(project: Project, arguments: list[str]) -> None:
    project.eval("", ROWS)
    project.write(evals__test_echo_py=TELLTALE)
    result = project.run(
        "evals", *arguments, "--junitxml=out.xml", "--html=out.html", "--self-contained-html", inside=False
    )
    assert result.ret == 1
    assert project.server.ledger[0].headers["authorization"] == f"Bearer {KEY}"
    assert leaks(project.root, [result.stdout.str(), result.stderr.str()]) == []
    assert "***" in result.stdout.str()
    assert (project.root / "out.html").exists() and (project.root / ".pytest_cache").exists()


@pytest.mark.usefixtures("all_plugins")
@pytest.mark.parametrize("code", ["401", "400", "500"])
def test_a_key_that_the_server_repeats_is_nowhere(project: Project, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr("pytest_llmeval.models.http.retry._between", lambda low, high: low)
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    result = project.run(
        "evals",
        "-l",
        "-rA",
        "--junitxml=out.xml",
        "--html=out.html",
        model=project.server.spec(f"fault-echoauth-{code}"),
    )
    assert result.ret == (10 if code == "401" else 1)
    assert leaks(project.root, [result.stdout.str(), result.stderr.str()]) == []
    assert "Incorrect key provided" in project.rows("SELECT error FROM cases")[0]["error"]


@pytest.mark.usefixtures("all_plugins")
@pytest.mark.parametrize("spelling", [KEY, quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode()])
def test_a_key_that_an_answer_repeats_is_nowhere(project: Project, spelling: str) -> None:
    project.server.reply = lambda messages: f"your key is {spelling}, is it not?"
    project.eval("def test_echo(response):\n    print(response.text)\n    assert response.text == ''\n", ROWS)
    result = project.run("evals", "-l", "--junitxml=out.xml", "--html=out.html")
    assert result.ret == 1
    assert leaks(project.root, [result.stdout.str(), result.stderr.str()]) == []


@pytest.mark.usefixtures("all_plugins")
def test_a_secret_that_no_server_was_sent_is_scored_as_it_came_and_shown_nowhere(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether a model tells it may be what an eval is about; the database alone has it, as it has those of rows."""
    secret = "zq-1234567890abcdef"
    monkeypatch.setenv("VAULT_PASSWORD", secret)
    project.server.reply = lambda messages: f"it is {secret}"
    project.eval(
        """
        def test_echo(response, score):
            import os
            assert not score.contains(response, os.environ["VAULT_PASSWORD"])
        """,
        ROWS,
    )
    result = project.run("evals", "-l", "-rA", "--junitxml=out.xml", "--html=out.html")
    result.assert_outcomes(failed=3)
    for form in ("csv", "jsonl", "markdown", "html"):
        llmeval("export", form, f"--output=exported.{form}")
    llmeval("view", "--export=site")
    llmeval("show")
    texts = [result.stdout.str(), result.stderr.str(), capsys.readouterr().out]
    assert {place.partition(" in ")[2] for place in leaks(project.root, texts, key=secret)} == {".llmeval/llmeval.db"}


@pytest.mark.parametrize("arguments", [["-p", "no:xdist"], ["-n1"]])
def test_a_key_in_an_error_that_nobody_foresaw_is_nowhere(project: Project, arguments: list[str]) -> None:
    """Whose words are told all the same, also by the process that makes the calls of workers."""
    project.write(conftest_py=BROKEN)
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    result = project.run("evals", *arguments, "-rA", inside=False)
    assert leaks(project.root, [result.stdout.str(), result.stderr.str()]) == []
    assert all("KeyError: '***'" in row["error"] for row in project.rows("SELECT error FROM cases"))


@pytest.mark.usefixtures("all_plugins")
def test_a_key_in_a_row_is_sent_and_stored_and_shown_nowhere(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing but models.yaml says that its variable holds a key."""
    monkeypatch.delenv("LLMEVAL_API_KEY")
    monkeypatch.setenv("GATEWAY", KEY)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.root / "summary.md"))
    project.write(models_yaml=f"models: {{own: {{spec: '{project.model}', api_key_env: GATEWAY}}}}\n")
    rows = [{"id": "r0", "input": f"say {KEY}", "target": f'it is "{KEY}"'}]
    project.eval("def test_echo(response):\n    assert response.text == 'good'\n", rows)
    project.server.reply = lambda messages: "good"
    assert project.run("evals", "--run-name=before", model="own").ret == 0
    project.server.reply = lambda messages: "bad"
    told = "--html=out.html", "--self-contained-html", "--junitxml=out.xml"
    assert project.run("evals", *told, "--baseline=before", model="own").ret == 1
    assert KEY in str(project.server.ledger[0].body)
    for form in ("csv", "jsonl", "markdown", "html"):
        llmeval("export", form, f"--output=exported.{form}")
    llmeval("view", "--export=site")
    llmeval("compare", "before", "last", "--output=compared.md")
    llmeval("baseline", "export", "before", "before.baseline")
    llmeval("show", "--json")
    found = {place.partition(" in ")[2] for place in leaks(project.root, [capsys.readouterr().out])}
    assert found == {".llmeval/llmeval.db", "data/echo.jsonl"}
    quoting = "out.html", "summary.md", "site/case-*", "exported.*", "compared.md", "before.baseline"
    shown = [path for pattern in quoting for path in project.root.glob(pattern)]
    assert len(shown) == 10 and all("***" in path.read_text("utf-8") for path in shown)


def test_the_journal_of_a_run_that_goes_on_holds_no_key(project: Project) -> None:
    """It is written while the answers, which repeat the key, come in."""
    project.eval("def test_echo(response):\n    print(response.text)\n", ROWS)
    held = Held(project.server, 2)
    project.server.reply = lambda messages: f"{held(messages)} by {KEY}"
    with Session(project, "-p", "no:xdist", "-v") as session:
        wait_until(lambda: len(project.server.ledger) == 3, "all are asked")
        wait_until(lambda: len(journal_answers(project)) == 2, "two answers are kept")
        assert {answer.partition(" ")[2] for answer in journal_answers(project)} == {"by ***"}
        assert leaks(project.root, [session.text]) == []
        held.open()
        assert session.end() == 0


def test_a_password_and_a_query_in_an_address_are_sent_and_stored_nowhere(project: Project) -> None:
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    url = project.server.url.replace("http://", "http://somebody:hunter2secret@") + "?api_key=hunter3secret"
    result = project.run("evals", model=f"openai:echo@{url}")
    assert result.ret == 0
    assert base64.b64decode(project.server.ledger[0].headers["authorization"].split()[1]) == b"somebody:hunter2secret"
    assert project.server.ledger[0].path.endswith("?api_key=hunter3secret")
    for secret in ("hunter2secret", "hunter3secret"):
        assert leaks(project.root, [result.stdout.str(), result.stderr.str()], key=secret) == []


def test_a_password_in_a_proxy_that_cannot_be_read_is_shown_nowhere(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before any call, and not by quoting what stands in the port's place."""
    monkeypatch.setenv("HTTP_PROXY", "http://bob:hunter22#x@127.0.0.1:9")
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    result = project.run("evals", model="openai:m@http://llm.test/v1")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*the proxy of the environment cannot be used*"])
    monkeypatch.delenv("HTTP_PROXY")
    assert leaks(project.root, [result.stdout.str(), result.stderr.str()], key="hunter22") == []


def test_the_key_of_openai_goes_to_no_other_address(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to the address in a spec, though its model is one of OpenAI's."""
    monkeypatch.delenv("LLMEVAL_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    assert project.run("evals", model=f"openai:gpt-4o-mini@{project.server.url}").ret == 0
    assert {entry.headers["authorization"] for entry in project.server.ledger} == {"Bearer no-key"}
    with FaultServer() as own:
        monkeypatch.setenv("OPENAI_BASE_URL", own.url)
        assert project.run("evals", model="gpt-4o-mini").ret == 0
        assert {entry.headers["authorization"] for entry in own.ledger} == {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("sets", "arguments"),
    [("[KEY, 'short']", ["-v"]), ("['short', KEY]", ["--co"]), ("[pytest.param(1, id=KEY)]", ["-n2", "-v"])],
)
def test_a_key_that_names_a_parameter_set_is_a_usage_error(project: Project, sets: str, arguments: list[str]) -> None:
    """It would stand in node ids and suites, and with them everywhere."""
    project.write(
        evals__test_echo_py=f"""
        import os

        import pytest

        KEY = os.environ["LLMEVAL_API_KEY"]

        @pytest.mark.parametrize("k", {sets})
        @pytest.mark.llmeval({ROWS})
        def test_echo(k, response):
            pass
        """
    )
    result = project.run("evals", "--junitxml=out.xml", *arguments)
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*test_echo.py::test_echo: the parameter set '[*][*][*]' has the value of a key*ids=*"]
    )
    assert leaks(project.root, [result.stdout.str(), result.stderr.str()]) == []
    assert project.server.ledger == []


def test_a_key_by_a_name_of_ones_own_is_kept_secret_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variable says nothing of a key; models.yaml does."""
    secret = "plainly-innocent-7fQ2xW9zT4"
    monkeypatch.setenv("GATEWAY", secret)
    project.write(models_yaml=f"models: {{own: {{spec: '{project.model}', api_key_env: GATEWAY}}}}\n")
    project.eval("def test_echo(response):\n    import os\n    assert os.environ['GATEWAY'] == ''\n", ROWS)
    result = project.run("evals", "-l", "--junitxml=out.xml", model="own")
    assert project.server.ledger[0].headers["authorization"] == f"Bearer {secret}"
    os.environ.pop("GATEWAY")
    assert leaks(project.root, [result.stdout.str(), result.stderr.str()], key=secret) == []


@pytest.mark.usefixtures("all_plugins")
def test_a_secret_of_several_lines_and_one_with_a_line_end_are_nowhere(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """pytest shows a message line by line; a program takes the line end of a password away."""
    lines = ["MIIEvgIBADANBgkqhkiG9w0BAQEFAASC", "ZZZIBADANBgkqhkiG9w0BAQEFAASCabc"]
    pem = ["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"]
    monkeypatch.setenv("MY_PRIVATE_KEY", "\n".join(pem))
    monkeypatch.setenv("SVC_PASSWORD", "hunter2\n")
    project.eval(
        """
        def test_echo(sample, response):
            import os
            key, password = os.environ["MY_PRIVATE_KEY"], os.environ["SVC_PASSWORD"].strip()
            assert sample.id != "r0", f"cannot read:\\n{key}"
            raise RuntimeError(f"svc:{password} was refused with {key}")
        """,
        ROWS,
    )
    result = project.run("evals", "-l", "-rA", "--junitxml=out.xml", "--html=out.html", "--self-contained-html")
    assert result.ret == 1
    llmeval("show")
    texts = [result.stdout.str(), result.stderr.str(), capsys.readouterr().out]
    for part in (*lines, "hunter2"):
        assert leaks(project.root, texts, key=part) == []


@pytest.mark.parametrize("arguments", [[], ["-n2"], ["--co"], ["-k", "not_there"], ["evals/test_echo.py::test_none"]])
def test_a_key_in_the_error_of_a_dataset_is_shown_nowhere(project: Project, arguments: list[str]) -> None:
    """Told before there is any case."""
    project.write(evals__test_echo_py=ROWS_BREAK)
    result = project.run("evals", *arguments)
    assert result.ret in (4, 5)
    told = [result.stdout.str(), result.stderr.str()]
    assert "rows() raised RuntimeError: refused *** at http://***@h" in "".join(told)
    assert leaks(project.root, told) == [] and "hunter2" not in "".join(told)


def test_a_key_in_the_error_of_a_dataset_is_shown_in_no_estimate(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    project.write(evals__test_echo_py=ROWS_BREAK)
    with pytest.raises(SystemExit):
        main(["estimate", "evals", f"--model={project.model}"])
    told = "".join(capfd.readouterr())
    assert "refused *** at" in told and leaks(project.root, [told]) == []


def test_the_error_of_a_dataset_says_which_file_though_a_password_is_its_name(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password of tests is a usual word; what a row holds and what code says are masked all the same."""
    monkeypatch.setenv("POSTGRES_PASSWORD", "postgres")
    project.write(
        postgres__test_pg_py="""
        import pytest

        def postgres():
            raise RuntimeError("refused postgres")

        @pytest.mark.llmeval(dataset="postgres.jsonl")
        def test_file(response): ...

        @pytest.mark.llmeval(dataset=[{"input": "x", "slice": ["postgres", 1]}])
        def test_row(response): ...

        @pytest.mark.llmeval(dataset=postgres)
        def test_code(response): ...
        """
    )
    told = project.run("postgres").stderr.str()
    assert "postgres/test_pg.py::test_file: postgres.jsonl: No such file" in told
    assert "slice must be" in told and "found ['***', 1]" in told
    assert "postgres() raised RuntimeError: refused ***" in told
