"""Parsing of the ``hf:`` datasets in markers: ``hf:ID_OR_PATH?split=test&config=C&revision=R``, and columns by row key.

``&input=question&target=answer`` maps columns to row keys. Several columns, separated by commas, become an object;
``metadata`` is always an object. Without a mapping, the columns themselves must be row keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.loaders.rows import ROW_KEYS

__all__ = ["PREFIX", "HubName", "parse_hub_name"]

PREFIX = "hf:"
_KEYS = ("split", "config", "revision", *ROW_KEYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubName:
    """One split of one Hugging Face dataset."""

    shown: str
    """The text of the marker, for messages."""
    place: str
    """Dataset id on the hub, or a folder written by ``save_to_disk``."""
    split: str | None
    config: str | None
    revision: str | None
    """Branch, tag or commit."""
    columns: Mapping[str, tuple[str, ...]]
    """Columns by row key; empty where the marker maps none."""


def parse_hub_name(text: str) -> HubName:
    """Return the parsed form of ``text``, which begins with PREFIX.

    Raises:
        DatasetError: it names no dataset, or its query has an unknown, repeated or empty key.
    """
    place, _, query = text.removeprefix(PREFIX).partition("?")
    if not place or place.startswith("//"):
        raise DatasetError(f"{text}: names no dataset; write hf:ORG/NAME?split=test or hf:FOLDER?split=test")
    given: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS, f"it takes {', '.join(_KEYS)}")
            raise DatasetError(f"{text}: unknown key {key!r}; {hint}")
        if key in given or not value:
            raise DatasetError(f"{text}: key {key!r} {'appears twice' if key in given else 'has no value'}")
        given[key] = value
    columns = {key: tuple(given[key].split(",")) for key in ROW_KEYS if key in given}
    if columns and "input" not in columns:
        raise DatasetError(f"{text}: names columns, but none for 'input'; add &input=COLUMN")
    return HubName(
        shown=text,
        place=place,
        split=given.get("split"),
        config=given.get("config"),
        revision=given.get("revision"),
        columns=columns,
    )
