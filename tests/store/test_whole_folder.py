"""Folders that are there as a whole, or not at all."""

import contextlib
import errno
import os
import stat
from pathlib import Path

import pytest

from pytest_llmeval.store.whole_file import whole_folder
from tests.support.file_mode import mode


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), whole_folder(tmp_path / "adapter") as scratch:
        (scratch / "one").write_text("1", "utf-8")
        raise OSError("full")
    assert list(tmp_path.iterdir()) == []


def test_it_is_there_in_the_end_only(tmp_path: Path) -> None:
    target = tmp_path / "above" / "adapter"
    with whole_folder(target) as scratch:
        (scratch / "in").mkdir()
        (scratch / "in" / "one").touch()
        assert not target.exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["above", "adapter", "in", "one"]


def test_what_a_killed_process_left_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / ".tmp-adapter").mkdir()
    (tmp_path / ".tmp-adapter" / "half").touch()
    with whole_folder(tmp_path / "adapter") as scratch:
        (scratch / "one").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["adapter", "one"]


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "old").touch()
    with pytest.raises(OSError, match="not empty"), whole_folder(tmp_path / "adapter") as scratch:
        (scratch / "one").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["adapter", "old"]


def test_its_files_may_be_read_by_whom_umask_allows_that(tmp_path: Path) -> None:
    """safetensors leaves what it writes to its owner alone."""
    mask = os.umask(0o027)
    try:
        with whole_folder(tmp_path / "adapter") as scratch:
            (scratch / "in").mkdir()
            for name, has in {"weights": 0o600, "in/weights": 0o600, "config": 0o640, "program": 0o750}.items():
                (scratch / name).touch()
                (scratch / name).chmod(has)
    finally:
        os.umask(mask)
    found = {str(path.relative_to(tmp_path)): mode(path) for path in tmp_path.rglob("*")}
    assert found == {
        "adapter": 0o750,
        "adapter/in": 0o750,
        "adapter/weights": 0o640,
        "adapter/in/weights": 0o640,
        "adapter/config": 0o640,
        "adapter/program": 0o750,
    }


@pytest.mark.parametrize("refusal", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_file_system_that_only_syncs_files_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    """What it says of a disk that fails is an error, and so is any refusal of a file."""
    sync = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(refusal, os.strerror(refusal))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    refused = pytest.raises(OSError, match=os.strerror(refusal))
    with refused if refusal == errno.EIO else contextlib.nullcontext(), whole_folder(tmp_path / "a") as scratch:
        (scratch / "in").mkdir()
        (scratch / "in" / "file").write_text("x", "utf-8")
    assert (tmp_path / "a").is_dir() == (refusal != errno.EIO)
