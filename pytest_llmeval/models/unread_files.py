"""Files of models that nobody reads: ``models.yaml`` counts under that name, in the rootdir."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_llmeval.core.errors import ModelError

__all__ = ["MODELS_FILE", "NOT_READ", "refuse_unread", "unread_files"]

MODELS_FILE = "models.yaml"
NOT_READ = f"not read: models stand in {MODELS_FILE} of the rootdir"
_OTHER_ENDING = "models.yml"


def refuse_unread(specs: Iterable[str], rootdir: Path) -> None:
    """Do nothing unless a name alone may be one of a file that is not read: a server would be asked that none meant.

    Args:
        specs: as typed.
        rootdir: the project.

    Raises:
        ModelError: it may.
    """
    name = next((text for text in specs if ":" not in text), None)
    if name is None or os.path.lexists(rootdir / MODELS_FILE) or not (rootdir / _OTHER_ENDING).exists():
        return
    raise ModelError(
        f"model {name!r} may be one of {_OTHER_ENDING}, which is not read: models stand in {MODELS_FILE}; rename the"
        f" file (a model of that name at OpenAI is 'openai:{name}')"
    )


def unread_files(rootdir: Path, folders: Iterable[str]) -> Iterator[str]:
    """Yield each file of models that is not read, below the rootdir: of another ending, or in one of ``folders``."""
    others = (Path(folder, name).as_posix() for folder in folders for name in (MODELS_FILE, _OTHER_ENDING))
    for shown in dict.fromkeys((_OTHER_ENDING, *others)):
        path = rootdir / shown
        if path.is_file() and path.resolve() != (rootdir / MODELS_FILE).resolve():
            yield shown
