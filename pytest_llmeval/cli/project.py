"""The project that a command runs in: root, configuration, database, thresholds, models and secrets."""

import contextlib
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pytest_llmeval.core.errors import ModelError, SettingsError
from pytest_llmeval.core.ini_values import many_texts, one_text
from pytest_llmeval.core.text import shell_words
from pytest_llmeval.loaders.pytest_ini import find_section
from pytest_llmeval.loaders.strict_yaml import load_strict
from pytest_llmeval.models.keys import known_secrets
from pytest_llmeval.models.models_file import named_models
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.redaction import Redactor
from pytest_llmeval.models.specs import without_secrets

__all__ = ["Project", "find_project", "project_models", "project_redactor"]

_DATABASE = ".llmeval/llmeval.db"
_Read = TypeVar("_Read", str, list[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Locations and settings of a project, by the plugin's precedence: environment, ini, default."""

    root: Path
    environ: Mapping[str, str] = field(repr=False)
    ini: Mapping[str, object] = field(default_factory=dict)
    """The ini keys of pytest's configuration."""
    ini_file: str = ""
    """Name of the configuration file."""

    @property
    def database(self) -> Path:
        """Path of the project's database; the file may not exist."""
        return self._path("db", _DATABASE)

    @property
    def thresholds(self) -> Path:
        """Path of the project's rules; the file may not exist."""
        return self._path("thresholds", "thresholds.yaml")

    def _path(self, name: str, default: str) -> Path:
        found = self.value(name) or default
        return self.located(found) if self.environ.get(f"LLMEVAL_{name.upper()}") else self.root / found

    @property
    def run_evals(self) -> str:
        """The shell command that runs all evals."""
        try:
            folders = many_texts(self.ini.get("llmeval_paths", "evals"))
        except ValueError:  # pytest reports the mistake
            folders = ["evals"]
        return shell_words(["pytest", *folders]) or "pytest, with each folder of llmeval_paths"

    def value(self, name: str) -> str | None:
        """Return an option's value from the environment or the ini file; raise SettingsError if it is no text."""
        return self._read(name, one_text)

    def values(self, name: str) -> list[str]:
        """Return the values of an option that may be repeated; raise SettingsError if they are no texts."""
        return self._read(name, many_texts) or []

    def _read(self, name: str, read: Callable[[object], _Read]) -> _Read | None:
        key = f"llmeval_{name}"
        variable = self.environ.get(key.upper())
        said = variable or self.ini.get(key, "")
        try:
            return read(said) if said != "" else None
        except ValueError as error:
            source = f"environment variable {key.upper()}" if variable else f"{self.ini_file}: ini key {key}"
            raise SettingsError(f"{source}: {error}, found {without_secrets(repr(said))}") from None

    def shown(self, path: Path) -> str:
        """Return ``path`` relative to the root if it is inside."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    def db_option(self, database: Path) -> str:
        """Return the option by which a command finds ``database``, with a leading space; empty for the default."""
        return "" if database == self.database else f" --llmeval-db {shlex.quote(self.shown(database))}"

    def database_at(self, given: Path | None) -> Path:
        """Return the given database, or else the project's."""
        return self.database if given is None else self.located(str(given))

    def located(self, name: str) -> Path:
        """Return the path that ``name`` means: as a shell would read it, else below the root, as the plugin does."""
        here = Path.cwd() / name
        return here if os.path.exists(here) else self.root / name


def find_project() -> Project:
    """Return the project of the current folder.

    Its root is found as pytest finds it: the nearest folder, upwards, that configures pytest, else one with a
    pyproject.toml, else one with a setup.py. A folder with a database is a root, too, unless a pyproject.toml is
    nearer.
    """
    start = Path.cwd()
    folders = (start, *start.parents)
    project = None
    for folder in folders:
        found = find_section(folder)
        if found is not None:
            return Project(root=folder, environ=os.environ, ini=found[1], ini_file=found[0])
        if project is None and os.path.exists(folder / "pyproject.toml"):
            project = folder
        # A database in a folder without access is not ours.
        if project is None and os.path.exists(folder / _DATABASE):
            return Project(root=folder, environ=os.environ)
    if project is None:
        project = next((folder for folder in folders if os.path.exists(folder / "setup.py")), start)
    return Project(root=project, environ=os.environ)


def project_models(project: Project) -> dict[str, NamedModel]:
    """Return the models of the project's models.yaml by name; empty if there is no such file."""
    path = project.root / "models.yaml"
    if not os.path.lexists(path):  # a dangling link is a mistake that is reported
        return {}
    return named_models(load_strict(path, error=ModelError, shown_as=path.name))


def project_redactor(project: Project) -> Redactor:
    """Return a redactor for the secrets known in this project."""
    models: Mapping[str, NamedModel] = {}
    with contextlib.suppress(ModelError):  # runs can be viewed despite a mistake in models.yaml
        models = project_models(project)
    return Redactor(known_secrets(project.environ, models.values()))
