"""Reading pytest's configuration files without pytest, keeping TOML's types."""

import configparser
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["find_section", "pytest_section"]


def find_section(folder: Path) -> tuple[str, Mapping[str, object]] | None:
    """Return the name and settings of the file that configures pytest in a folder; None if there is none.

    The first file found counts: https://docs.pytest.org/en/stable/reference/customize.html.
    """
    for name in _READERS:
        section = pytest_section(folder / name) if (folder / name).is_file() else None
        if section is not None:
            return name, section
    return None


def pytest_section(path: Path) -> Mapping[str, object] | None:
    """Return the pytest settings in a file; None if it has none or cannot be read."""
    read = _READERS.get(path.name, _any_toml if path.suffix == ".toml" else _ini)
    try:
        return read(path)
    except (OSError, configparser.Error, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None


def _ini(path: Path) -> Mapping[str, object] | None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path, encoding="utf-8")
    title = "tool:pytest" if path.suffix == ".cfg" else "pytest"
    if parser.has_section(title):
        return dict(parser[title])
    return {} if path.name.endswith("pytest.ini") else None  # even an empty pytest.ini counts as configuration


def _pytest_toml(path: Path) -> Mapping[str, object] | None:
    return _table(_toml(path).get("pytest", {}))


def _pyproject(path: Path) -> Mapping[str, object] | None:
    section = _table(_toml(path).get("tool", {}).get("pytest")) or {}
    native = {key: said for key, said in section.items() if key != "ini_options"}
    return native or _table(section.get("ini_options"))  # pytest refuses a file that has both


def _any_toml(path: Path) -> Mapping[str, object] | None:
    """Return the pytest settings of a file that was named with ``-c``."""
    section = _pyproject(path)
    return section if section is not None else _pytest_toml(path)


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def _table(found: object) -> Mapping[str, object] | None:
    return found if isinstance(found, dict) else None


_READERS: Mapping[str, Callable[[Path], Mapping[str, object] | None]] = {
    "pytest.toml": _pytest_toml,
    ".pytest.toml": _pytest_toml,
    "pytest.ini": _ini,
    ".pytest.ini": _ini,
    "pyproject.toml": _pyproject,
    "tox.ini": _ini,
    "setup.cfg": _ini,
}
