"""The project that the command is run in: its root, its database, its thresholds, its models and their keys."""

import configparser
import contextlib
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.loaders.strict_yaml import load_strict
from pytest_llmeval.models.keys import known_secrets
from pytest_llmeval.models.models_file import named_models
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.redaction import Redactor

__all__ = ["Project", "find_project", "project_models", "project_redactor"]

_DATABASE = ".llmeval/llmeval.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Where things are, by the rules that the plugin follows: environment before ini before default."""

    root: Path
    environ: Mapping[str, str] = field(repr=False)
    ini: Mapping[str, str] = field(default_factory=dict)
    """The keys ``llmeval_*`` of pytest's configuration."""

    @property
    def database(self) -> Path:
        """The database of the project; it may not exist."""
        return self.located(self.value("db") or _DATABASE)

    @property
    def thresholds(self) -> Path:
        """The rules of the project; the file may not exist."""
        return self.located(self.value("thresholds") or "thresholds.yaml")

    def value(self, name: str) -> str | None:
        """Return what the environment or the ini file says of an option."""
        return self.environ.get(f"LLMEVAL_{name.upper()}") or self.ini.get(f"llmeval_{name}")

    def shown(self, path: Path) -> str:
        """Return ``path`` relative to the root where it lies in it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    def located(self, name: str) -> Path:
        """Return the path that ``name`` means: as a shell would read it, else below the root, as the plugin does."""
        here = Path.cwd() / name
        return here if os.path.exists(here) else self.root / name


def find_project(environ: Mapping[str, str] = os.environ) -> Project:
    """Return the project of the current folder.

    Its root is the nearest folder above that configures pytest or holds a database, else one with a pyproject.toml.
    """
    start = Path.cwd()
    folders = (start, *start.parents)
    for folder in folders:
        ini = _pytest_ini(folder)
        if ini is not None or (folder / _DATABASE).exists():
            return Project(root=folder, environ=environ, ini=ini or {})
    root = next((folder for folder in folders if (folder / "pyproject.toml").is_file()), start)
    return Project(root=root, environ=environ)


def project_models(project: Project) -> dict[str, NamedModel]:
    """Return the models of the project's models.yaml by name; none where it has no such file."""
    path = project.root / "models.yaml"
    if not path.exists():
        return {}
    document = load_strict(path, error=ModelError, shown_as=path.name)
    return named_models(document.data, path.name, document.line_of)


def project_redactor(project: Project) -> Redactor:
    """Return what takes the secrets out of a text that are known here."""
    models: Mapping[str, NamedModel] = {}
    with contextlib.suppress(ModelError):  # a mistake in models.yaml keeps nobody from looking at runs
        models = project_models(project)
    return Redactor(known_secrets(project.environ, models.values()))


def _pytest_ini(folder: Path) -> Mapping[str, str] | None:
    """Return the keys ``llmeval_*`` of the folder's pytest configuration; None where it has none."""
    for found in _sections(folder):
        return {key: str(value) for key, value in found.items() if key.startswith("llmeval_")}
    return None


def _sections(folder: Path) -> Iterator[Mapping[str, object]]:
    """Yield what configures pytest, in its own order: https://docs.pytest.org/en/stable/reference/customize.html."""
    for name, read in _FILES.items():
        section = read(folder / name) if (folder / name).is_file() else None
        if section is not None:
            yield section


def _ini(path: Path) -> Mapping[str, object] | None:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (OSError, configparser.Error, UnicodeDecodeError):
        return None
    title = "tool:pytest" if path.name == "setup.cfg" else "pytest"
    if parser.has_section(title):
        return dict(parser[title])
    return {} if path.name.endswith("pytest.ini") else None  # even an empty one is the project's configuration


def _toml(path: Path) -> Mapping[str, object] | None:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None
    if path.name != "pyproject.toml":
        section = data.get("pytest", {})
    else:
        section = data.get("tool", {}).get("pytest")
        section = section.get("ini_options", section) if isinstance(section, dict) else section
    return section if isinstance(section, dict) else None


_FILES: Mapping[str, Callable[[Path], Mapping[str, object] | None]] = {
    "pytest.toml": _toml,
    ".pytest.toml": _toml,
    "pytest.ini": _ini,
    ".pytest.ini": _ini,
    "pyproject.toml": _toml,
    "tox.ini": _ini,
    "setup.cfg": _ini,
}
