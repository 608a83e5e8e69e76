"""The real rows behind the pictures: ``qa.json`` and how it is taken from databases.

    python docs/pictures/real_rows.py .llmeval/llmeval.db ...

``qa.json`` holds ``token_f1`` of each of the 120 rows of the suite ``qa``, answered by the embedded model: once for
each prompt at temperature 0, and four times for the first prompt at temperature 0.7, which is what an unchanged system
looks like whose answers scatter. ``slow`` is the first prompt again with ``--timeout-s 1`` on a busy machine; null is a
row that timed out.

The runs are of ``pytest evals/test_qa.py --run-name NAME``, with ``evals/prompts/qa.v1.yaml`` as it was (``v1``), or
with these changes:

    reworded        "Read the text and answer the question with as few words as possible. Where the text does not tell,
                    answer: not stated" as the instruction
    no-examples     without both worked examples
    one-example     without the second of them
    no-instruction  without the instruction
    no-text         without the text before the last question
    sampled         as it was; --epochs 4, and ``temperature: 0.7, seed: -1`` in the marker
"""

import json
import random
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.core.gate.case import JudgedCase

__all__ = ["METRIC", "SUITE", "RealRows", "as_cases", "load", "two_answers"]

SUITE, METRIC = "qa", "token_f1"
FILE = Path(__file__).with_name("qa.json")
BASE = "v1"
SAMPLED = "sampled"
"""The run with several answers to each row."""
SLOW = "slow"
"""The run in which rows timed out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealRows:
    """What the rows scored."""

    ids: Sequence[str]
    slices: Sequence[Sequence[str]]
    """Of each row, in the order of ``ids``."""
    runs: dict[str, Sequence[float]]
    """The scores of each prompt's run, in the order of ``ids``."""
    sampled: Sequence[Sequence[float]]
    """The scores of each row's answers at temperature 0.7, in the order of ``ids``."""
    slow: Sequence[float | None]
    """The scores of the run with timeouts, None for a row that timed out, in the order of ``ids``."""


def load() -> RealRows:
    """Return what ``qa.json`` holds."""
    told = json.loads(FILE.read_text("utf-8"))
    return RealRows(**told)


def as_cases(
    values: Sequence[float], *, names: Sequence[str] | None = None, slices: Sequence[Sequence[str]] | None = None
) -> list[JudgedCase]:
    """Return a run with one row for each value, as the gate takes it."""
    named = names if names is not None else [f"row-{number:04d}" for number in range(len(values))]
    return [
        JudgedCase(
            suite=SUITE,
            model="smollm2",
            sample_id=name,
            slices=tuple(slices[number]) if slices is not None else (),
            outcome="passed" if value >= 1 else "missed",
            scores={METRIC: value},
            input_digest=name,
        )
        for number, (name, value) in enumerate(zip(named, values, strict=True))
    ]


def two_answers(sampled: Sequence[Sequence[float]], draw: random.Random) -> tuple[list[float], list[float]]:
    """Return two runs of the same unchanged system: of each row two of its answers, in random order."""
    pairs = [draw.sample(answers, 2) for answers in sampled]
    return [first for first, _ in pairs], [second for _, second in pairs]


def main(databases: Sequence[str]) -> None:
    """Write ``qa.json`` from the runs of these databases, which are known by their names."""
    found = [row for database in databases for row in _read(database)]
    slices = {sample_id: json.loads(text) for _, sample_id, text, _ in found}
    scores: dict[str, dict[str, list[float | None]]] = {}
    for run, sample_id, _, value in found:
        scores.setdefault(run, {}).setdefault(sample_id, []).append(None if value is None else round(value, 6))
    ids = sorted(slices)
    columns = {run: [rows[sample_id] for sample_id in ids] for run, rows in scores.items()}
    sampled = columns.pop(SAMPLED)
    single = {run: [value for (value,) in rows] for run, rows in columns.items()}
    slow = single.pop(SLOW)
    told = {"ids": ids, "slices": [slices[sample_id] for sample_id in ids], "sampled": sampled, "slow": slow}
    FILE.write_text(_lines({**told, "runs": single}), encoding="utf-8")


def _read(database: str) -> list[tuple[str, str, str, float | None]]:
    """Return name of the run, id, slices and score of each case, in the order of runs, rows and epochs."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(
            "SELECT runs.name, cases.sample_id, cases.slices, scores.value FROM cases"
            " JOIN runs ON runs.id = cases.run_id LEFT JOIN scores ON scores.case_id = cases.id AND scores.name = ?"
            " WHERE cases.suite = ? ORDER BY runs.started_at, cases.sample_id, cases.epoch",
            (METRIC, SUITE),
        ).fetchall()


def _lines(told: dict[str, object]) -> str:
    """Return JSON with a line for each list, so that a change shows where it is."""
    runs = told.pop("runs")
    assert isinstance(runs, dict)
    parts = [f"{json.dumps(key)}: {_compact(value)}" for key, value in told.items()]
    inner = ",\n  ".join(f"{json.dumps(run)}: {_compact(values)}" for run, values in runs.items())
    return "{\n" + ",\n".join([*parts, f'"runs": {{\n  {inner}\n}}']) + "\n}\n"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    main(sys.argv[1:])
