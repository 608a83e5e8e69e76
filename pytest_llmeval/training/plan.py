"""What the process that trains is told, and what it says at its end: two files in the folder of a training."""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pytest_llmeval.training.config import TrainingConfig

__all__ = ["Outcome", "Plan", "State", "write_json"]

State = Literal["trained", "interrupted", "failed", "refused", "out_of_memory", "lost"]
"""``refused`` is a mistake of the user's, ``lost`` the end of another process, ``failed`` is everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One training, as far as it is known before anything is loaded."""

    name: str
    """Of the configuration."""
    id: str
    config: TrainingConfig
    rootdir: Path
    folder: Path
    """For everything of this training; the adapter will be its ``adapter``."""
    is_resumed: bool = False
    most_rows: int | None = None
    """No micro-batch has more rows; None where memory decides."""
    free: int
    """Bytes of memory that there are for each process on its device."""
    git: Mapping[str, Any] = field(default_factory=dict)
    """``git_commit`` and ``git_dirty`` of the project."""

    @property
    def adapter(self) -> Path:
        """Where the adapter will be: as a whole, or not at all."""
        return self.folder / "adapter"

    @property
    def end_mark(self) -> Path:
        """Once this file is there, processes that train together end after the step."""
        return self.folder / "end"

    def write(self) -> Path:
        """Write the plan into the folder; return the file."""
        path = self.folder / "plan.json"
        data = {name: getattr(self, name) for name in ("name", "id", "is_resumed", "most_rows", "free", "git")}
        paths = {"rootdir": str(self.rootdir), "folder": str(self.folder)}
        write_json(path, {**data, **paths, "config": self.config.model_dump(mode="json")})
        return path

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """Return the plan of a file."""
        data = json.loads(path.read_text("utf-8"))
        rootdir, folder = Path(data.pop("rootdir")), Path(data.pop("folder"))
        config = TrainingConfig.model_validate(data.pop("config"))
        return cls(config=config, rootdir=rootdir, folder=folder, **data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the process ended."""

    state: State
    message: str = ""
    """Why, where it did not train to the end."""

    def write(self, folder: Path) -> None:
        """Write it into the folder of the training."""
        write_json(folder / "outcome.json", asdict(self))

    def write_first(self, folder: Path, *, rank: int) -> None:
        """Write it unless another of several processes was faster: what happened to that one is why this one ended.

        Args:
            folder: of the training.
            rank: of this process, from 0.
        """
        scratch = folder / f".outcome.{rank}"
        write_json(scratch, asdict(self))
        with contextlib.suppress(FileExistsError):
            os.link(scratch, folder / "outcome.json")
        scratch.unlink()

    @classmethod
    def read(cls, folder: Path) -> "Outcome | None":
        """Return what the process said; None where it was killed before."""
        try:
            return cls(**json.loads((folder / "outcome.json").read_text("utf-8")))
        except FileNotFoundError:
            return None


def write_json(path: Path, data: object) -> None:
    """Write a file as a whole: who reads it finds the old one or the new one."""
    scratch = path.with_name(f".{path.name}.tmp")
    with open(scratch, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=2, ensure_ascii=False, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(scratch, path)
