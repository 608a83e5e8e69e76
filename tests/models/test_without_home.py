"""Files of models where nobody can tell where the user's home is."""

import os
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.home import at_home
from pytest_llmeval.models.hf.sources import find_source
from pytest_llmeval.models.local.weights import default_cache_dir
from pytest_llmeval.models.weights_spec import WeightsSpec
from tests.support.homeless import leave_home


@pytest.fixture(autouse=True)
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_home(monkeypatch)


def test_the_cache_folder_is_one_that_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="there is no home folder: set XDG_CACHE_HOME to a folder"):
        default_cache_dir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "llmeval"


def test_a_cache_folder_is_never_one_named_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which former versions of platformdirs make below the current folder."""
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: os.path.expanduser(f"~/.cache/{name}"))
    with pytest.raises(ModelError, match="XDG_CACHE_HOME"):
        default_cache_dir()


def test_files_at_home_are_not_there() -> None:
    assert at_home("~/model") == Path("~/model")
    for base in ("~/model", "org/name"):  # the latter would lie in the hub's cache
        with pytest.raises(ModelError, match=base):
            find_source(WeightsSpec(base=base), {})
