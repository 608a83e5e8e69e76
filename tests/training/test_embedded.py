"""The embedded model as a folder to train on, where the cache cannot be written."""

from pathlib import Path

import pytest

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.local_weights import SMOLLM2
from pytest_llmeval.training.embedded import embedded_folder

FORM = "safetensors-2"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with a file of the size of the weights; nobody reads it."""
    with open(tmp_path / SMOLLM2.file_name, "wb") as file:
        file.truncate(SMOLLM2.file_bytes)
    return tmp_path


def test_a_cache_that_cannot_be_written_is_told_with_what_to_do(cache: Path) -> None:
    (cache / FORM).touch()
    told = f"{cache / FORM / SMOLLM2.label}: cannot be written: {cache / FORM} is a file, and a folder is needed there"
    with pytest.raises(ModelError) as raised:
        embedded_folder(cache, print, environ={})
    assert str(raised.value) == f"local:smollm2: {told}; mend that, or name another cache in XDG_CACHE_HOME"


def test_where_the_folder_is_there_nothing_is_written(cache: Path) -> None:
    """The cache of an image may be read-only."""
    folder = cache / FORM / SMOLLM2.label
    folder.mkdir(parents=True)
    assert embedded_folder(cache, print, environ={}) == folder
    assert {path.name for path in (*cache.iterdir(), *folder.parent.iterdir())} == {
        SMOLLM2.file_name,
        FORM,
        SMOLLM2.label,
    }
