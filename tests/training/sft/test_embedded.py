"""The embedded model as a folder to train on. A tiny one stands for it."""

from pathlib import Path

import pytest

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.local.weights import SMOLLM2
from pytest_llmeval.training.sft import embedded
from pytest_llmeval.training.sft.embedded import embedded_folder
from tests.support.file_mode import mode
from tests.support.full_disk import largest_file
from tests.support.tiny_gguf import write_gguf
from tests.support.tiny_llama import make_model

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
    assert str(raised.value) == f"local:smollm2: {told}; fix that, or name another cache in XDG_CACHE_HOME"


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of a tiny model in place of those that are fetched."""
    gguf = write_gguf(make_model(tmp_path / "base"), tmp_path / "tiny.gguf")
    monkeypatch.setattr(embedded, "fetch_smollm2", lambda *args, **more: gguf)


@pytest.mark.usefixtures("fetched")
def test_whoever_may_read_files_of_the_user_may_read_the_base(tmp_path: Path) -> None:
    """As all else in a cache that people share."""
    folder = embedded_folder(tmp_path, print, environ={})
    (like := tmp_path / "new").touch()
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert {name: mode(folder / name) for name in names} == dict.fromkeys(names, mode(like))


@pytest.mark.usefixtures("fetched")
def test_a_disk_that_fills_up_is_told_with_what_to_do(tmp_path: Path) -> None:
    """safetensors raises an error of its own."""
    with largest_file(5_000), pytest.raises(ModelError) as raised:
        embedded_folder(tmp_path, print, environ={})
    folder = tmp_path / FORM / SMOLLM2.label
    assert str(raised.value).startswith(f"local:smollm2: {folder}: cannot be written: Error while serializing: ")
    assert str(raised.value).endswith(" MB are free; fix that, or name another cache in XDG_CACHE_HOME")
    assert [path.name for path in folder.parent.iterdir()] == [f"{folder.name}.lock"]


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
