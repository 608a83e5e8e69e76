"""Options and environment that a session passes on to its proof: how the eval is asked and judged, not which rows."""

import shlex
from collections.abc import Iterator, Mapping

import pytest

from pytest_llmeval.bridge.config.options import OPTIONS, widen_short_names
from pytest_llmeval.bridge.config.settings import Settings, value_of
from pytest_llmeval.core.parent import ESCALATED, ESCALATED_CALLS

__all__ = ["proof_environ", "proof_options"]

_JUDGES = "LLMEVAL_JUDGE_MODEL"
_OF_THIS_SESSION = frozenset({ESCALATED, ESCALATED_CALLS, *(option.variable for option in OPTIONS)})
"""Variables of the session that do not affect how an adapter is measured. Any other may hold a key and is passed on."""
_TAKEN_OVER = (
    "judge-panel",
    "judge-probe",
    "allow-self-judge",
    "max-connections",
    "rpm",
    "tpm",
    "vllm-start-s",
    "transport",
)


def proof_options(config: pytest.Config, settings: Settings) -> tuple[str, ...]:
    """Return pytest's arguments for a proof: the project's ``addopts`` without our options, then ours that hold there.

    Before them comes what every session of the project needs: its ini file, rootdir, plugins and ini keys. The proof
    chooses the rows, so ``--deselect`` is left out too: it adds up where other options are overridden.
    """
    return (*_of_project(config), *_of_others(config), *_of_ours(config, settings))


def proof_environ(settings: Settings) -> Mapping[str, str]:
    """Return the session's environment without its options, but with its judges, whose specs may hold a password."""
    kept = {name: value for name, value in settings.environ.items() if name not in _OF_THIS_SESSION}
    return {**kept, **({_JUDGES: shlex.join(settings.judge_models)} if settings.judge_models else {})}


def _of_project(config: pytest.Config) -> Iterator[str]:
    if config.inipath is not None:
        yield from ("-c", str(config.inipath))
    yield from ("--rootdir", str(config.rootpath))
    for flag, values in (("-p", config.option.plugins), ("-o", config.option.override_ini)):
        for value in values or ():
            yield from (flag, value)


def _of_ours(config: pytest.Config, settings: Settings) -> Iterator[str]:
    for option in OPTIONS:
        value = value_of(option, config, settings.environ) if option.name in _TAKEN_OVER else None
        if option.is_flag:
            yield from [option.long_flag] if value else []
        elif value is not None:
            yield f"{option.long_flag}={value}"
    if settings.prices is not None:
        yield f"--llmeval-prices={settings.prices}"


def _of_others(config: pytest.Config) -> Iterator[str]:
    """Yield the parts of ``addopts`` that are not our options: a model or limit there is meant for sessions by hand."""
    arguments = list(config.getini("addopts"))
    widen_short_names(arguments, config._parser)
    takes_value = {**{option.long_flag: not option.is_flag for option in OPTIONS}, "--deselect": True}
    is_value = False
    for argument in arguments:
        flag, equals, _ = argument.partition("=")
        if not is_value and flag not in takes_value:
            yield argument
        is_value = not is_value and takes_value.get(flag, False) and not equals
