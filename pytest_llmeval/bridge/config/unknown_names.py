"""Finds keys and variables that look like ours and have no effect: a misspelt limit limits nothing."""

from collections.abc import Iterable, Iterator, Mapping

import pytest

from pytest_llmeval.bridge.config.options import OPTIONS, PATHS_KEY
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.parent import ESCALATED, ESCALATED_CALLS, PARENT
from pytest_llmeval.core.text import one_line
from pytest_llmeval.models.named import NamedModel

__all__ = ["unknown_keys", "unknown_variables"]

_KEYS = (PATHS_KEY, *(option.key for option in OPTIONS))
_VARIABLES = (*(option.variable for option in OPTIONS), "LLMEVAL_API_KEY", "LLMEVAL_VLLM")
_BETWEEN_PROCESSES = (ESCALATED, ESCALATED_CALLS, PARENT)


def unknown_keys(config: pytest.Config) -> Iterator[tuple[str, str, bool]]:
    """Yield each unknown key of pytest's configuration that is named like ours, with what to say about it.

    The third part is whether pytest, which checks for such keys after collection, ends with an error.
    """
    for key in sorted(config._get_unknown_ini_keys()):
        if key.startswith("llmeval_"):
            is_refused = _is_refused(config, key)
            message = "each run of pytest ends with an error" if is_refused else "it has no effect"
            yield one_line(key, 80), f"no setting has this key, so {message}{_meant(key, _KEYS)}", is_refused


def unknown_variables(environ: Mapping[str, str], models: Iterable[NamedModel]) -> Iterator[tuple[str, str]]:
    """Yield each unknown set variable that is named like ours, and what to say about it; never its value.

    ``models`` are those of models.yaml: the variables that hold their keys may have any name.
    """
    known = {*_VARIABLES, *_BETWEEN_PROCESSES, *(model.api_key_env for model in models)}
    for name in sorted(environ):
        if name.startswith("LLMEVAL_") and environ[name] and name not in known:
            message = f"no setting has this variable, so it has no effect{_meant(name, _VARIABLES)}"
            yield one_line(name, 80), message


def _meant(name: str, known: Iterable[str]) -> str:
    """Return the question which name was meant; empty if none is alike. The common prefix is not compared."""
    words = {each.partition("_")[2]: each for each in known}
    near = closest(name.partition("_")[2], words)
    return f"; did you mean {words[near]}?" if near is not None else ""


def _is_refused(config: pytest.Config, key: str) -> bool:
    """Whether pytest treats an unknown key as an error, because it is strict or its warnings are errors."""
    try:
        config._warn_or_fail_if_strict(f"Unknown config option: {key}\n")
    except (pytest.UsageError, pytest.PytestConfigWarning):
        return True
    return False
