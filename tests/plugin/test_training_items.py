"""``pytest -m train``: which training items there are, and what is said before anything is loaded."""

import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.bridge.config.settings import resolve
from pytest_llmeval.bridge.training.proof_options import proof_environ, proof_options
from pytest_llmeval.core.errors import LlmevalError
from pytest_llmeval.training import supervise
from pytest_llmeval.training.supervise import Job
from tests.support.tiny_base import INI, training_project, write_project

ROOT = Path(__file__).parents[2]
ITEM = "finetune/test_tiny_training.py::test_tiny[tiny]"
SPACED = ITEM.replace("tiny]", "tiny b]")
SPAN = {"low": 0.001, "high": 0.01}
WITHOUT = """
import importlib.util

_found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in {names} else _found(name, *rest)
"""
OLDER = """
import importlib.metadata

_version = importlib.metadata.version
importlib.metadata.version = lambda name: "0.49.2" if name == "bitsandbytes" else _version(name)
"""
LOADED = """
import sys

def pytest_unconfigure(config):
    print("loaded:", sorted({"torch", "trl", "transformers", "pydantic"} & sys.modules.keys()))
"""


project = training_project
needs_extra = pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="needs the extra train")


def on_a_gpu(path: Path, *, gib: float = 0) -> None:
    """Have the configuration ask for a GPU."""
    text = path.read_text("utf-8").replace("device: cpu", "device: cuda")
    path.write_text(f"{text}needs: {{gpu_gib: {gib}}}\n", "utf-8")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """None may be used, so that the test is the same on a machine with a GPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


DRIVER = """
import ctypes, sys

class Driver:
    def cuInit(self, flags):
        return 0 if CARDS else 100

    def cuDeviceGetCount(self, count):
        count._obj.value = len(CARDS)

    def cuDeviceGet(self, device, number):
        device._obj.value = number

    def cuDeviceGetName(self, name, longest, device):
        name.value = CARDS[device.value][0].encode()

    def cuDeviceTotalMem_v2(self, total, device):
        total._obj.value = CARDS[device.value][1]

if "pytest_llmeval.training.gpus" in sys.orig_argv:
    ctypes.CDLL = lambda name: Driver()
"""
"""Stands in for CUDA's driver in the process that asks it."""


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Have the driver tell of cards, each by its name and memory."""

    def place(*found: tuple[str, int]) -> None:
        (tmp_path / "sitecustomize.py").write_text(f"CARDS = {found}\n{DRIVER}", "utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    return place


def test_plain_pytest_leaves_trainings_out_and_loads_nothing_for_them(project: pytest.Pytester) -> None:
    project.makeconftest(LOADED)
    result = project.runpytest_subprocess()
    result.assert_outcomes(deselected=2)
    result.stdout.fnmatch_lines(["loaded: []"])


def test_collect_only_shows_them_without_the_extra(project: pytest.Pytester) -> None:
    project.makeconftest(WITHOUT.format(names=("trl", "torch")) + LOADED)
    write_project(project.path, "no-such-base")
    (project.path / "finetune" / "configs" / "another.yaml").write_text(
        (project.path / "finetune" / "configs" / "tiny.yaml").read_text("utf-8"), "utf-8"
    )
    result = project.runpytest_subprocess("-m", "train", "--co", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [ITEM.replace("[tiny]", "[[]another]"), ITEM.replace("[tiny]", "[[]tiny]"), "loaded: ['pydantic']"]
    )


def test_a_training_outside_of_its_folder_is_told_where_it_belongs(project: pytest.Pytester) -> None:
    (project.path / "finetune").rename(project.path / "tuning")
    result = project.runpytest_inprocess("tuning")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*marked @pytest.mark.train("configs"), in the folder finetune of the rootdir; *'])
    assert f"lies elsewhere, as the rootdir is {project.path}: it is where pytest.ini lies, or" in result.stdout.str()


def test_running_without_the_extra_is_a_usage_error(project: pytest.Pytester) -> None:
    project.makeconftest(WITHOUT.format(names=("trl", "torch")))
    result = project.runpytest_subprocess("-m", "train")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: training needs an extra: pip install 'pytest-llmeval[[]train]' (*torch is missing,*trl is missing*)"]
    )


@needs_extra
def test_an_older_part_of_the_extra_is_a_usage_error(project: pytest.Pytester) -> None:
    project.makeconftest(OLDER)
    result = project.runpytest_subprocess("-m", "train")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: * (bitsandbytes is 0.49.2, and 0.50 to below 0.51 is needed)"])


def test_every_mistake_in_a_configuration_is_told_with_its_line(project: pytest.Pytester) -> None:
    path = project.path / "finetune" / "configs" / "tiny.yaml"
    text = path.read_text("utf-8")
    text = (
        text.replace("margin: 0.1", "margin: 1.5")
        .replace("device: cpu", "device: tpu")
        .replace("max_steps", "max_step")
    )
    path.write_text(text, "utf-8")
    result = project.runpytest_inprocess("-m", "train", "--co")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = {
        word: number
        for number, line in enumerate(text.splitlines(), 1)
        for word in ("margin", "device", "max_step")
        if word in line
    }
    where = "finetune/configs/tiny.yaml"
    told = result.stderr.str()
    assert f"{where}:{lines['margin']}: proof.margin: found 1.5; write a number in 0..1" in told
    assert f"{where}:{lines['device']}: device: found 'tpu'; write 'cpu' or 'cuda'" in told
    assert f"{where}:{lines['max_step']}: optim.max_step: unknown key; did you mean 'max_steps'?" in told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"launch": {"processes": 3}},
            "processes: launch.processes: found 3, and optim.batch is 4; write one of 1, 2, 4",
        ),
        ({"launch": {"engine": "fsdp"}}, "engine: launch.engine: found 'fsdp', which needs GPUs; write 'ddp'"),
        (
            {"launch": {"engine": "fsdp"}, "device": "cuda"},
            "engine: launch.engine: found 'fsdp', which does not split 4-bit weights;"
            " write 'ddp', or dtype: bfloat16 in place of load",
        ),
        *(
            (
                {"launch": {"engine": engine}, "device": "cuda", "dtype": "bfloat16"},
                f"engine: launch.engine: found '{engine}', and one process, which has nobody to share with;"
                " write processes: N for N GPUs, or leave engine out",
            )
            for engine in ("fsdp", "deepspeed")
        ),
    ],
)
def test_processes_that_do_not_go_with_the_rest_are_told_with_their_line(
    project: pytest.Pytester, changes: dict[str, Any], told: str
) -> None:
    path = write_project(project.path, "no-such-base", **changes)
    key, _, message = told.partition(": ")
    line = next(number for number, text in enumerate(path.read_text("utf-8").splitlines(), 1) if f"  {key}:" in text)
    result = project.runpytest_inprocess("-m", "train", "--co")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"finetune/configs/tiny.yaml:{line}: {message}" in result.stderr.str()


@needs_extra
def test_deepspeed_that_is_missing_is_a_usage_error(project: pytest.Pytester) -> None:
    if importlib.util.find_spec("deepspeed") is not None:
        pytest.skip("it is installed")
    write_project(project.path, "no-such-base", device="cuda", launch={"processes": 2, "engine": "deepspeed"})
    result = project.runpytest_inprocess("-m", "train")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: launch.engine: deepspeed is not installed: pip install deepspeed, or *"])


@needs_extra
def test_a_search_without_its_extra_is_shown_and_does_not_run(project: pytest.Pytester) -> None:
    project.makeconftest(WITHOUT.format(names=("optuna",)))
    write_project(project.path, "no-such-base", search={"trials": 2, "space": {"optim.learning_rate": SPAN}})
    assert project.runpytest_subprocess("-m", "train", "--co").ret == pytest.ExitCode.OK
    result = project.runpytest_subprocess("-m", "train")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: search needs an extra: pip install 'pytest-llmeval[[]search]' (*"])


@needs_extra
@pytest.mark.parametrize("counted", [2, 0])
def test_more_processes_than_gpus_that_may_be_seen_are_refused(
    project: pytest.Pytester, cards: Callable[..., None], counted: int
) -> None:
    cards(*[("Card", 24 << 30)] * counted)
    write_project(project.path, "no-such-base", device="cuda", launch={"processes": 4})
    result = project.runpytest_inprocess("-m", "train", "-rs")
    result.assert_outcomes(skipped=1, deselected=12)
    many = f"*tiny needs 4 CUDA GPUs for its launch.processes; {counted} may be used here"
    result.stdout.fnmatch_lines([many if counted else "*tiny needs a CUDA GPU; none may be used here*"])


@needs_extra
@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        (["-m", "train"], "skipped"),
        (["-m", "train", "-p", "no:capture"], "skipped"),
        (["-m", "train", "-k", "tiny"], "failed"),
        (["-m", "train", "-k", "TIN and not other"], "failed"),
        (["-m", "train", "-k", "not other"], "skipped"),
        (["-m", "train", "-k", "train"], "skipped"),
        (["-m", "train", "--llmeval-train-strict"], "failed"),
        ([ITEM], "failed"),
    ],
)
def test_what_the_machine_lacks_skips_or_fails_where_it_was_named(
    project: pytest.Pytester, arguments: list[str], outcome: str
) -> None:
    on_a_gpu(project.path / "finetune" / "configs" / "tiny.yaml", gib=8)
    result = project.runpytest_inprocess(*arguments)
    assert result.parseoutcomes()[outcome] == 1
    result.stdout.fnmatch_lines(
        ["*tiny needs a CUDA GPU with 8 GiB; none may be used here, by CUDA's driver and CUDA_VISIBLE_DEVICES*"]
    )


@needs_extra
@pytest.mark.parametrize(
    ("mark", "arguments", "outcome"),
    [("", [], "passed"), ("", ["-p", "no:timeout"], "passed"), ("@pytest.mark.timeout(0.5)\n", [], "failed")],
)
def test_a_training_has_the_time_that_it_takes_or_that_of_its_own_mark(
    project: pytest.Pytester, mark: str, arguments: list[str], outcome: str
) -> None:
    project.makeini(f"{INI}timeout = 0.5\n")
    entry = project.path / "finetune" / "test_tiny_training.py"
    text = entry.read_text("utf-8").replace("training.run()", "__import__('time').sleep(1)")
    entry.write_text(text.replace("@pytest.mark.train", f"{mark}@pytest.mark.train"), "utf-8")
    result = project.runpytest_inprocess("-m", "train", "--strict-markers", *arguments)
    assert result.parseoutcomes()[outcome] == 1


@pytest.mark.parametrize("arguments", [["-n2"], ["-n1"]])
def test_trainings_are_refused_in_workers(project: pytest.Pytester, arguments: list[str]) -> None:
    pytest.importorskip("xdist")
    result = project.runpytest_subprocess("-m", "train", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "trainings run in one process: leave out -n" in result.stdout.str() + result.stderr.str()
    assert not (project.path / ".llmeval").exists()


def test_workers_run_the_other_tests(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    project.makepyfile(test_own="def test_own():\n    pass\n")
    result = project.runpytest_subprocess("-n2")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("addopts", "arguments", "found"),
    [
        ("", ["-p", "no:hypothesispytest"], ["-p", "no:hypothesispytest"]),
        ("--limit 5 -x --llmeval-slice=easy", [], ["-x"]),
        ("-p no:asyncio", ["-o", "console_output_style=count"], [
            "-p", "no:asyncio", "-o", "console_output_style=count", "-p", "no:asyncio",
        ]),
        ("--deselect evals/a.py::b -x --deselect=evals/c.py", [], ["-x"]),
        ("--llmeval-allow-self-judge -q", ["--judge-model=j", "--rpm=60"], [
            "-q", "--llmeval-allow-self-judge", "--llmeval-rpm=60.0",
        ]),
    ],
)  # fmt: skip
def test_a_proof_is_judged_as_its_session_says_and_not_cut_by_the_project(
    pytester: pytest.Pytester, addopts: str, arguments: list[str], found: list[str]
) -> None:
    pytester.makeini(f"[pytest]\naddopts = {addopts}\n")
    config = pytester.parseconfig(*arguments)
    keys = {"LLMEVAL_JUDGE_KEY": "k", "LLMEVAL_API_KEY": "k", "LLMEVAL_VLLM": "vllm", "LAB_KEY": "k"}
    settings = resolve(config, {**keys, "LLMEVAL_LIMIT": "3", "LLMEVAL_RUN_NAME": "mine", "LLMEVAL_ESCALATED": "r"})
    project = ["-c", str(pytester.path / "tox.ini"), "--rootdir", str(pytester.path)]
    assert list(proof_options(config, settings)) == [*project, *found]
    assert proof_environ(settings) == keys | ({"LLMEVAL_JUDGE_MODEL": "j"} if "--judge-model=j" in arguments else {})


@needs_extra
@pytest.mark.parametrize(
    ("arguments", "more"),
    [("-m train -k tiny", ""), (f"'{SPACED}' --llmeval-train-resume", ""), ("-m=train --basetemp=a", " --basetemp=a")],
)
def test_the_command_that_goes_on_with_a_training_is_about_that_one_alone(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, arguments: str, more: str
) -> None:
    """Others can have its name in theirs, and not any name is one for ``-k``."""
    path = project.path / "finetune" / "configs" / "tiny.yaml"
    path.rename(path.with_stem("tiny b"))

    def broken(job: Job) -> None:
        raise LlmevalError(f"go on: {job.again}.")

    monkeypatch.setattr(supervise, "run_training", broken)
    result = project.runpytest_inprocess(*shlex.split(arguments))
    assert f"go on: pytest '{SPACED}' --llmeval-train-resume{more}." in result.stdout.str().splitlines()


def test_wrong_settings_end_a_session_before_it_trains(project: pytest.Pytester) -> None:
    """The sessions of the proof would refuse them when all is trained."""
    project.makeini(f"{INI}llmeval_paths = evalz\n")
    told = (
        "tox.ini: ini key llmeval_paths: expected folders in the rootdir, found 'evalz', which is not one; did you mean"
    )
    for shown_only in ([], ["--co"]):
        result = project.runpytest_inprocess("-m", "train", *shown_only)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert result.stderr.str().strip() == f"ERROR: {told} 'evals'?"


def test_nothing_to_go_on_with_is_one_line(project: pytest.Pytester) -> None:
    pytest.importorskip("trl", reason="needs the extra train")
    result = project.runpytest_inprocess("-m", "train", "--llmeval-train-resume")
    result.assert_outcomes(failed=1, deselected=12)
    result.stdout.fnmatch_lines(["tiny: no training in *tiny can go on; leave out --llmeval-train-resume"])


@needs_extra
def test_a_card_that_is_too_small_is_told_with_its_size(
    project: pytest.Pytester, cards: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what the driver makes of the environment: no nvidia-smi is needed, and a card may be a part of one."""
    cards(("Tiny Card MIG 1g.4gb", 4 << 30), ("Card", 80 << 30))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-7")
    on_a_gpu(project.path / "finetune" / "configs" / "tiny.yaml", gib=8)
    result = project.runpytest_inprocess("-m", "train", "-rs")
    result.assert_outcomes(skipped=1, deselected=12)
    result.stdout.fnmatch_lines(["*tiny needs a CUDA GPU with 8 GiB; Tiny Card MIG 1g.4gb has 4.0 GiB"])


def test_a_mark_called_train_elsewhere_makes_no_items(project: pytest.Pytester) -> None:
    project.makepyfile(test_own='import pytest\n\n@pytest.mark.train("fast")\ndef test_own():\n    pass\n')
    project.runpytest_inprocess("test_own.py", "-m", "train").assert_outcomes(passed=1)


def test_those_of_this_repository_are_shown_without_any_extra(pytester: pytest.Pytester) -> None:
    """Its tests wait for theirs, and must not stand in the way."""
    names = {"hypothesis", "pyarrow", "datasets", "playwright", "xllamacpp", "torch", "transformers", "peft", "trl"}
    blocked = f"import sys\n\nsys.modules.update(dict.fromkeys({sorted(names)}))\n"
    pytester.makepyfile(without=WITHOUT.format(names=sorted(names)) + blocked)
    command = [sys.executable, "-m", "pytest", "-p", "without", "-p", "no:hypothesispytest", "-p", "no:cacheprovider"]
    environ = {**os.environ, "PYTHONPATH": f"{pytester.path}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [*command, "-m", "train", "--co", "-q"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "finetune/test_train.py::test_train[smollm2-135m-json-cpu]" in done.stdout.splitlines()
