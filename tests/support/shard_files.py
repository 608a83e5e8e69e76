"""Files of shards, as machines of their own would leave them."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from pytest_llmeval.core.shards import Shard
from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.records import call, record
from tests.support.stored_runs import END, run

__all__ = ["shard_file", "shard_run"]


def shard_run(shard: str, **fields: Any) -> Run:
    """Return a finished run of one shard of the suite ``qa``, with 2 cases of the model ``m`` unless said otherwise."""
    number, _, of = shard.partition("/")
    settings: dict[str, Any] = {
        "shard": shard,
        "has_rules": False,
        "options": {"shard": shard, "limit": None, "thresholds": "thresholds.yaml", "baseline": None},
        "models": {"m": "openai:m"},
        "suites": {"qa": {"prompt_digest": "p", "code_digest": "c", "expected": {"m": fields.pop("cases", 2)}}},
        "partial": False,
        **fields.pop("settings", {}),
    }
    return run(f"20250102-03040{number}-{int(of):06x}", **{"end": END, "settings": settings, **fields})


def shard_file(folder: Path, shard: str, records: Iterable[CaseRecord] | None = None, **fields: Any) -> Path:
    """Write a file with one run of a shard, of two rows that lie in it unless said otherwise; return its path."""
    part = Shard.parse(shard)
    path = folder / f"machine{part.number}.db"
    made = shard_run(shard, **fields)
    with closing(SqliteStore(path)) as store:
        store.start_run(made)
        for each in records if records is not None else _two(part):
            store.add_case(made.id, each)
        if made.end is not None:
            store.finish_run(made.id, made.end)
    return path


def _two(shard: Shard) -> list[CaseRecord]:
    held = [f"row{number}" for number in range(200) if shard.holds(f"row{number}")]
    return [record(each, calls=(call(),)) for each in held[:2]]
