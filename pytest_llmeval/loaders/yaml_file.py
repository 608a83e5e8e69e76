"""YAML datasets: one list of rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.loaders.strict_yaml import Limits, load_strict

__all__ = ["yaml_rows"]

_EMPTY = "empty dataset; it needs at least one row with the key 'input'"
_YAML_LIMITS = Limits(max_bytes=64 << 20, max_values=20_000_000)


def yaml_rows(path: Path, shown: str) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a YAML file, which holds a list of them, with their lines."""
    document = load_strict(path, error=DatasetError, shown_as=shown, limits=_YAML_LIMITS, if_empty=_EMPTY)
    if not isinstance(document.data, list):
        raise DatasetError(f"{shown}: a YAML dataset is a list of rows, found {type(document.data).__name__}")
    for index, row in enumerate(document.data):
        yield document.line_of((index,)) or 0, row
