"""The project that the command is run in: its root, its database, its thresholds."""

import configparser
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Project", "find_project"]

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
        return self._located("db", _DATABASE)

    @property
    def thresholds(self) -> Path:
        """The rules of the project; the file may not exist."""
        return self._located("thresholds", "thresholds.yaml")

    def value(self, name: str) -> str | None:
        """Return what the environment or the ini file says of an option."""
        return self.environ.get(f"LLMEVAL_{name.upper()}") or self.ini.get(f"llmeval_{name}")

    def shown(self, path: Path) -> str:
        """Return ``path`` relative to the root where it lies in it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    def _located(self, name: str, default: str) -> Path:
        value = self.value(name) or default
        here = Path.cwd() / value
        return here if here.exists() else self.root / value


def find_project(environ: Mapping[str, str] = os.environ) -> Project:
    """Return the project of the current folder: the nearest folder above that configures pytest or holds a database."""
    start = Path.cwd()
    for folder in (start, *start.parents):
        ini = _pytest_ini(folder)
        if ini is not None or (folder / _DATABASE).exists():
            return Project(root=folder, environ=environ, ini=ini or {})
    return Project(root=start, environ=environ)


def _pytest_ini(folder: Path) -> Mapping[str, str] | None:
    """Return the keys ``llmeval_*`` of the folder's pytest configuration; None where it has none."""
    for found in _sections(folder):
        return {key: str(value) for key, value in found.items() if key.startswith("llmeval_")}
    return None


def _sections(folder: Path) -> Iterator[Mapping[str, object]]:
    for name in ("pytest.toml", ".pytest.toml", "pyproject.toml"):
        section = _toml(folder / name)
        if section is not None:
            yield section
    for name, title in (
        ("pytest.ini", "pytest"),
        (".pytest.ini", "pytest"),
        ("tox.ini", "pytest"),
        ("setup.cfg", "tool:pytest"),
    ):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(folder / name, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        if parser.has_section(title):
            yield dict(parser[title])


def _toml(path: Path) -> Mapping[str, object] | None:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None
    if path.name != "pyproject.toml":
        section = data.get("pytest")
    else:
        section = data.get("tool", {}).get("pytest")
        section = section.get("ini_options", section) if isinstance(section, dict) else section
    return section if isinstance(section, dict) else None
