"""Checks that the eval, datasets and base named by a configuration exist, without importing anything."""

import ast
from collections.abc import Iterator
from pathlib import Path

from pytest_llmeval.core.document import KeyPath
from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.home import at_home
from pytest_llmeval.core.names import closest, did_you_mean
from pytest_llmeval.core.syntax import parsed
from pytest_llmeval.core.text import one_line, shown_yaml
from pytest_llmeval.loaders.hub_names import PREFIX
from pytest_llmeval.loaders.paths import inside
from pytest_llmeval.training.config import TrainingConfig

__all__ = ["wrong_references"]

_MAKING_NAMES = frozenset({"globals", "vars", "setattr", "exec", "eval", "__getattr__"})
"""Names whose use means that a module may define any name at runtime."""


def wrong_references(config: TrainingConfig, rootdir: Path) -> Iterator[tuple[KeyPath, str]]:
    """Yield each key that names something that does not exist, and what to write.

    A base that may be an id of the hub is left to the training, which looks into the cache.
    """
    told = _wrong_eval(config.eval, rootdir)
    if told is not None:
        yield ("eval",), f"found {shown_yaml(config.eval)}: {told}"
    named: dict[object, str] = {}
    for split in ("train", "val", "test"):
        name = getattr(config.data, split)
        told = _wrong_dataset(name, rootdir)
        other = named.setdefault(name if name.startswith(PREFIX) else (rootdir / name).resolve(), split)
        if told is None and other != split:
            told = f"data.{other} has the same rows; name a dataset of other rows"
        if told is not None:
            yield ("data", split), f"found {shown_yaml(name)}: {told}"
    if _is_path(config.base) and not any(path.exists() for path in (rootdir / config.base, at_home(config.base))):
        yield ("base",), f"found {shown_yaml(config.base)}: no such folder; relative paths begin at the rootdir"


def _wrong_eval(nodeid: str, rootdir: Path) -> str | None:
    name, _, function = nodeid.partition("::")
    path = rootdir / name
    if not function:
        return "it names no function; write FILE::FUNCTION, relative to the rootdir"
    if not path.is_file():
        near = closest(path.name, [each.name for each in path.parent.glob("*.py")]) if path.parent.is_dir() else None
        return f"no such file; {f'did you mean {near!r}?' if near else 'it is relative to the rootdir'}"
    try:
        tree = parsed(path.read_bytes())
    except OSError:
        tree = None
    known = _names(tree) if tree is not None else None  # the import reports what is wrong
    if known is None or function in known:
        return None
    tests = [each for each in known if each.startswith("test")]
    return f"no such function in {name}; {did_you_mean(function, tests, otherwise='write FILE::FUNCTION')}"


def _names(tree: ast.Module) -> set[str] | None:
    """Return the names that a module may define or import; None if its source does not tell."""
    found = set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=alias):
                found.add(alias or name)
            case ast.Name(id=name):
                found.add(name)
    return None if "*" in found or found & _MAKING_NAMES else found


def _wrong_dataset(name: str, rootdir: Path) -> str | None:
    if name.startswith(PREFIX):
        return None
    try:
        path = inside(name, rootdir=rootdir, test_file=rootdir / "conftest.py", error=DatasetError)
        is_there = path.exists()
    except (DatasetError, OSError) as error:
        return one_line(str(error))
    return None if is_there else "no such file; a path is relative to the rootdir"


def _is_path(base: str) -> bool:
    """Whether a base cannot be an id of the hub."""
    return base.startswith(("/", ".", "~")) or base.count("/") > 1 or "\\" in base or base.endswith(".gguf")
