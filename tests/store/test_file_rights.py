"""Who may read a database file that was there before, or that a link leads to."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from pytest_llmeval.store.files import make_private
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.file_mode import mode
from tests.support.stored_runs import run

_NOBODY = 65534


def test_a_file_that_a_link_is_to_lead_to_is_its_owners_alone(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    path.parent.mkdir()
    link.symlink_to(path)
    SqliteStore(link).close()
    assert mode(path) == 0o600


@pytest.mark.parametrize("given", [0o644, 0o664, 0o604])
def test_a_file_that_everybody_may_read_becomes_its_owners_alone(path: Path, given: int) -> None:
    """A copy or an unpacked artifact, say; SQLite gives the files beside it the mode that it has."""
    SqliteStore(path).close()
    beside = path.with_name(f"{path.name}-wal")
    for each in (path, beside):
        each.touch()
        each.chmod(given)
    with closing(SqliteStore(path)) as store:
        store.start_run(run("r"))
        assert {mode(each) for each in path.parent.glob("llmeval.db*")} == {0o600}
        assert len(list(path.parent.glob("llmeval.db*"))) == 3


def test_a_file_that_nobody_may_write_stays_so(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o444)
    make_private(path)
    assert mode(path) == 0o400


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to somebody else")
def test_a_file_of_somebody_else_keeps_its_mode(path: Path) -> None:
    SqliteStore(path).close()
    path.chmod(0o666)
    os.chown(path, _NOBODY, _NOBODY)
    SqliteStore(path).close()
    assert mode(path) == 0o666
