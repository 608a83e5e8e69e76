"""Opening the dataset that an ``llmeval`` marker names."""

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.text import one_line, shown_value
from pytest_llmeval.loaders.csv_file import CsvFile
from pytest_llmeval.loaders.hub_names import PREFIX, HubName, parse_hub_name
from pytest_llmeval.loaders.jsonl_file import JsonlFile
from pytest_llmeval.loaders.memory import MemoryRows, called_rows, json_rows, yaml_rows
from pytest_llmeval.loaders.paths import inside
from pytest_llmeval.loaders.source import Dataset

__all__ = ["open_dataset"]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
"""Start of a URL. Messages never show the rest, which may contain a password or a token."""
_KINDS = ".jsonl, .csv, .yaml, .json or .parquet"


def open_dataset(dataset: object, *, rootdir: Path, test_file: Path, where: str = "") -> Dataset:
    """Return the dataset that a marker names.

    Args:
        dataset: a path relative to ``rootdir`` or to the test file's folder, ``hf:`` with a Hugging Face dataset (see
            hub_names), a list of dicts, or a callable that returns an iterable of dicts.
        rootdir: the root of the project, which no path may leave.
        test_file: the file of the marked test.
        where: the node id of the marked test, which messages show for rows made by code; not needed for a path.

    Raises:
        DatasetError: the path leaves the project, is not a regular file, has an unknown suffix or needs an extra; or
            the Hugging Face dataset cannot be loaded.
    """
    if isinstance(dataset, str) and dataset.startswith(PREFIX):
        return _open_hub(parse_hub_name(dataset), rootdir=rootdir, test_file=test_file)
    if isinstance(dataset, str) and _ADDRESS.match(dataset):
        scheme = dataset.partition(":")[0]
        raise DatasetError(f"dataset: an address ({scheme}:) is not a path; download the file, or pass a callable")
    if isinstance(dataset, str | os.PathLike):
        path = inside(dataset, rootdir=rootdir, test_file=test_file, error=DatasetError)
        return _open_file(path, shown=_as_named(dataset, path, rootdir, test_file), rootdir=rootdir)
    shown = f"{where}: dataset"
    if callable(dataset):
        name = getattr(dataset, "__qualname__", "dataset")
        return MemoryRows(f"{shown} {name}()", called_rows(dataset, shown), by_code=True)
    if isinstance(dataset, Iterable) and not isinstance(dataset, bytes | dict):
        return MemoryRows(f"{shown} row", enumerate(dataset, 1), by_code=True)
    raise DatasetError(f"dataset must be a path, a list of dicts or a callable, found {shown_value(dataset)}")


def _as_named(name: str | os.PathLike[str], path: Path, rootdir: Path, test_file: Path) -> str:
    """Return a path for messages: the link that was named, not the file (in a cache, say) that it points to."""
    for folder in (rootdir, test_file.parent):
        link = Path(os.path.abspath(folder / name))
        if link.exists() and link.is_relative_to(rootdir) and link.resolve() == path:
            return link.relative_to(rootdir).as_posix()
    return Path(os.path.relpath(path, rootdir.resolve())).as_posix()


def _open_file(path: Path, shown: str, *, rootdir: Path) -> Dataset:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        hint = f"a path is relative to the rootdir ({rootdir}) or to the test file"
        raise DatasetError(f"{shown}: {error.strerror or error}; {hint}") from None
    if not stat.S_ISREG(mode):
        raise DatasetError(f"{shown}: not a regular file; a dataset is a {_KINDS} file")
    suffixes = [Path(name).suffix.lower().rstrip(".") for name in (shown, path)]  # Python 3.14 sees a suffix in "rows."
    known = next((each for each in suffixes if each in _OPENERS), None)
    if known is None:
        raise DatasetError(f"{shown}: unknown kind of dataset {suffixes[0]!r}; use {_KINDS}")
    return _OPENERS[known](path, shown)


def _open_json(path: Path, shown: str) -> Dataset:
    return MemoryRows(shown, json_rows(path, shown))


def _open_yaml(path: Path, shown: str) -> Dataset:
    return MemoryRows(shown, yaml_rows(path, shown))


def _open_parquet(path: Path, shown: str) -> Dataset:
    try:
        from pytest_llmeval.loaders.parquet_file import open_parquet
    except ImportError as error:
        raise _no_extra(shown, "parquet", error) from None
    return open_parquet(path, shown)


_OPENERS: Mapping[str, Callable[[Path, str], Dataset]] = {
    ".jsonl": JsonlFile,
    ".ndjson": JsonlFile,
    ".csv": CsvFile,
    ".yaml": _open_yaml,
    ".yml": _open_yaml,
    ".json": _open_json,
    ".parquet": _open_parquet,
}
"""Openers by file suffix. The suffix of a link decides before that of the file it points to."""


def _open_hub(name: HubName, *, rootdir: Path, test_file: Path) -> Dataset:
    folder = inside(name.place, rootdir=rootdir, test_file=test_file, error=DatasetError)
    try:
        from pytest_llmeval.loaders.hub_rows import open_hub
    except ImportError as error:
        raise _no_extra(name.shown, "datasets", error) from None
    return open_hub(name, folder if folder.is_dir() else None)


def _no_extra(shown: str, extra: str, error: ImportError) -> DatasetError:
    return DatasetError(f"{shown}: needs an extra: pip install 'pytest-llmeval[{extra}]' ({one_line(str(error))})")
