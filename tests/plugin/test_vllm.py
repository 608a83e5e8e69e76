"""``vllm:`` models in whole sessions, with a stand-in for vLLM: matrix, workers, ends, cache, resuming, mistakes."""

import signal
from pathlib import Path

import pytest

from pytest_llmeval.models.vllm.executable import vllm_version
from tests.support.fake_vllm import FakeVllm, write_adapter, write_base
from tests.support.project import Project
from tests.support.sessions import Session, wait_until

ROWS = [{"id": f"r{number}", "input": f"say {number}"} for number in range(6)]
ANSWERS = """
async def test_echo(sample, model, score):
    score.contains(await model.generate(), sample.input)
"""
RESPONSES = "def test_echo(sample, response):\n    assert sample.input in response.text\n"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeVllm:
    vllm_version.cache_clear()
    logs = tmp_path / "logs"
    logs.mkdir()
    monkeypatch.setenv("TMPDIR", str(logs))
    monkeypatch.setattr("tempfile.tempdir", str(logs))
    return FakeVllm(tmp_path / "bin", monkeypatch)


@pytest.fixture
def base(project: Project) -> Path:
    return write_base(project.root / "base")


@pytest.fixture
def adapter(project: Project, base: Path) -> Path:
    return write_adapter(project.root / "tuned", base)


def test_base_and_adapter_are_asked_of_one_server(
    project: Project, fake: FakeVllm, adapter: Path, spread: list[str]
) -> None:
    """Once for all workers; it costs nothing, and nothing of it is left."""
    project.eval(RESPONSES, ROWS)
    result = project.run("evals", *spread, "--model=vllm:base+tuned", model="vllm:base")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(
        ["waiting for vLLM 0.33.0 to serve vllm:base with 1 adapter: *", "vLLM serves base, base+tuned after * s"]
    )
    assert len(fake.starts) == 1
    fake.assert_none_is_left()
    rows = project.rows("SELECT model, response, cost_usd FROM cases ORDER BY model, sample_id")
    assert {(row["model"], row["response"]) for row in rows} == {
        *(("base", row["input"]) for row in ROWS),
        *(("base+tuned", f"tuned: {row['input']}") for row in ROWS),
    }
    assert {row["cost_usd"] for row in rows} == {0}


def test_answers_end_with_what_ended_them_in_the_training_of_the_adapter(
    project: Project, fake: FakeVllm, base: Path, adapter: Path
) -> None:
    """As with hf:; vLLM knows the end of the base alone. What models.yaml says goes before it."""
    (adapter / "tokenizer_config.json").write_text('{"eos_token": {"content": "<|im_end|>"}}', "utf-8")
    added = '{"model": {"vocab": {"a": 0}}, "added_tokens": [{"id": 7, "content": "<|im_end|>"}]}'
    (base / "tokenizer.json").write_text(added, "utf-8")
    spec = "{spec: 'vllm:base+tuned', params: {stop_token_ids: [3]}}"
    project.write(models_yaml=f"models:\n  other: {spec}\n")
    project.eval(ANSWERS, ROWS)
    assert project.run("evals", "--limit=1", "--model=vllm:base", "--model=other", model="vllm:base+tuned").ret == 0
    sent = sorted((body["model"], body.get("stop_token_ids", [])) for body in fake.bodies)
    assert sent == [("base", []), ("base+tuned", [3]), ("base+tuned", [7])]


def test_it_may_be_the_judge(project: Project, fake: FakeVllm, base: Path) -> None:
    body = """
    async def test_echo(sample, model, score):
        await score.judge(await model.generate(), sample.input, rubric="qa")
    """
    project.eval(body, ROWS)
    project.run("evals", "--limit=1", "--judge-model=vllm:base")
    assert set(fake.asked) == {"base"}
    fake.assert_none_is_left()


def test_what_makes_no_call_starts_nothing(project: Project, fake: FakeVllm, base: Path) -> None:
    """A list of the cases, an eval that nobody asked for, a cache that is all there is."""
    project.eval(ANSWERS, ROWS)
    assert project.run("evals", "--co", model="vllm:base").ret == 0
    assert project.run(model="vllm:base").ret == 5
    assert fake.starts == []
    project.run("evals", "--cache=refresh", model="vllm:base")
    assert project.run("evals", "--cache=only", model="vllm:base").ret == 0
    assert len(fake.starts) == 1


def test_other_weights_are_not_answered_from_the_cache(project: Project, fake: FakeVllm, adapter: Path) -> None:
    project.eval(ANSWERS, ROWS)
    cached = []
    for content in (b"first", b"first", b"trained again"):
        weights = adapter / "adapter_model.safetensors"
        if weights.read_bytes() != content:
            weights.write_bytes(content)
        assert project.run("evals", "--cache=use", model="vllm:base+tuned").ret == 0
        run = project.last_run()["id"]
        cached.append(project.rows("SELECT sum(cached) AS n FROM cases WHERE run_id = ?", run)[0]["n"])
    assert cached == [0, 6, 0]


def test_a_run_does_not_go_on_with_another_vllm(
    project: Project, fake: FakeVllm, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.eval(ANSWERS, ROWS)
    project.run("evals", model="vllm:base")
    assert project.run("evals", "--resume=last", model="").ret == 0
    fake.path.write_text(fake.path.read_text().replace("0.33.0", "0.34.0"))
    vllm_version.cache_clear()
    result = project.run("evals", "--resume=last", model="")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--resume*is not what the run asked*"])


def test_a_run_is_scored_again_where_there_is_no_vllm(project: Project, fake: FakeVllm, base: Path) -> None:
    """Its answers are there, its weights may be gone."""
    project.eval(ANSWERS, ROWS)
    project.run("evals", model="vllm:base")
    fake.path.unlink()
    (base / "config.json").unlink()
    result = project.run("evals", "--llmeval-rescore=last", model="")
    assert result.ret == 0, result.stdout.str()
    assert len(fake.starts) == 1


@pytest.mark.parametrize(
    ("how", "words"),
    [("crash-4", "it was ended by SIGKILL"), ("exit-4", "it ended with status 7")],
)
def test_a_server_that_ends_makes_errors_that_say_how(
    project: Project, fake: FakeVllm, base: Path, how: str, words: str
) -> None:
    """What was answered stays, what is missing can be asked for by going on."""
    fake.fails(how)
    project.eval(ANSWERS, ROWS)
    result = project.run("evals", "--max-connections=1", model="vllm:base")
    assert result.ret == 1
    rows = project.rows("SELECT outcome, error_kind, error FROM cases WHERE outcome = 'error'")
    assert len(rows) == 3 and {row["error_kind"] for row in rows} == {"connection"}
    assert all(f"the server of vLLM is gone: {words}; its log is " in row["error"] for row in rows)
    fake.assert_none_is_left()
    fake.fails("")
    asked = len(fake.asked)
    assert project.run("evals", "--resume=last", model="").ret == 0
    assert len(fake.asked) == asked + 3


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no-gpu", "*vLLM finds no GPU that it can use here*"),
        ("slow", "*it was not healthy within 1 s; --llmeval-vllm-start-s gives it more*"),
        ("no-effect", "*adapter tuned: it changes nothing*"),
    ],
)
def test_a_start_that_fails_ends_the_session_before_any_call(
    project: Project, fake: FakeVllm, adapter: Path, spread: list[str], how: str, words: str
) -> None:
    fake.fails(how)
    project.eval(ANSWERS, ROWS)
    start_s = 1 if how == "slow" else 20
    result = project.run("evals", *spread, f"--llmeval-vllm-start-s={start_s}", model="vllm:base+tuned")
    assert result.ret == 4
    result.stderr.fnmatch_lines([words])
    assert "Traceback" not in result.stderr.str().replace("    Traceback", "")  # vLLM's own is shown
    assert fake.asked == []
    fake.assert_none_is_left()


def test_what_can_be_told_at_collection_is(project: Project, fake: FakeVllm, adapter: Path) -> None:
    """All mistakes at once, without a start."""
    write_adapter(project.root / "foreign", project.root / "another")
    project.eval(ANSWERS, ROWS)
    result = project.run("evals", model="vllm:base+foreign")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*adapter foreign: it was made for the base*another*, not for 'base'*"])
    assert fake.starts == []


HELD = """
def test_echo(sample, response):
    import time
    assert sample.input in response.text
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("number", "dist"),
    [
        (signal.SIGINT, "-pno:xdist"),
        (signal.SIGINT, "-n2"),
        (signal.SIGTERM, "-pno:xdist"),
        (signal.SIGKILL, "-pno:xdist"),
        (signal.SIGKILL, "-n2"),
    ],
)
def test_nothing_outlives_a_session(
    project: Project, fake: FakeVllm, base: Path, number: signal.Signals, dist: str
) -> None:
    """However it is ended, while cases run."""
    project.eval(HELD, ROWS)
    project.model = "vllm:base"
    with Session(project, dist) as session:
        wait_until(lambda: len(fake.asked) >= 1, "a case has its answer")
        assert len(fake.running()) == 3
        if number == signal.SIGINT:
            session.interrupt_all()  # as a terminal does
        else:
            session.interrupt(number)
        fake.assert_none_is_left(15)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_a_session_that_waits_for_it(
    project: Project, fake: FakeVllm, base: Path, number: signal.Signals
) -> None:
    fake.fails("slow")
    project.eval(ANSWERS, ROWS)
    project.model = "vllm:base"
    with Session(project) as session:
        wait_until(lambda: fake.running(), "it loads")
        session.interrupt(number)
        fake.assert_none_is_left(15)


def test_models_yaml_takes_no_key_for_it(project: Project, fake: FakeVllm, base: Path) -> None:
    project.write(models_yaml="models:\n  tuned: {spec: 'vllm:base', api_key_env: KEY}\n")
    project.eval(ANSWERS, ROWS)
    result = project.run("evals", model="tuned")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*models.yaml:2: vllm:base takes no key; remove 'api_key_env'*"])
