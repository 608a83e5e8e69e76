"""What asks for trainings, and what a session that is about them says of evals."""

from pathlib import Path

import pytest

from tests.support.tiny_base import training_project

WITHOUT_MODEL = """
import importlib.util

_found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "xllamacpp" else _found(name, *rest)
"""
"""As if the extra local were not installed."""

project = training_project


def configuration(project: pytest.Pytester) -> Path:
    """Return the file of the one there is."""
    return project.path / "finetune" / "configs" / "tiny.yaml"


@pytest.mark.parametrize("mistake", [False, True], ids=["sound", "mistaken"])
def test_no_model_is_needed_for_a_training(project: pytest.Pytester, mistake: bool) -> None:
    """``-m train`` meets the evals, too, and of what is wrong with those nothing is said."""
    project.makeconftest(WITHOUT_MODEL)
    path = configuration(project)
    if mistake:
        path.write_text(path.read_text("utf-8").replace("max_steps", "max_step"), "utf-8")
    result = project.runpytest_subprocess("-m", "train", "--co", "-q")
    assert result.ret == (pytest.ExitCode.USAGE_ERROR if mistake else pytest.ExitCode.OK)
    assert "no model" not in result.stdout.str() + result.stderr.str()
    if mistake:
        assert result.stderr.lines[0].startswith("ERROR: finetune/configs/tiny.yaml:")


def test_no_model_is_needed_where_no_training_is_left(project: pytest.Pytester) -> None:
    project.makeconftest(WITHOUT_MODEL)
    result = project.runpytest_subprocess("-m", "train", "-k", "nosuch")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    told = "llmeval: -k: no training here has the name 'nosuch'; there is 'tiny'"
    assert [line for line in result.outlines if line.startswith("llmeval: ")] == [told]


def test_an_eval_that_is_left_beside_a_training_needs_its_model(project: pytest.Pytester) -> None:
    project.makeconftest(WITHOUT_MODEL)
    result = project.runpytest_subprocess("-m", "train or llmeval", "--co", "-q")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: no model: pass --model=SPEC *"])


@pytest.mark.parametrize(("arguments", "told"), [
    (["-m", "train", "-k", "nosuch"], "-k: no training here has the name 'nosuch'; there are 'book', 'tiny'"),
    (["-m", "train", "-k", "bok"], "-k: no training here has the name 'bok'; did you mean 'book'?"),
    (["-m", "training"], "-m: no eval, row or training here has the mark 'training'; did you mean 'train'?"),
    (["finetune", "-m", "trian"], "-m: no training here has the mark 'trian'; did you mean 'train'?"),
    (["-m", "train", "-k", "book and not book"], None),
    (["finetune", "-k", "nosuch"], None),
])  # fmt: skip
def test_a_word_that_fits_no_training_is_named(
    project: pytest.Pytester, arguments: list[str], told: str | None
) -> None:
    path = configuration(project)
    path.with_stem("book").write_text(path.read_text("utf-8"), "utf-8")
    result = project.runpytest_inprocess(*arguments, "--model=openai:any@http://localhost:9/v1")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    found = [line for line in result.outlines if line.startswith("llmeval: -")]
    assert found == ([] if told is None else [f"llmeval: {told}"])


@pytest.mark.parametrize(("more", "told"), [
    (False, "1 training waits; run it with: pytest -m train"),
    (True, "2 trainings wait; run them with: pytest -m train"),
])  # fmt: skip
def test_trainings_whose_folder_or_file_is_named_are_told_to_wait(
    project: pytest.Pytester, more: bool, told: str, spread: list[str]
) -> None:
    path = configuration(project)
    if more:
        path.with_stem("book").write_text(path.read_text("utf-8"), "utf-8")
    for named in ("finetune", "finetune/test_tiny_training.py"):
        result = project.runpytest_subprocess(named, *spread)
        assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
        assert [line for line in result.outlines if line.startswith("llmeval: ")] == [f"llmeval: {told}"]


def test_trainings_are_told_to_wait_in_their_folder(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.path / "finetune")
    result = project.runpytest_inprocess()
    assert "llmeval: 1 training waits; run it with: pytest -m train" in result.outlines
    assert project.runpytest_inprocess("-m", "train", "--co", "-q").outlines[0].endswith("::test_tiny[tiny]")


def test_plain_pytest_tells_of_evals_that_wait_alone(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess()
    told = ["llmeval: 1 eval function waits; run it with: pytest evals"]
    assert [line for line in result.outlines if line.startswith("llmeval: ")] == told


def test_a_run_of_evals_that_is_to_go_on_begins_no_training(project: pytest.Pytester) -> None:
    """Another option goes on with one; with both nothing is refused here."""
    result = project.runpytest_subprocess("-m", "train", "--llmeval-resume=last")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --llmeval-resume goes on with a run of evals, and only trainings are left: --llmeval-train-resume"]
    )
    assert not (project.path / ".llmeval").exists()
