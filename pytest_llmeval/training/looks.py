"""How far a training has come: what its process writes down at each look, and what its session makes of it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Look", "forget_looks", "read_looks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at held-out rows."""

    step: int
    steps: int
    """That there will be, unless it ends early."""
    metric: str
    value: float
    """Of the metric."""
    loss: float
    """Over the held-out rows."""
    left_s: float
    """Until the last step, where the others take as long as those before it, looks and checkpoints included."""

    def line(self) -> str:
        """Return it in words."""
        left = f"; about {_told(self.left_s)} left" if self.step < self.steps else ""
        return f"step {self.step} of {self.steps}: {self.metric} {self.value:.4g}, loss {self.loss:.4g}{left}"

    def write(self, folder: Path) -> None:
        """Add it to those in the folder of the training.

        Raises:
            OSError: it cannot be written.
        """
        with open(_file(folder), "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(self)) + "\n")


def read_looks(folder: Path, start: int) -> tuple[list[Look], int]:
    """Return the looks that were written since, and where in their file the next one will begin.

    Args:
        folder: of the training.
        start: where the first one begins; 0 for all.
    """
    try:
        with open(_file(folder), "rb") as file:
            file.seek(start)
            whole = file.read().rpartition(b"\n")[0]
    except FileNotFoundError:
        return [], start
    return [Look(**json.loads(line)) for line in whole.splitlines()], start + len(whole) + bool(whole)


def forget_looks(folder: Path) -> None:
    """Take away what an earlier process wrote."""
    _file(folder).unlink(missing_ok=True)


def _file(folder: Path) -> Path:
    return folder / "looks.jsonl"


def _told(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
