"""Folders that pytest ignores when it comes across them, but not when it starts from them."""

import fnmatch
from collections.abc import Generator
from pathlib import Path
from types import ModuleType

import pytest

__all__ = ["IgnoredPaths", "is_ignored"]


class IgnoredPaths:
    """Notes the paths that ``--ignore``, ``collect_ignore`` and the like leave out."""

    def __init__(self, ignored: list[Path]) -> None:
        self._ignored = ignored

    @pytest.hookimpl(wrapper=True)
    def pytest_ignore_collect(self, collection_path: Path) -> Generator[None, bool | None, bool | None]:
        """Note a path that an option, a plugin or a conftest leaves out."""
        if is_ignored := (yield):
            self._ignored.append(collection_path)
        return is_ignored


def is_ignored(folder: Path, config: pytest.Config) -> bool:
    """Whether an option, a plugin or a conftest makes pytest ignore a folder, or a parent of it."""
    parents = [each for each in folder.parents if config.rootpath in each.parents]
    return any(_is_passed_over(each, config) for each in (folder, *parents))


def _is_passed_over(folder: Path, config: pytest.Config) -> bool:
    conftests = {Path(str(each.__file__)).parent: each for each in _conftests(config)}
    elsewhere = [module for place, module in conftests.items() if place not in folder.parents]
    ask = config.pluginmanager.subset_hook_caller("pytest_ignore_collect", elsewhere)
    if ask(collection_path=folder, config=config):
        return True
    above = [(place, conftests[place]) for place in folder.parents if place in conftests]
    return folder in _listed("collect_ignore", above) or any(
        fnmatch.fnmatch(str(folder), str(pattern)) for pattern in _listed("collect_ignore_glob", above)
    )


def _conftests(config: pytest.Config) -> list[ModuleType]:
    plugins = config.pluginmanager.get_plugins()
    return [each for each in plugins if Path(getattr(each, "__file__", None) or "").name == "conftest.py"]


def _listed(name: str, above: list[tuple[Path, ModuleType]]) -> list[Path]:
    """Return the paths in a variable of the closest conftest that defines it; pytest reads no other."""
    found = [[place / each for each in getattr(module, name)] for place, module in above if hasattr(module, name)]
    return found[0] if found else []
