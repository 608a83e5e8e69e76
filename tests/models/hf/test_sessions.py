"""``hf:`` models in whole sessions: matrix, workers, cache, resuming, likelihoods, mistakes."""

import json
import shutil
import struct
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.support.project import Project
from tests.support.tiny_llama import make_model

ROWS = [{"id": f"r{number}", "input": f"say {number}", "target": "Paris"} for number in range(6)]
ANSWERS = """
async def test_echo(sample, model, score):
    answer = await model.generate(max_tokens=8)
    score.record("length", len(answer.text))
"""
RESPONSES = """
def test_echo(response, score):
    score.record("length", len(response.text))
"""
MARKER = 'params={"max_tokens": 8}'
LORA_HEAD = b"GGUF" + struct.pack("<IQQQ12sIQ7s", 3, 0, 1, 12, b"general.type", 8, 7, b"adapter")
"""Of a GGUF file, without the family: with it transformers would make a whole model of random numbers."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def own_adapter(adapter: Path, tmp_path: Path) -> Path:
    """An adapter that a test may change."""
    return shutil.copytree(adapter, tmp_path / "adapter")


def retrain(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    save_file({key: -tensor for key, tensor in load_file(path).items()}, path)


def answers_of(project: Project) -> set[str]:
    return {row["response"] for row in project.rows("SELECT response FROM cases")}


def test_every_row_is_answered_by_base_and_adapter(
    project: Project, base: Path, adapter: Path, spread: list[str]
) -> None:
    """One process loads both, once, whoever runs the cases; it costs nothing; rows and workers change no answer."""
    project.eval(RESPONSES, ROWS, marker=MARKER)
    result = project.run("evals", *spread, f"--model=hf:{base}+{adapter}", model=f"hf:{base}")
    assert result.ret == 0
    loadings = [line for line in result.outlines if "loaded hf:" in line]
    assert len(loadings) == 2
    assert "(cpu, float32)" in loadings[0]
    rows = project.rows(
        "SELECT model, count(*) AS n, sum(cost_usd) AS cost, min(input_tokens) AS i FROM cases GROUP BY 1"
    )
    assert [(row["model"], row["n"], row["cost"]) for row in rows] == [(str(base), 6, 0), (f"{base}+{adapter}", 6, 0)]
    assert all(row["i"] > 0 for row in rows)
    assert len(answers_of(project)) > 6


def test_the_summary_of_equal_runs_is_equal(project: Project, base: Path) -> None:
    """Greedy answers of two sessions are the same; drawn ones too, each epoch by its own draw."""
    project.eval("async def test_echo(sample, model):\n    await model.generate(max_tokens=8, temperature=1)\n", ROWS)
    for _ in range(2):
        assert project.run("evals", "--epochs=2", model=f"hf:{base}").ret == 0
    rows = project.rows("SELECT run_id, sample_id, epoch, response FROM cases ORDER BY run_id, sample_id, epoch")
    first, second = rows[:12], rows[12:]
    assert [row["response"] for row in first] == [row["response"] for row in second]
    assert all(one["response"] != two["response"] for one, two in zip(first[::2], first[1::2], strict=True))


def test_a_changed_adapter_is_not_answered_from_the_cache(project: Project, base: Path, own_adapter: Path) -> None:
    project.eval(ANSWERS, ROWS)
    arguments = ("evals", "--cache=use")
    cached = []
    for changes in (False, False, True):
        if changes:
            retrain(own_adapter)
        assert project.run(*arguments, model=f"hf:{base}+{own_adapter}").ret == 0
        run = project.last_run()["id"]
        cached.append(project.rows("SELECT sum(cached) AS n FROM cases WHERE run_id = ?", run)[0]["n"])
    assert cached == [0, 6, 0]


def test_a_cache_that_is_all_there_is_loads_nothing(project: Project, base: Path) -> None:
    """No call is made, so no model is needed; its files still say which answers are its own."""
    project.eval(ANSWERS, ROWS)
    project.run("evals", "--cache=refresh", model=f"hf:{base}")
    result = project.run("evals", "--cache=only", model=f"hf:{base}")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*loaded hf:*")


def test_a_run_does_not_go_on_with_a_changed_adapter(project: Project, base: Path, own_adapter: Path) -> None:
    project.eval(ANSWERS, ROWS)
    project.run("evals", model=f"hf:{base}+{own_adapter}")
    assert project.run("evals", "--resume=last", model="").ret == 0
    retrain(own_adapter)
    result = project.run("evals", "--resume=last", model="")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--resume*is not what the run asked*"])


def test_the_likelihood_of_a_target_can_be_recorded(project: Project, base: Path) -> None:
    """Workers ask for it as for answers."""
    project.eval(
        """
        async def test_target(sample, model, score):
            found = await model.logprob(sample.target)
            other = await model.logprob("no" + sample.target)
            assert other.logprob < found.logprob
            score.record("logprob", found.logprob)
            score.record("perplexity", found.perplexity, passed=found.perplexity > 1)
        """,
        ROWS,
    )
    assert project.run("evals", "-n2", model=f"hf:{base}").ret == 0
    scores = project.rows("SELECT name, value FROM scores ORDER BY name")
    assert len(scores) == 12
    assert all(row["value"] < 0 for row in scores[:6])
    assert all(row["value"] > 1 for row in scores[6:])


def test_a_test_that_is_not_async_asks_for_it_too(project: Project, base: Path) -> None:
    body = "def test_target(model, score):\n    score.record('logprob', model.logprob_sync('Paris').logprob)\n"
    project.eval(body, ROWS)
    assert project.run("evals", model=f"hf:{base}").ret == 0
    assert len(project.rows("SELECT value FROM scores WHERE value < 0")) == 6


def test_the_likelihood_of_a_server_is_an_error(project: Project) -> None:
    project.eval("async def test_target(model):\n    await model.logprob('Paris')\n", ROWS[:1])
    assert project.run("evals").ret == 1
    case = project.rows("SELECT outcome, error_kind, error FROM cases")[0]
    assert (case["outcome"], case["error_kind"]) == ("error", "bad_request")
    assert "only hf: models can compute the likelihood of a text" in case["error"]
    assert project.server.ledger == []


def test_a_parameter_that_is_not_taken_is_an_error_of_its_case(project: Project, base: Path) -> None:
    project.eval("async def test_echo(model):\n    await model.generate(tools=[])\n", ROWS[:1])
    assert project.run("evals", model=f"hf:{base}").ret == 1
    assert "do not take 'tools'" in project.rows("SELECT error FROM cases")[0]["error"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hf:./typo", "*hf:./typo: no such folder*"),
        ("hf:org/nothing", "*nothing is fetched during a session*"),
        ("hf:{base}+./typo", "*adapter ./typo: no such folder*"),
        ("hf:lora.gguf", "*hf:lora.gguf: a LoRA adapter, not a model; local:smollm2+lora.gguf takes it *"),
        ("hf:{base}+lora.gguf", "*adapter lora.gguf: a file, and a PEFT adapter is a folder; *"),
        ("hf:{base}+{untrained}", "*it changes nothing*"),
        ("hf:{base}?lod=4bit", "*unknown option 'lod'; did you mean 'load'*"),
    ],
)
def test_a_model_that_cannot_be_had_is_a_usage_error(
    project: Project, base: Path, untrained: Path, spec: str, message: str
) -> None:
    """Said once, before any call, and no run is recorded."""
    project.eval(ANSWERS, ROWS)
    (project.root / "lora.gguf").write_bytes(LORA_HEAD)
    result = project.run("evals", model=spec.format(base=base, untrained=untrained))
    assert result.ret == 4
    result.stderr.fnmatch_lines([message])
    assert "Traceback" not in result.stderr.str()


def test_cases_are_listed_without_weights(project: Project) -> None:
    project.eval(ANSWERS, ROWS)
    assert project.run("evals", "--co", "-q", model="hf:org/nothing").ret == 0


def test_without_the_extra_it_says_what_to_install(
    project: Project, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "transformers" else find(name))
    project.eval(ANSWERS, ROWS)
    result = project.run("evals", model=f"hf:{base}")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*pip install 'pytest-llmeval?hf?' (transformers is missing)*"])


def test_models_yaml_names_one(project: Project, base: Path) -> None:
    project.eval(ANSWERS, ROWS)
    project.write(models_yaml=f"models:\n  tiny:\n    spec: hf:{base}\n    params: {{temperature: 0.7, seed: 3}}\n")
    assert project.run("evals", model="tiny").ret == 0
    assert json.loads(project.last_run()["models"]) == ["tiny"]


def test_one_judges_in_a_schema(project: Project, tmp_path: Path) -> None:
    """Of noise that never ends there is no verdict, though it is in the form."""
    project.eval("async def test_echo(response, score):\n    await score.judge(response, rubric='qa')\n", ROWS[:1])
    judge = make_model(tmp_path / "judge", context=4096)
    project.write(models_yaml=f"models:\n  noise:\n    spec: hf:{judge}\n    params: {{max_tokens: 16}}\n")
    project.run("evals", "--judge-model=noise")
    case = project.rows("SELECT outcome, error_kind, error FROM cases")[0]
    assert (case["outcome"], case["error_kind"]) == ("error", "judge")
    asked = project.rows("SELECT request, response FROM calls WHERE role = 'judge' AND status = 'ok'")
    assert asked and all("response_format" in row["request"] for row in asked)
    assert all(row["response"].startswith('{"') for row in asked)
