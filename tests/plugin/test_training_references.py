"""What a training's configuration names and is not there: told when tests are collected, before anything is trained."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.tiny_base import training_project, write_project

project = training_project


def configured(project: pytest.Pytester, base: str = "org/name", **changes: Any) -> Path:
    return write_project(project.path, base, **changes)


def line_of(path: Path, key: str) -> int:
    lines = path.read_text("utf-8").splitlines()
    return next(number for number, text in enumerate(lines, 1) if text.strip().startswith(f"{key}:"))


@pytest.mark.parametrize(
    ("key", "found", "told"),
    [
        ("eval", "evals/test_colour.py::test_color", "no such function in evals/test_colour.py; did you mean"),
        ("eval", "evals/test_color.py::test_colour", "no such file; did you mean 'test_colour.py'?"),
        ("eval", "eval/x.py::test_colour", "no such file; it is relative to the rootdir"),
        ("eval", "evals/test_colour.py", "it names no function; write FILE::FUNCTION"),
        ("data.train", "data/nix.jsonl", "no such file; a path is relative to the rootdir"),
        ("data.val", "../val.jsonl", "leads out of the rootdir"),
        ("data.test", "data/tets.jsonl", "no such file"),
        ("base", "/nope/base", "no such folder; relative paths begin at the rootdir"),
        ("base", "./base", "no such folder"),
        ("base", "models/of/mine", "no such folder"),
        ("base", "base.gguf", "no such folder"),
    ],
)
@pytest.mark.parametrize("arguments", [["--co"], ["-k", "tiny"]])
def test_a_name_of_nothing_is_a_usage_error_with_its_line(
    project: pytest.Pytester, key: str, found: str, told: str, arguments: list[str]
) -> None:
    path = configured(project, **{key.replace(".", "__"): found})
    result = project.runpytest_inprocess("-m", "train", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    line = line_of(path, key.rpartition(".")[2])
    assert f"finetune/configs/tiny.yaml:{line}: {key}: found '{found}': " in result.stderr.str()
    assert told in result.stderr.str()
    assert not (project.path / ".llmeval").exists()


def test_all_of_them_are_told_at_once(project: pytest.Pytester) -> None:
    configured(project, base="/nope", eval="no.py::test_a", data__train="a.jsonl", data__test="b.jsonl")
    told = project.runpytest_inprocess("-m", "train").stderr.str()
    assert [word in told for word in (": base: ", ": eval: ", ": data.train: ", ": data.test: ")] == [True] * 4


@pytest.mark.parametrize("arguments", [[], ["--co"], ["evals"], ["-m", "train", "-k", "good"]])
def test_what_is_not_chosen_fails_nothing(project: pytest.Pytester, arguments: list[str]) -> None:
    broken = configured(project, eval="evals/test_colour.py::test_color", data__train="data/nix.jsonl")
    text = broken.read_text("utf-8").replace("test_color\n", "test_colour\n").replace("nix", "train")
    broken.with_name("good.yaml").write_text(text.replace("device: cpu", "device: cuda"), "utf-8")
    project.makepyfile(test_own="def test_own():\n    pass\n")
    (project.path / "evals" / "conftest.py").write_text("collect_ignore_glob = ['*']\n", "utf-8")
    result = project.runpytest_inprocess(*arguments, "--co")
    assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert "no such" not in result.stderr.str()


@pytest.mark.parametrize(
    "module",
    [
        "from elsewhere import test_colour",
        "from elsewhere import test_red as test_colour",
        "from elsewhere import *",
        "import elsewhere\ntest_colour = elsewhere.made()",
        "if True:\n    def test_colour(): ...",
        "for name in ('test_colour',):\n    globals()[name] = print",
        "def broken(",
    ],
)
def test_a_module_that_may_have_the_function_is_not_doubted(project: pytest.Pytester, module: str) -> None:
    configured(project)
    (project.path / "evals" / "test_colour.py").write_text(module, "utf-8")
    result = project.runpytest_inprocess("-m", "train", "--co", "finetune")
    assert result.ret == 0


def test_the_module_is_not_imported(project: pytest.Pytester) -> None:
    configured(project)
    path = project.path / "evals" / "test_colour.py"
    path.write_text(path.read_text("utf-8") + "\nopen('imported', 'w').close()\n", "utf-8")
    assert project.runpytest_inprocess("-m", "train", "--co", "finetune").ret == 0
    assert not (project.path / "imported").exists()


@pytest.mark.parametrize("base", ["no-such-base", "org/name", "org/name@main", "local:smollm2", "~/base", "./here"])
def test_what_may_be_a_base_is_left_to_the_training(
    project: pytest.Pytester, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(project.path))
    for name in ("base", "here"):
        (project.path / name).mkdir()
    configured(project, base=base)
    assert project.runpytest_inprocess("-m", "train", "--co", "finetune").ret == 0


def test_a_dataset_of_the_hub_is_left_to_the_training(project: pytest.Pytester) -> None:
    configured(project, data__train="hf:org/rows?split=train")
    assert project.runpytest_inprocess("-m", "train", "--co", "finetune").ret == 0
