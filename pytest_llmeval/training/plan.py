"""The files that connect a session with its training process: the plan it is given and the outcome it leaves."""

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
"""How a training process ended: ``refused`` for a mistake of the user, ``unsaved`` if files could not be written,
``pruned`` for a trial that was given up, ``lost`` if another process of the training ended, ``killed`` after SIGKILL or
SIGTERM from outside, ``failed`` for every other fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One training, as far as it is known before anything is loaded."""

    name: str
    """Name of the configuration."""
    id: str
    config: TrainingConfig
    rootdir: Path
    folder: Path
    """Folder for all files of this training; the adapter goes into its subfolder ``adapter``."""
    is_resumed: bool = False
    most_rows: int | None = None
    """Largest number of rows in a micro-batch; None where memory decides."""
    free: int
    """Bytes of memory available to each process on its device; a GPU may have less free once training begins."""
    trial: int | None = None
    """Number of the trial within its search, from 0; its folder is inside the search's. None outside a search."""
    prune_after: int | None = None
    """Number of trials that must finish before any is pruned; None: no trial is pruned."""
    git: Mapping[str, Any] = field(default_factory=dict)
    """``git_commit`` and ``git_dirty`` of the project."""
    pythonpath: Sequence[str] = ()
    """Folders searched for imports of the eval, before those of the environment."""

    @property
    def adapter(self) -> Path:
        """The folder of the adapter; it exists only once the adapter is complete."""
        return self.folder / "adapter"

    @property
    def end_mark(self) -> Path:
        """The file that tells processes that train together to end after the current step."""
        return self.folder / "end"

    @property
    def study(self) -> Path:
        """The file in which the search stores its trials; all trials share it."""
        return (self.folder if self.trial is None else self.folder.parents[1]) / "study.db"

    @property
    def variants(self) -> Path:
        """The dataset of the variants that were trained on."""
        return self.folder / "variants.jsonl"

    @property
    def identity(self) -> Path:
        """The file with the sha256 in hex of everything that decides the result; it exists once training has begun."""
        return self.folder / "identity.json"

    def hold_to(self, identity: Mapping[str, str]) -> None:
        """Compare digests with those that the training began with, and store those that are new.

        Raises:
            SettingsError: a digest differs, so this would be another training.
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
        """Hold this training to the digests in ``identity``, the file of another training of the same search or soup.

        The configuration, and the digests named in ``apart``, may differ.
        """
        known = json.loads(identity.read_text("utf-8"))
        same = {name: value for name, value in known.items() if name not in apart}
        self.hold_to({**same, "config": self.config.digest})

    @property
    def _begun_with(self) -> Path:
        """The file with the configuration whose digest is in ``identity``."""
        return self.folder / "configuration.json"

    def _changed(self, name: str) -> str:
        """Return the name of a changed digest, with the keys of the configuration or the file that it comes from."""
        where = {"train": self.config.data.train, "val": self.config.data.val}.get(name, "")
        if name == "config" and self._begun_with.exists():
            where = changed_keys(json.loads(self._begun_with.read_text("utf-8")), self.config)
        return f"{name} ({where})" if where else name

    def run_json(self) -> dict[str, Any]:
        """Return the record that is saved with the adapter."""
        return dict(json.loads((self.adapter / "run.json").read_text("utf-8")))

    def laid_out(self) -> tuple[int, bool] | None:
        """Return micro-batch and checkpointing of the previous process; None if this is the first one."""
        try:
            found = json.loads((self.folder / "fit.json").read_text("utf-8"))
        except FileNotFoundError:
            return None
        return found["micro_batch"], found["checkpointing"]

    def write(self) -> Path:
        """Write the plan into the training's folder, and return the path."""
        path = self.folder / "plan.json"
        names = ("name", "id", "is_resumed", "most_rows", "free", "trial", "prune_after", "git", "pythonpath")
        data = {name: getattr(self, name) for name in names}
        paths = {"rootdir": str(self.rootdir), "folder": str(self.folder)}
        write_json(path, {**data, **paths, "config": self.config.model_dump(mode="json")})
        return path

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """Return the plan that is stored in a file."""
        data = json.loads(path.read_text("utf-8"))
        rootdir, folder = Path(data.pop("rootdir")), Path(data.pop("folder"))
        config = TrainingConfig.model_validate(data.pop("config"))
        return cls(config=config, rootdir=rootdir, folder=folder, **data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a training process ended."""

    state: State
    message: str = ""
    """Reason, if training did not reach its end; of a finished training, what ended it before its last step."""

    def write(self, folder: Path) -> None:
        """Write the outcome into the folder of the training."""
        write_json(folder / "outcome.json", asdict(self))

    def write_first(self, folder: Path, *, rank: int) -> None:
        """Write the outcome unless another process did so before: what happened to that one is why this one ended.

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
        """Return the outcome that the process left; None if it was killed before it could write one."""
        try:
            return cls(**json.loads((folder / "outcome.json").read_text("utf-8")))
        except FileNotFoundError:
            return None


def write_json(path: Path, data: object) -> None:
    """Write a value as JSON to a file, atomically."""
    write_whole(path, json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically: a reader finds either the old content or the new."""
    with whole_file(path) as file:
        file.write(text.encode())
