"""Checkpoints that can be gone on from, and the room that they take."""

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest

from pytest_llmeval.core.errors import LlmevalError, SettingsError
from pytest_llmeval.training.checkpoints import find_best, mark_open, newest_complete, require_space, settle
from pytest_llmeval.training.config import LaunchModel


def whole(folder: Path, step: int) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "trainer_state.json").write_text("{}", "utf-8")
    header = b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    (path / "adapter_model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"1234")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        with zipfile.ZipFile(path / name, "w") as archive:
            archive.writestr("data", "x" * 1000)
    return sealed(path)


def sealed(checkpoint: Path) -> Path:
    """Leave it as a training does, beside the others that are there."""
    aside = checkpoint.parent.parent / f"{checkpoint.parent.name}-aside"
    aside.mkdir(exist_ok=True)
    settle(checkpoint.rename(aside / checkpoint.name), None)
    return (aside / checkpoint.name).rename(checkpoint)


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_the_newest_is_the_one_of_most_steps(tmp_path: Path) -> None:
    whole(tmp_path, 9)
    newest = whole(tmp_path, 100)
    assert newest_complete(tmp_path, LaunchModel()) == (newest, [])


def test_none_is_there(tmp_path: Path) -> None:
    assert newest_complete(tmp_path, LaunchModel()) == (None, [])


@pytest.mark.parametrize(
    "name", ["trainer_state.json", "adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"]
)
@pytest.mark.parametrize("harm", [cut, Path.unlink])
def test_a_broken_one_is_passed_over_with_why(tmp_path: Path, name: str, harm: object) -> None:
    good, broken = whole(tmp_path, 4), whole(tmp_path, 8)
    harm(broken / name)  # type: ignore[operator]
    found, skipped = newest_complete(tmp_path, LaunchModel())
    assert found == good
    (told,) = skipped
    assert told.startswith("checkpoint-8: ")
    assert (name in told) or ("JSON" in told) or ("zip" in told.lower())


@pytest.mark.parametrize("header", [b'{"a": {"dtype": "F32"}}', b'{"a": 7}', b"[]"])
def test_a_header_of_another_form_is_damage_too(tmp_path: Path, header: bytes) -> None:
    good, broken = whole(tmp_path, 4), whole(tmp_path, 8)
    (broken / "adapter_model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"1234")
    found, (told,) = newest_complete(tmp_path, LaunchModel())
    assert found == good
    assert told.startswith("checkpoint-8: ")


def test_one_that_was_being_written_is_passed_over(tmp_path: Path) -> None:
    (whole(tmp_path, 8) / "checkpoint-is-incomplete.txt").touch()
    assert newest_complete(tmp_path, LaunchModel()) == (None, ["checkpoint-8: it was being written"])


def test_a_flipped_byte_is_seen(tmp_path: Path) -> None:
    path = whole(tmp_path, 8) / "optimizer.pt"
    path.write_bytes(path.read_bytes().replace(b"xxxx", b"xyxx", 1))
    assert newest_complete(tmp_path, LaunchModel()) == (None, ["checkpoint-8: optimizer.pt is damaged"])


def zeros(path: Path) -> None:
    """Leave the second half of the weights as blocks that were never written."""
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes(2))


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "newest.safetensors", "adapter_config.json"])
def test_content_that_a_power_cut_took_is_seen(tmp_path: Path, name: str) -> None:
    good, broken = whole(tmp_path, 4), whole(tmp_path, 8)
    for path in (good, broken):
        shutil.copy(path / "adapter_model.safetensors", path / "newest.safetensors")
        (path / "adapter_config.json").write_text("{}", "utf-8")
        sealed(path)
    zeros(broken / name)
    found = newest_complete(tmp_path, LaunchModel(), is_averaged=True)
    assert found == (good, [f"checkpoint-8: {name} is damaged"])


def test_a_best_one_whose_content_was_lost_becomes_no_adapter(tmp_path: Path) -> None:
    best, newest = whole(tmp_path, 4), whole(tmp_path, 8)
    (newest / "trainer_state.json").write_text('{"best_global_step": 4}', "utf-8")
    zeros(best / "adapter_model.safetensors")
    told = "checkpoint-4, the best one so far, is damaged: adapter_model.safetensors is damaged"
    with pytest.raises(LlmevalError, match=told):
        find_best(tmp_path, 4, LaunchModel())
    assert newest_complete(tmp_path, LaunchModel())[1][0] == f"checkpoint-8: {told}"


def test_one_that_never_came_to_its_end_is_passed_over(tmp_path: Path) -> None:
    good, broken = whole(tmp_path, 4), whole(tmp_path, 8)
    (broken / "sha256.json").unlink()
    assert newest_complete(tmp_path, LaunchModel()) == (good, ["checkpoint-8: sha256.json is missing"])


def test_one_whose_sums_were_still_to_come_is_passed_over(tmp_path: Path) -> None:
    mark_open(whole(tmp_path, 4))
    assert newest_complete(tmp_path, LaunchModel()) == (None, ["checkpoint-4: it was being written"])


@pytest.mark.parametrize(("steps", "newest", "best", "left"), [
    ([4, 8], 12, 4, {4, 12}),
    ([4, 8], 12, 12, {8, 12}),
    ([4, 8], 12, None, {8, 12}),
    ([4, 9, 12], 8, 8, {4, 8}),  # 9 and 12 were passed over
    ([], 4, 4, {4}),
])  # fmt: skip
def test_two_are_kept(tmp_path: Path, steps: list[int], newest: int, best: int | None, left: set[int]) -> None:
    for step in steps:
        whole(tmp_path, step)
    settle(whole(tmp_path, newest), best)
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == {f"checkpoint-{step}" for step in left}


@pytest.mark.parametrize("name", ["optimizer.pt", "adapter_model.safetensors", ".sha256.json.{}.part", ".", ".."])
def test_earlier_ones_stay_where_the_new_one_does_not_come_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A file of it, its own names, or its name among the others."""
    for step in (4, 8):
        whole(tmp_path, step)
    newest, sync = whole(tmp_path, 12), os.fsync

    def full(handle: int) -> None:
        refused = newest / name.format(os.getpid())
        if refused.exists() and os.path.samestat(os.fstat(handle), refused.stat()):
            raise OSError(28, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        settle(newest, 12)
    assert len(list(tmp_path.glob("checkpoint-*"))) == 3


def test_too_little_space_is_told_before_the_start(tmp_path: Path) -> None:
    require_space(tmp_path, 1000, LaunchModel())
    with pytest.raises(SettingsError, match=r"MB are free, and the checkpoints need 24000\d+ MB"):
        require_space(tmp_path, 10**13, LaunchModel())
    with pytest.raises(SettingsError, match=r"MB are free, and the checkpoints need 64000\d+ MB"):
        require_space(tmp_path, 10**13, LaunchModel(processes=2, engine="fsdp"))


def test_space_that_its_checkpoints_hold_is_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = 6 * 10**6 + (30 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2 * each + 1000))
    with pytest.raises(SettingsError, match="MB are free"):
        require_space(tmp_path, 10**6, LaunchModel())
    for step in (4, 8):
        (whole(tmp_path, step) / "optimizer.pt").write_bytes(b"x" * each)
    require_space(tmp_path, 10**6, LaunchModel())


LOADED = {"fsdp": "pytorch_model_fsdp.bin", "deepspeed": "global_step/mp_rank_00_model_states.pt"}
"""What each of these engines loads the weights from."""


def of_two(folder: Path, step: int, engine: Literal["fsdp", "deepspeed"]) -> Path:
    """Write a whole checkpoint of two processes."""
    path = whole(folder, step)
    archive = (path / "optimizer.pt").rename(path / "optimizer.bin")
    (path / "rng_state.pth").unlink()
    (path / "global_step").mkdir()
    (path / "latest").write_text("global_step", "utf-8")
    states = [f"global_step/bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt" for rank in range(2)]
    for name in (*states, LOADED[engine], "rng_state_0.pth", "rng_state_1.pth"):
        shutil.copy(archive, path / name)
    return path


@pytest.mark.parametrize("engine", ["fsdp", "deepspeed"])
@pytest.mark.parametrize("harm", [cut, Path.unlink])
def test_weights_that_an_engine_loads_are_whole(
    tmp_path: Path, engine: Literal["fsdp", "deepspeed"], harm: Callable[[Path], None]
) -> None:
    launch = LaunchModel(processes=2, engine=engine)
    good, newest = of_two(tmp_path, 4, engine), of_two(tmp_path, 8, engine)
    assert newest_complete(tmp_path, launch) == (newest, [])
    harm(newest / LOADED[engine])
    found, (told,) = newest_complete(tmp_path, launch)
    assert found == good
    assert told.startswith(f"checkpoint-8: {Path(LOADED[engine]).name} is ")


@pytest.mark.parametrize("engine", ["fsdp", "deepspeed"])
def test_weights_of_the_best_one_that_an_engine_loads_are_whole(
    tmp_path: Path, engine: Literal["fsdp", "deepspeed"]
) -> None:
    best, newest = of_two(tmp_path, 4, engine), of_two(tmp_path, 8, engine)
    (newest / "trainer_state.json").write_text('{"best_global_step": 4}', "utf-8")
    cut(best / LOADED[engine])
    found, (told, _) = newest_complete(tmp_path, LaunchModel(processes=2, engine=engine))
    assert found is None
    assert told.startswith("checkpoint-8: checkpoint-4, the best one so far, is damaged: ")


def test_a_checkpoint_of_deepspeed_has_the_states_of_each_process(tmp_path: Path) -> None:
    newest = of_two(tmp_path, 8, "deepspeed")
    (newest / "global_step" / "bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt").unlink()
    found = newest_complete(tmp_path, LaunchModel(processes=2, engine="deepspeed"))
    assert found == (None, ["checkpoint-8: ValueError: global_step has the states of 1 processes"])
