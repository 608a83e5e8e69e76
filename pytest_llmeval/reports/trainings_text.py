"""Plain text of trainings: a table of all, or one with its result, its course and the evidence of its gain."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmeval.core.text import one_line, printable
from pytest_llmeval.reports.numbers import number, signed
from pytest_llmeval.reports.table import Column, table_lines
from pytest_llmeval.reports.text_width import wrapped
from pytest_llmeval.store.trainings import Training

__all__ = ["training_lines", "trainings_table"]

_INDENT = "  "
_STARTED = "started"
_MINUTES = len("2026-01-02T03:04")
_COLUMNS: tuple[Column, ...] = (
    ("training", "fixed"),
    ("name", "left"),
    ("status", "fixed"),
    ("verdict", "fixed"),
    (_STARTED, "fixed"),
)


def trainings_table(trainings: Sequence[Training], *, width: int) -> list[str]:
    """Return a table of trainings with the gain on each held-out split; if it is too wide, the times are dropped.

    Args:
        trainings: the trainings, in the order of the lines.
        width: the largest number of columns in a line.
    """
    gains = [{_text(each, "split"): _float(each, "delta") for each in _proved(training)} for training in trainings]
    splits = list(dict.fromkeys(split for each in gains for split in each))
    columns = [*_COLUMNS, *((f"{split} gain", "right") for split in splits)]
    rows = [
        [
            one_line(training.id),
            one_line(training.name, 40),
            training.status,
            training.verdict,
            one_line(training.started_at[:_MINUTES].replace("T", " ")),
            *(_change(gain.get(split)) for split in splits),
        ]
        for training, gain in zip(trainings, gains, strict=True)
    ]
    return table_lines(columns, rows, width=width, spare=[_STARTED])


def training_lines(training: Training, *, width: int, adapter: str | None) -> list[str]:
    """Return the lines on one training, wrapped at ``width``, with paths kept whole.

    Args:
        training: the training.
        width: the largest number of columns in a line.
        adapter: the display path of its adapter folder; None if there is none.
    """
    parts = [
        f"training {training.id} ({one_line(training.name, 60)}): {training.status}, verdict {training.verdict}",
        f"began {training.started_at}" + (f", ended {training.finished_at}" if training.finished_at else ""),
        f"base: {one_line(training.base)}",
        f"adapter: {one_line(adapter) if adapter else 'none'}",
        *_pace(training),
        *(f"reason: {line}" if place == 0 else f"{_INDENT}{line}" for place, line in enumerate(_reason(training))),
    ]
    lines = [line for each in parts for line in wrapped(each, width, whole_words=True)]
    for each in _proved(training):
        lines += [line for part in _gain(each) for line in wrapped(part, width, whole_words=True)]
    return lines


def _pace(training: Training) -> Iterator[str]:
    """Yield one line with steps, speed and memory, as far as they are known."""
    best = f", the best {training.best_step:,}" if training.best_step is not None else ""
    parts = [
        f"{training.steps:,} steps{best}" if training.steps is not None else "",
        f"{training.tokens_per_s:,.0f} tokens/s" if training.tokens_per_s is not None else "",
        f"{training.peak_memory_bytes / 2**30:.1f} GiB at its peak" if training.peak_memory_bytes is not None else "",
    ]
    if any(parts):
        yield "; ".join(filter(None, parts))


def _reason(training: Training) -> list[str]:
    return [line.strip() for line in printable(training.reason or "").splitlines() if line.strip()]


def _gain(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield the result of one split of the proof, and the command that compares its runs."""
    split, metric = _text(entry, "split"), _text(entry, "metric")
    before, after, margin = (_value(_float(entry, key)) for key in ("before", "after", "margin"))
    rows = f" over {entry['n']:,} rows" if isinstance(entry.get("n"), int) else ""
    yield f"{split}: {metric} {before} -> {after}{rows} (margin {margin}): {_text(entry, 'verdict')}"
    base, adapter = _text(entry, "base_run"), _text(entry, "adapter_run")
    if base and adapter:
        yield f"rows: llmeval compare {base} {adapter}"


def _proved(training: Training) -> list[Mapping[str, Any]]:
    """Return the splits of the proof that were evaluated."""
    return [each for each in training.proof or () if isinstance(each, Mapping)]


def _text(entry: Mapping[str, Any], key: str) -> str:
    return one_line(str(entry.get(key) or ""), 60)


def _float(entry: Mapping[str, Any], key: str) -> float | None:
    found = entry.get(key)
    return found if isinstance(found, int | float) else None


def _value(value: float | None) -> str:
    return "?" if value is None else number(value)


def _change(value: float | None) -> str:
    return "" if value is None else signed(value)
