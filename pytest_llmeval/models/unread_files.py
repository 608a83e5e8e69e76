"""Find files of models that are not read: only ``models.yaml`` in the rootdir is."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_llmeval.core.errors import ModelError

__all__ = ["MODELS_FILE", "NOT_READ", "refuse_unread", "unread_files"]

MODELS_FILE = "models.yaml"
NOT_READ = f"not read: models go into {MODELS_FILE} of the rootdir"
_OTHER_ENDING = "models.yml"


def refuse_unread(specs: Iterable[str], rootdir: Path) -> None:
    """Raise ModelError if a bare name may come from ``models.yml``, which is not read.

    Without this check the name would go to a server that the user did not mean.

    Args:
        specs: specs as typed.
        rootdir: root of the project.

    Raises:
        ModelError: there is a bare name, and ``models.yml`` but no ``models.yaml``.
    """
    name = next((text for text in specs if ":" not in text), None)
    if name is None or os.path.lexists(rootdir / MODELS_FILE) or not (rootdir / _OTHER_ENDING).exists():
        return
    raise ModelError(
        f"model {name!r} may be one of {_OTHER_ENDING}, which is not read: models go into {MODELS_FILE}; rename the"
        f" file (a model of that name at OpenAI is 'openai:{name}')"
    )


def unread_files(rootdir: Path, folders: Iterable[str]) -> Iterator[str]:
    """Yield the path, relative to the rootdir, of each unread file: ``models.yml``, or either name in ``folders``."""
    others = (Path(folder, name).as_posix() for folder in folders for name in (MODELS_FILE, _OTHER_ENDING))
    for shown in dict.fromkeys((_OTHER_ENDING, *others)):
        path = rootdir / shown
        if path.is_file() and path.resolve() != (rootdir / MODELS_FILE).resolve():
            yield shown
