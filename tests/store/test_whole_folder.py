"""Folders that are there as a whole, or not at all."""

from pathlib import Path

import pytest

from pytest_llmeval.store.whole_file import whole_folder


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
