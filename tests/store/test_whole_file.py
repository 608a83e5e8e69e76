import os
from pathlib import Path

from pytest_llmeval.store.whole_file import whole_file
from tests.support.file_mode import mode


def test_who_may_read_a_file_stays_as_its_owner_chose(tmp_path: Path) -> None:
    """Also while the new one is written beside it."""
    path = tmp_path / "out.jsonl"
    path.touch()
    path.chmod(0o600)
    with whole_file(path) as file:
        file.write(b"answers")
        assert [mode(each) for each in tmp_path.iterdir()] == [0o600, 0o600]
    assert (path.read_bytes(), mode(path)) == (b"answers", 0o600)


def test_a_new_file_is_as_any_other_of_its_user(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        with whole_file(tmp_path / "out.jsonl"):
            pass
    finally:
        os.umask(mask)
    assert mode(tmp_path / "out.jsonl") == 0o640
