"""What the doctor tells of files and variables that nobody reads, and of what a session would look for in vain."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command


def test_files_of_models_that_are_not_read_are_told(
    here: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A default model that may stand in one is refused by a session, so it is a problem."""
    (here / "pytest.ini").touch()
    (here / "models.yml").write_text("models: {}\n")
    (here / "evals").mkdir()
    (here / "evals" / "models.yaml").write_text("models: {}\n")
    monkeypatch.setenv("LLMEVAL_MODEL", "lab")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none-0123456789")
    lines = llmeval("doctor").out.splitlines()
    told = "not read: models go into models.yaml of the rootdir"
    assert {f"note     models.yml: {told}", f"note     evals/models.yaml: {told}"} <= set(lines)
    assert any(line.startswith("problem  default model: model 'lab' may be one of models.yml") for line in lines)


def test_variables_that_no_option_has_are_told(here: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "pytest.ini").touch()
    (here / "models.yaml").write_text("models: {lab: {spec: gpt-4o-mini, api_key_env: LLMEVAL_LAB_KEY}}\n")
    for name in ("LLMEVAL_MAXCOST", "LLMEVAL_LAB_KEY", "LLMEVAL_VLLM_START_S"):
        monkeypatch.setenv(name, "7")
    text = llmeval("doctor").out
    told = "no setting has this variable, so it has no effect"
    assert f"note     LLMEVAL_MAXCOST: {told}; did you mean LLMEVAL_MAX_COST?\n" in text
    assert text.count(told) == 1


@pytest.mark.parametrize("is_ini", [True, False])
def test_rules_that_were_named_and_are_not_there_are_a_problem(
    here: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch, is_ini: bool
) -> None:
    """Each session with an eval would end with status 4."""
    (here / "pytest.ini").write_text(f"[pytest]\n{'llmeval_thresholds = rules.yaml' if is_ini else ''}\n")
    if not is_ini:
        monkeypatch.setenv("LLMEVAL_THRESHOLDS", "rules.yaml")
    done = llmeval("doctor")
    assert done.status == 1
    assert "problem  rules.yaml: rules.yaml: " in done.out
    assert "no rule is judged" not in done.out


@pytest.mark.parametrize("transport", ["auto", "lean"])
def test_a_server_behind_a_proxy_is_reached_through_it(
    here: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    (here / "pytest.ini").write_text(f"[pytest]\nllmeval_transport = {transport}\n")
    (here / "models.yaml").write_text("models:\n  small: {spec: 'openai:x@http://gateway.invalid/v1'}\n")
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        port = proxy.getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://user:pw@127.0.0.1:{port}")
        done = llmeval("doctor")
    told = "problem  server gateway.invalid:80: not reachable: "
    if transport == "auto":
        told = f"ok       server gateway.invalid:80 through proxy 127.0.0.1:{port}: reachable\n"
        gone = llmeval("doctor")
        assert f"problem  server gateway.invalid:80 through proxy 127.0.0.1:{port}: not reachable: " in gone.out
    assert told in done.out
    assert "pw" not in done.out


@pytest.mark.parametrize(
    ("more", "state", "told"),
    [
        ("", "note", "it has no effect"),
        ("strict_config = true\n", "problem", "each run of pytest ends with an error"),
        ("filterwarnings = error\n", "problem", "each run of pytest ends with an error"),
    ],
    ids=["lenient", "strict", "warnings"],
)
def test_keys_that_no_option_has_are_told(here: Path, llmeval: Command, more: str, state: str, told: str) -> None:
    (here / "pytest.ini").write_text(f"[pytest]\nllmeval_epoch = 2\nllmeval_limit = 3\n{more}")
    done = llmeval("doctor")
    assert done.status == (state == "problem")
    line = f"{state:<8} llmeval_epoch: no setting has this key, so {told}; did you mean llmeval_epochs?"
    assert [each for each in done.out.splitlines() if "llmeval_" in each and "key" in each] == [line]


def test_warnings_that_are_errors_keep_no_pytest_from_starting(here: Path) -> None:
    """In a process that has imported nothing: pytest warns of what it can rewrite no more."""
    (here / "pytest.ini").write_text("[pytest]\naddopts = -p no:asyncio\nfilterwarnings = error\n")
    code = "from pytest_llmeval.cli import main; main(['doctor'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert "\nok       short options: all free\n" in done.stdout
    assert done.returncode == 0
