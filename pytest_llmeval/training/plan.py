"""What the process that trains is told, and what it says at its end: two files in the folder of a training."""

import contextlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.store.whole_file import whole_file
from pytest_llmeval.training.changes import changed_keys
from pytest_llmeval.training.config import TrainingConfig

__all__ = ["Outcome", "Plan", "State", "write_json", "write_whole"]

State = Literal["trained", "interrupted", "failed", "refused", "out_of_memory", "unsaved", "pruned", "lost", "killed"]
"""``refused`` is a mistake of the user's, ``unsaved`` what could not be written, ``pruned`` a trial that was given up,
``lost`` the end of another process, ``killed`` the end by somebody else's SIGKILL or SIGTERM; ``failed`` is everything
else."""


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
    """Bytes of memory that there are for each process on its device; of a GPU less may be free when it begins."""
    trial: int | None = None
    """Which one of the search this is a trial of, from 0; its folder lies in that of the search."""
    prune_after: int | None = None
    """Trials that come to their end before one is given up; None: none is."""
    git: Mapping[str, Any] = field(default_factory=dict)
    """``git_commit`` and ``git_dirty`` of the project."""
    pythonpath: Sequence[str] = ()
    """Folders that the eval is imported from beside those of the environment, before them."""

    @property
    def adapter(self) -> Path:
        """Where the adapter will be: as a whole, or not at all."""
        return self.folder / "adapter"

    @property
    def end_mark(self) -> Path:
        """Once this file is there, processes that train together end after the step."""
        return self.folder / "end"

    @property
    def study(self) -> Path:
        """The file in which the search keeps its trials."""
        return (self.folder if self.trial is None else self.folder.parents[1]) / "study.db"

    @property
    def variants(self) -> Path:
        """A dataset of those rows that were made of others."""
        return self.folder / "variants.jsonl"

    @property
    def identity(self) -> Path:
        """The file with the sha256 in hex of each thing that decides what comes out; once there, it has begun."""
        return self.folder / "identity.json"

    def hold_to(self, identity: Mapping[str, str]) -> None:
        """Compare the digests with those that a training was begun with; keep them where it has none of their names.

        Raises:
            SettingsError: it is another training than it was.
        """
        before = json.loads(self.identity.read_text("utf-8")) if self.identity.exists() else {}
        changed = sorted(name for name in before.keys() & identity.keys() if before[name] != identity[name])
        if changed:
            raise SettingsError(
                f"the training in {self.folder} cannot go on, as these changed since:"
                f" {', '.join(map(self._changed, changed))}; take the changes back, or train anew without"
                " --llmeval-train-resume"
            )
        if "config" in identity.keys() - before.keys():
            write_json(self._begun_with, self.config.model_dump(mode="json"))
        if identity.keys() - before.keys():
            write_json(self.identity, {**before, **identity})

    def hold_beside(self, identity: Path, *, apart: Collection[str] = ()) -> None:
        """Keep it to ``identity`` of another one of its search or soup, but for configuration and what is ``apart``."""
        known = json.loads(identity.read_text("utf-8"))
        same = {name: value for name, value in known.items() if name not in apart}
        self.hold_to({**same, "config": self.config.digest})

    @property
    def _begun_with(self) -> Path:
        """The configuration whose digest is in ``identity``."""
        return self.folder / "configuration.json"

    def _changed(self, name: str) -> str:
        """Return what has changed, with which keys of the configuration or which file."""
        where = {"train": self.config.data.train, "val": self.config.data.val}.get(name, "")
        if name == "config" and self._begun_with.exists():
            where = changed_keys(json.loads(self._begun_with.read_text("utf-8")), self.config)
        return f"{name} ({where})" if where else name

    def run_json(self) -> dict[str, Any]:
        """Return what is recorded beside the adapter."""
        return dict(json.loads((self.adapter / "run.json").read_text("utf-8")))

    def laid_out(self) -> tuple[int, bool] | None:
        """Return micro-batch and checkpointing of the process before; None where none came so far."""
        try:
            found = json.loads((self.folder / "fit.json").read_text("utf-8"))
        except FileNotFoundError:
            return None
        return found["micro_batch"], found["checkpointing"]

    def write(self) -> Path:
        """Write the plan into the folder; return the file."""
        path = self.folder / "plan.json"
        names = ("name", "id", "is_resumed", "most_rows", "free", "trial", "prune_after", "git", "pythonpath")
        data = {name: getattr(self, name) for name in names}
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
    """Why, where it did not train to the end; of one that did, what ended it before its last step."""

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
    """Write what JSON can say into a file, as a whole."""
    write_whole(path, json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file as a whole: who reads it finds the old one or the new one."""
    with whole_file(path) as file:
        file.write(text.encode())
