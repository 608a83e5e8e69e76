"""Rows of Hugging Face datasets (extra ``datasets``): from the hub, its cache when offline, or a saved folder."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # has no stubs
from datasets import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
    load_dataset_builder,
    load_from_disk,
)
from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.loaders.arrow_rows import BATCH, arrow_rows, check_columns
from pytest_llmeval.loaders.hub_names import HubName
from pytest_llmeval.loaders.spooled import SpooledRows

__all__ = ["open_hub"]

_COMMIT = re.compile(r"[0-9a-f]{7,40}\Z")


def open_hub(name: HubName, folder: Path | None) -> SpooledRows:
    """Return the rows of the split that ``name`` names.

    Args:
        name: the parsed text of the marker.
        folder: the folder written by ``save_to_disk``; None for a dataset on the hub.

    Raises:
        DatasetError: one line with the error of the hub, the network or the library, or with the splits and columns
            that exist.
    """
    loaded, revision = _saved(name, folder) if folder else _of_hub(name)
    return SpooledRows(name.shown, _rows(_split(loaded, name), name), revision=revision)


def _saved(name: HubName, folder: Path) -> tuple[Any, str]:
    """Return a saved dataset or its splits, and an empty revision."""
    if name.config or name.revision:
        raise DatasetError(f"{name.shown}: a saved folder has neither config nor revision; take them out")
    try:
        return load_from_disk(str(folder)), ""
    except Exception as error:
        raise DatasetError(f"{name.shown}: save_to_disk wrote no such folder: {_shown(error)}") from error


def _of_hub(name: HubName) -> tuple[Any, str]:
    """Return the splits of a dataset on the hub, and its commit."""
    bars = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        builder = load_dataset_builder(name.place, name.config, revision=name.revision)
        _check_commit(name, builder.hash or "")
        builder.download_and_prepare()
        return builder.as_dataset(), builder.hash or ""
    except DatasetError:
        raise
    except Exception as error:
        raise DatasetError(f"{name.shown}: cannot be loaded: {_shown(error)}") from error
    finally:
        if bars:
            enable_progress_bars()


def _check_commit(name: HubName, commit: str) -> None:
    """Raise DatasetError if another revision was loaded than asked for: offline, the library takes its newest copy."""
    if name.revision is None:
        return
    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name.place, repo_type="dataset")
    known = folder / "refs" / name.revision
    wanted = known.read_text("ascii").strip() if known.is_file() else name.revision
    if not (_COMMIT.match(wanted) and commit.startswith(wanted)):
        raise DatasetError(
            f"{name.shown}: the copy in the cache is of commit {commit or 'unknown'}; the revision asked for has to be"
            " fetched once with a network"
        )


def _split(loaded: Any, name: HubName) -> Any:
    """Return the split asked for, or the only split there is."""
    if not isinstance(loaded, dict):
        if name.split is not None and name.split != str(loaded.split):
            raise DatasetError(f"{name.shown}: no such split; the folder holds one alone, {loaded.split}")
        return loaded
    chosen = name.split if name.split is not None or len(loaded) != 1 else next(iter(loaded))
    if chosen not in loaded:
        what = "no such split" if name.split else "has several splits, and ?split= names none"
        raise DatasetError(f"{name.shown}: {what}; there are {one_line(', '.join(loaded))}")
    return loaded[chosen]


def _rows(split: Any, name: HubName) -> Iterator[tuple[int, Any]]:
    """Yield the numbered rows of a split, its columns mapped as ``name`` says."""
    wanted = list(dict.fromkeys(column for columns in name.columns.values() for column in columns))
    for column in wanted:
        if column not in split.column_names:
            raise DatasetError(
                f"{name.shown}: no column {column!r}; there are {one_line(', '.join(split.column_names))}"
            )
    table = (split.select_columns(wanted) if wanted else split).with_format("arrow")
    check_columns(_mapped(table[:0], name).schema, name.shown)
    yield from arrow_rows((_mapped(batch, name) for batch in table.iter(BATCH)), name.shown)


def _mapped(batch: "pa.Table", name: HubName) -> "pa.Table":
    """Return a batch with its columns renamed to, or combined into, row keys."""
    if not name.columns:
        return batch
    made = {}
    for key, columns in name.columns.items():
        parts = [batch.column(column).combine_chunks() for column in columns]
        whole = len(parts) == 1 and key != "metadata"
        made[key] = parts[0] if whole else pa.StructArray.from_arrays(parts, names=list(columns))
    return pa.table(made)


def _shown(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}", 300)
