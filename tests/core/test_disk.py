"""How a place that cannot be written is told."""

import re
from pathlib import Path

from pytest_llmeval.core.disk import unwritten


def refusal(path: Path) -> OSError:
    """Return what the system says where a folder is to be made."""
    try:
        path.mkdir(parents=True)
    except OSError as error:
        return error
    raise AssertionError(path)


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    for path in (tmp_path / "taken" / "one", tmp_path / "taken" / "one" / "two"):
        told = f"{path}: cannot be written: {tmp_path / 'taken'} is a file, and a folder is needed there"
        assert unwritten(path, refusal(path)) == told


def test_of_a_folder_the_room_is_told(tmp_path: Path) -> None:
    path = tmp_path / "new" / "one"
    told = unwritten(path, OSError(28, "No space left on device"))
    assert re.fullmatch(rf"{re.escape(str(path))}: cannot be written: No space left on device; \d+ MB are free", told)
