"""What the doctor tells of files and variables that nobody reads."""

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
    told = "not read: models stand in models.yaml of the rootdir"
    assert {f"note     models.yml: {told}", f"note     evals/models.yaml: {told}"} <= set(lines)
    assert any(line.startswith("problem  default model: model 'lab' may be one of models.yml") for line in lines)


def test_variables_that_no_option_has_are_told(here: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "pytest.ini").touch()
    (here / "models.yaml").write_text("models: {lab: {spec: gpt-4o-mini, api_key_env: LLMEVAL_LAB_KEY}}\n")
    for name in ("LLMEVAL_MAXCOST", "LLMEVAL_LAB_KEY", "LLMEVAL_VLLM_START_S"):
        monkeypatch.setenv(name, "7")
    text = llmeval("doctor").out
    told = "no setting has this variable, so it counts for nothing"
    assert f"note     LLMEVAL_MAXCOST: {told}; did you mean LLMEVAL_MAX_COST?\n" in text
    assert text.count(told) == 1
