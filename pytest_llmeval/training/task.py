"""The eval that a training is for: its prompt and call parameters, read from its module."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.param_levels import bound_of
from pytest_llmeval.core.text import one_line
from pytest_llmeval.loaders.prompts import Prompt, load_prompt

__all__ = ["Task", "load_task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """How an eval asks a model: its suite, prompt and call parameters."""

    suite: str
    prompt: Prompt
    params: Mapping[str, Any]
    """Parameters of its model calls, such as ``max_tokens``."""
    cluster: str | None = None
    """Metadata key whose equal values mark dependent rows; None if rows are independent."""

    @property
    def new_tokens(self) -> int:
        """Largest number of tokens in an answer; 256 if the eval sets no limit."""
        return int(bound_of(self.params) or 256)


def load_task(nodeid: str, rootdir: Path) -> Task:
    """Import the module of an eval and return how the eval asks a model.

    Raises:
        SettingsError: file, function or marker does not exist, or the function is parametrized and makes several
            suites.
        PromptError: the prompt cannot be used.
    """
    name, _, function_name = nodeid.partition("::")
    path = rootdir / name
    if not path.is_file() or not function_name:
        raise SettingsError(f"eval {nodeid!r}: no such function; write FILE::FUNCTION, relative to the rootdir")
    module = _imported(path, rootdir)
    function = getattr(module, function_name, None)
    marker = _marker(function, module)
    if function is None or marker is None:
        what = "no such function" if function is None else "it has no marker llmeval"
        raise SettingsError(f"eval {nodeid!r}: {what}; name a function marked @pytest.mark.llmeval(...)")
    if any(mark.name == "parametrize" for mark in getattr(function, "pytestmark", ())):
        raise SettingsError(
            f"eval {nodeid!r}: with @pytest.mark.parametrize each parameter set is a suite of its own, and one suite"
            " measures a training; name a function without it"
        )
    return Task(
        suite=marker.get("suite") or function_name.removeprefix("test_"),
        prompt=load_prompt(marker.get("prompt"), rootdir=rootdir, test_file=path),
        params=dict(marker.get("params") or {}),
        cluster=marker.get("cluster"),
    )


def _marker(function: Callable[..., Any] | None, module: ModuleType) -> Mapping[str, Any] | None:
    """Return the arguments of the closest ``llmeval`` marker: the function's own, otherwise its module's."""
    of_module = getattr(module, "pytestmark", ())
    marks = [*getattr(function, "pytestmark", ()), *(of_module if isinstance(of_module, list) else (of_module,))]
    return next((mark.kwargs for mark in marks if mark.name == "llmeval"), None)


def _imported(path: Path, rootdir: Path) -> ModuleType:
    """Import a file under a unique name, inside the package it belongs to, and return the module."""
    top, package = _package_of(path)
    name = ".".join((*package, f"llmeval_trained_{digest(str(path))[:12]}"))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    sys.path[:0] = [str(top), str(path.parent), str(rootdir)]  # so that it can import its neighbours, as under pytest
    try:
        if package:
            importlib.import_module(".".join(package))
        sys.modules[name] = module  # dataclasses look up the module of a class there
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's own code
        sys.modules.pop(name, None)
        raise SettingsError(f"{path}: cannot be imported: {one_line(f'{type(error).__name__}: {error}')}") from error
    finally:
        sys.path[:] = before
    return module


def _package_of(path: Path) -> tuple[Path, list[str]]:
    """Return the first folder above a file that is not a package, and the packages below it, like pytest."""
    top, names = path.parent, list[str]()
    while (top / "__init__.py").is_file() and top.name.isidentifier():
        names.insert(0, top.name)
        top = top.parent
    return top, names
