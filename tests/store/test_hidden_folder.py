"""A new folder of databases: git leaves it alone where its name begins with a dot."""

from pathlib import Path

import pytest

from pytest_llmeval.store.sqlite import SqliteStore


def test_a_new_dot_folder_is_left_alone_by_git(path: Path) -> None:
    SqliteStore(path).close()
    assert (path.parent / ".gitignore").read_text() == "*\n"


def test_a_new_dot_folder_is_there_with_what_hides_it_or_not_at_all(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else git would see the answers of later runs, as only who makes a folder hides it."""

    def killed(*args: object, **options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        SqliteStore(path)
    assert not path.parent.exists()


def test_a_dot_folder_that_another_process_makes_meanwhile_is_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def late(made: Path, folder: Path) -> Path:
        folder.mkdir()
        (folder / "other.db").touch()
        return rename(made, folder)

    monkeypatch.setattr(Path, "rename", late)
    SqliteStore(path).close()
    assert sorted(each.name for each in path.parent.iterdir()) == sorted(["other.db", path.name])
    assert list(path.parent.parent.iterdir()) == [path.parent]


@pytest.mark.parametrize("name", ["results/a.db", "made/.llmeval/deep/a.db"])
def test_no_other_new_folder_gets_a_gitignore(tmp_path: Path, name: str) -> None:
    SqliteStore(tmp_path / name).close()
    assert not list(tmp_path.rglob(".gitignore"))
