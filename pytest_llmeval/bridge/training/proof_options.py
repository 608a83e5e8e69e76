"""What the sessions of a proof are given by the one that trains: how its eval is asked and judged, not which rows."""

import shlex
from collections.abc import Iterator, Mapping

import pytest

from pytest_llmeval.bridge.config.options import OPTIONS, widen_short_names
from pytest_llmeval.bridge.config.settings import Settings, value_of
from pytest_llmeval.core.parent import ESCALATED, ESCALATED_CALLS

__all__ = ["proof_environ", "proof_options"]

_JUDGES = "LLMEVAL_JUDGE_MODEL"
_OF_THIS_SESSION = frozenset({ESCALATED, ESCALATED_CALLS, *(option.variable for option in OPTIONS)})
"""Variables of the session that say nothing about how an adapter is measured. Any other may hold a key."""
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
    """Return the arguments: ``addopts`` of the project without options of ours, and those of ours that hold there.

    Before them what any session of the project is made of: its ini file and rootdir, its plugins and ini keys. Which
    rows there are is the proof's: ``--deselect``, which adds up where others are overridden, is left out too.
    """
    return (*_of_project(config), *_of_others(config), *_of_ours(config, settings))


def proof_environ(settings: Settings) -> Mapping[str, str]:
    """Return the environment: that of the session without its options, but its judges: a spec may hold a password."""
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
    """Yield what ``addopts`` says of other things than evals: a model or a limit there is for sessions by hand."""
    arguments = list(config.getini("addopts"))
    widen_short_names(arguments, config._parser)
    takes_value = {**{option.long_flag: not option.is_flag for option in OPTIONS}, "--deselect": True}
    is_value = False
    for argument in arguments:
        flag, equals, _ = argument.partition("=")
        if not is_value and flag not in takes_value:
            yield argument
        is_value = not is_value and takes_value.get(flag, False) and not equals
