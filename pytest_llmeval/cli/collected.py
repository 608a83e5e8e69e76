"""Checks whether pytest will collect the first eval, which the project's naming patterns may exclude."""

import fnmatch
from collections.abc import Iterator
from pathlib import Path

from pytest_llmeval.cli.project import Project
from pytest_llmeval.core.ini_values import many_texts
from pytest_llmeval.core.text import one_line, shell_words

__all__ = ["uncollected"]

_FILES = ["test_*.py", "*_test.py"]
_FUNCTIONS = ["test"]


def uncollected(project: Project, path: Path, function: str) -> Iterator[str]:
    """Yield the configured patterns that keep pytest from collecting a function of a file, each with a name that fits.

    Args:
        project: the project.
        path: the file.
        function: the function's name, ``test_NAME``.
    """
    name = function.removeprefix("test_")
    patterns = _said(project, "python_files", _FILES)
    if not any(_takes_file(pattern, path) for pattern in patterns):
        fit = [each for each in (pattern.replace("*", name, 1) for pattern in patterns) if _is_plain(each)]
        yield _told(project, "python_files", patterns, path.name, fit, "")
    prefixes = _said(project, "python_functions", _FUNCTIONS)
    if not any(_takes_function(prefix, function) for prefix in prefixes):
        named = [each.replace("*", name, 1) if "*" in each else f"{each.rstrip('_')}_{name}" for each in prefixes]
        fit = [each for each in named if each.isidentifier()]
        yield _told(project, "python_functions", prefixes, function, fit, f', and give its marker suite="{name}"')


def _said(project: Project, key: str, default: list[str]) -> list[str]:
    """Return the patterns of an ini key; pytest's default if it is missing or unreadable."""
    try:
        return many_texts(project.ini[key]) if key in project.ini else default
    except ValueError:  # pytest reports the mistake
        return default


def _takes_file(pattern: str, path: Path) -> bool:
    """Whether a pattern of ``python_files`` matches a file, by pytest's rules: one with a slash is for the path."""
    if "/" not in pattern:
        return fnmatch.fnmatch(path.name, pattern)
    return fnmatch.fnmatch(str(path), pattern if pattern.startswith("/") else f"*/{pattern}")


def _takes_function(prefix: str, name: str) -> bool:
    return name.startswith(prefix) or ("*" in prefix and fnmatch.fnmatch(name, prefix))


def _is_plain(name: str) -> bool:
    return name.endswith(".py") and not set("*?[]/") & set(name)


def _told(project: Project, key: str, patterns: list[str], name: str, fit: list[str], beside: str) -> str:
    said = one_line(shell_words(patterns) or "nothing", 60)
    as_what = f", {one_line(fit[0], 60)} for example" if fit else ""
    return f"{key} of {project.ini_file} ({said}) leaves {name} out: rename it{as_what}{beside}"
