"""What a training's configuration names and is not there: told when tests are collected, before anything is trained."""

from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.config_file import load_config
from tests.support.tiny_base import training_project, write_project

project = training_project


def configured(project: pytest.Pytester, base: str = "org/name", **changes: Any) -> Path:
    return write_project(project.path, base, **changes)


def line_of(path: Path, key: str) -> int:
    lines = path.read_text("utf-8").splitlines()
    return next(number for number, text in enumerate(lines, 1) if text.strip().startswith(f"{key}:"))


EVAL = "evals/test_colour.py"
NO_FILE = "no such file; a path is relative to the rootdir"
NO_BASE = "no such folder; relative paths begin at the rootdir"


@pytest.mark.parametrize(
    ("key", "found", "told"),
    [
        ("eval", f"{EVAL}::test_color", f"no such function in {EVAL}; did you mean 'test_colour'?"),
        ("eval", "evals/test_color.py::test_colour", "no such file; did you mean 'test_colour.py'?"),
        ("eval", "eval/x.py::test_colour", "no such file; it is relative to the rootdir"),
        ("eval", EVAL, "it names no function; write FILE::FUNCTION, relative to the rootdir"),
        ("data.train", "data/nix.jsonl", NO_FILE),
        (
            "data.val",
            "../val.jsonl",
            "../val.jsonl: leads out of the rootdir; keep the file inside the project, or pass rows by a callable",
        ),
        ("data.test", "data/tets.jsonl", NO_FILE),
        ("data.val", "data/train.jsonl", "data.train has the same rows; name a dataset of other rows"),
        ("data.test", "data/../data/val.jsonl", "data.val has the same rows; name a dataset of other rows"),
        ("base", "/nope/base", NO_BASE),
        ("base", "./base", NO_BASE),
        ("base", "models/of/mine", NO_BASE),
        ("base", "base.gguf", NO_BASE),
    ],
)
def test_a_name_of_nothing_is_told_with_its_line(tmp_path: Path, key: str, found: str, told: str) -> None:
    path = write_project(tmp_path, **{"base": "org/name", key.replace(".", "__"): found})
    with pytest.raises(SettingsError) as caught:
        load_config(path, shown_as="tiny.yaml", rootdir=tmp_path)
    line = line_of(path, key.rpartition(".")[2])
    assert str(caught.value) == f"tiny.yaml:{line}: {key}: found '{found}': {told}"


@pytest.mark.parametrize("arguments", [["--co"], ["-k", "tiny"]])
def test_a_name_of_nothing_is_a_usage_error_with_its_line(project: pytest.Pytester, arguments: list[str]) -> None:
    path = configured(project, data__val="data/nix.jsonl")
    result = project.runpytest_inprocess("-m", "train", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    place = f"finetune/configs/tiny.yaml:{line_of(path, 'val')}: data.val"
    assert result.stderr.str() == f"ERROR: {place}: found 'data/nix.jsonl': {NO_FILE}\n"
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
def test_a_module_that_may_have_the_function_is_not_doubted(tmp_path: Path, module: str) -> None:
    path = write_project(tmp_path, "org/name")
    (tmp_path / EVAL).write_text(module, "utf-8")
    assert load_config(path, shown_as="tiny.yaml", rootdir=tmp_path).eval == f"{EVAL}::test_colour"


def test_the_module_is_not_imported(project: pytest.Pytester) -> None:
    configured(project)
    path = project.path / "evals" / "test_colour.py"
    path.write_text(path.read_text("utf-8") + "\nopen('imported', 'w').close()\n", "utf-8")
    assert project.runpytest_inprocess("-m", "train", "--co", "finetune").ret == 0
    assert not (project.path / "imported").exists()


@pytest.mark.parametrize("base", ["no-such-base", "org/name", "org/name@main", "local:smollm2", "~/base", "./here"])
def test_what_may_be_a_base_is_left_to_the_training(tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("base", "here"):
        (tmp_path / name).mkdir()
    path = write_project(tmp_path, base)
    assert load_config(path, shown_as="tiny.yaml", rootdir=tmp_path).base == base


def test_bases_and_datasets_of_the_hub_are_left_to_the_training(project: pytest.Pytester) -> None:
    configured(project, base="org/name@main", data__train="hf:org/rows?split=train")
    assert project.runpytest_inprocess("-m", "train", "--co", "finetune").ret == 0


def test_a_folder_without_configurations_is_a_usage_error(project: pytest.Pytester) -> None:
    """Where its training is asked for: other marks and names have nothing to do with it."""
    folder = project.path / "finetune" / "configs"
    (folder / "tiny.yaml").rename(folder / "tiny.yml")
    project.makepyfile(test_own="import pytest\n\n@pytest.mark.skipif(False, reason='')\ndef test_own():\n    pass\n")
    project.runpytest_subprocess("-m", "skipif").assert_outcomes(passed=1, deselected=13)
    project.runpytest_subprocess("-m", "train or skipif", "-k", "own").assert_outcomes(passed=1, deselected=13)
    result = project.runpytest_subprocess("-m", "train")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: finetune/configs: no [*].yaml in it, so *; call tiny.yml .yaml"])
    (folder / "tiny.yml").rename(folder.parent / "tiny.yml")
    folder.rmdir()
    result = project.runpytest_subprocess("-m", "train", "--co")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: finetune/configs: no such folder; @pytest.mark.train names one*"])
    entry = folder.parent / "test_tiny_training.py"
    (inner := folder.parent / "of[one]").mkdir()
    entry.rename(inner / entry.name)
    result = project.runpytest_subprocess("-m", "train", "--co")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: finetune/of[[]one[]]/configs: no such folder; @pytest.mark.train names one*"])


def test_a_margin_out_of_reach_is_told_with_its_line(project: pytest.Pytester) -> None:
    """Once the rows are read, and before the base is looked for."""
    pytest.importorskip("trl", reason="needs the extra train")
    path = configured(project, "no-such-base", proof__margin=0.9)
    result = project.runpytest_inprocess("-m", "train")
    result.assert_outcomes(failed=1, deselected=12)
    told = f"finetune/configs/tiny.yaml:{line_of(path, 'margin')}: proof.margin: found 0.9; with 12 rows of data/"
    assert told in result.stdout.str()
    assert not (project.path / ".llmeval" / "trainings").exists()
