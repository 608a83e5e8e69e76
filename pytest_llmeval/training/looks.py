"""Progress of a training: its process writes a line at each look, and its session reads it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Look", "forget_looks", "read_looks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The results of one look at held-out rows."""

    step: int
    steps: int
    """Number of steps in the whole training, unless it ends early."""
    metric: str
    value: float
    """Value of the metric."""
    loss: float
    """Loss over the held-out rows."""
    left_s: float
    """Estimated seconds until the last step, at the mean pace so far, looks and checkpoints included."""

    def line(self) -> str:
        """Return the look in words."""
        left = f"; about {_told(self.left_s)} left" if self.step < self.steps else ""
        return f"step {self.step} of {self.steps}: {self.metric} {self.value:.4g}, loss {self.loss:.4g}{left}"

    def write(self, folder: Path) -> None:
        """Append the look to the file in the training's folder.

        Raises:
            OSError: the file cannot be written.
        """
        with open(_file(folder), "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(self)) + "\n")


def read_looks(folder: Path, start: int) -> tuple[list[Look], int]:
    """Return the looks that were written after ``start``, and the position in the file where the next one will begin.

    Args:
        folder: of the training.
        start: position in bytes from which to read; 0 for all looks.
    """
    try:
        with open(_file(folder), "rb") as file:
            file.seek(start)
            whole = file.read().rpartition(b"\n")[0]
    except FileNotFoundError:
        return [], start
    return [Look(**json.loads(line)) for line in whole.splitlines()], start + len(whole) + bool(whole)


def forget_looks(folder: Path) -> None:
    """Remove the looks of an earlier process."""
    _file(folder).unlink(missing_ok=True)


def _file(folder: Path) -> Path:
    return folder / "looks.jsonl"


def _told(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
