"""From what a marker names to a source of rows."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.loaders.csv_file import CsvFile
from pytest_llmeval.loaders.jsonl_file import JsonlFile
from pytest_llmeval.loaders.memory import MemoryRows, called_rows, json_rows, listed_rows
from pytest_llmeval.loaders.paths import inside
from pytest_llmeval.loaders.source import Dataset

__all__ = ["open_dataset"]


def open_dataset(dataset: object, *, rootdir: Path, test_file: Path) -> Dataset:
    """Return the source of rows that a marker names.

    Args:
        dataset: a path relative to ``rootdir`` or to the test file's folder, a list of dicts, or a callable that
            returns an iterable of dicts.
        rootdir: the project; no path may leave it.
        test_file: the file of the marked test.

    Raises:
        DatasetError: the path leaves the project, names no regular file, or has an unknown suffix.
    """
    if isinstance(dataset, str | os.PathLike):
        path = inside(dataset, rootdir=rootdir, test_file=test_file, error=DatasetError)
        return _open_file(path, shown=Path(os.path.relpath(path, rootdir.resolve())).as_posix(), rootdir=rootdir)
    shown = f"{os.path.relpath(test_file, rootdir)}: dataset"
    if callable(dataset):
        name = getattr(dataset, "__qualname__", "dataset")
        return MemoryRows(f"{shown} {name}()", called_rows(dataset, shown))
    if isinstance(dataset, Iterable) and not isinstance(dataset, bytes | dict):
        return MemoryRows(f"{shown} row", listed_rows(dataset))
    raise DatasetError(f"{shown} must be a path, a list of dicts or a callable, found {one_line(repr(dataset), 60)}")


def _open_file(path: Path, shown: str, *, rootdir: Path) -> Dataset:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        hint = f"a path is relative to the rootdir ({rootdir}) or to the test file"
        raise DatasetError(f"{shown}: {error.strerror or error}; {hint}") from None
    if not stat.S_ISREG(mode):
        raise DatasetError(f"{shown}: not a regular file; a dataset is a .jsonl, .csv, .yaml or .json file")
    match path.suffix.lower():
        case ".jsonl" | ".ndjson":
            return JsonlFile(path, shown)
        case ".csv":
            return CsvFile(path, shown)
        case ".yaml" | ".yml":
            # Imported here because PyYAML takes as long to import as 3,000 rows of JSONL to collect.
            from pytest_llmeval.loaders.yaml_file import yaml_rows

            return MemoryRows(shown, yaml_rows(path, shown))
        case ".json":
            return MemoryRows(shown, json_rows(path, shown))
        case suffix:
            raise DatasetError(f"{shown}: unknown kind of dataset {suffix!r}; use .jsonl, .csv, .yaml or .json")
