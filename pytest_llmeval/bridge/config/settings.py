"""The settings of a session: all options, resolved once."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmeval.bridge.config.command_line import on_command_line
from pytest_llmeval.bridge.config.options import (
    EVALS,
    OPTIONS,
    PATHS_KEY,
    Option,
    flag_of,
    ini_source,
    ini_value,
    is_of_session,
    set_values,
)
from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.ini_values import many_texts, one_text
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.shards import Shard
from pytest_llmeval.core.types import CacheMode

if TYPE_CHECKING:
    from pytest_llmeval.core.judge.panel import PanelMode
    from pytest_llmeval.models.registry import TransportName

__all__ = ["Settings", "eval_folders", "resolve", "value_of"]

_DATABASE = ".llmeval/llmeval.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All options, resolved once: command line beats environment beats ini beats default."""

    rootdir: Path
    models: tuple[str, ...]
    """Model specs as given; empty if none was."""
    judge_models: tuple[str, ...]
    """Judge specs as given; empty for no judge."""
    judge_panel: "PanelMode"
    judge_probe: float
    """Share of the answers, in [0, 1], that are judged twice."""
    allow_self_judge: bool
    dataset: str | None
    """Dataset that replaces that of every marker; None if each keeps its own."""
    limit: int | None
    slices: tuple[str, ...]
    shard: Shard | None
    """Part of the rows that this session runs; None for all."""
    epochs: int
    timeout_s: float
    vllm_start_s: float
    max_connections: int
    rpm: float | None
    tpm: float | None
    max_cost_usd: float | None
    cache: CacheMode
    """Cache mode for models under test."""
    judge_cache: CacheMode
    resume: str | None
    """Reference of the run to resume; None for a new one."""
    resume_changed: bool
    rescore: str | None
    """Reference of the run whose answers are scored again; None if models are asked."""
    train_resume: bool
    train_strict: bool
    transport: "TransportName"
    prices: Path | None
    thresholds: Path
    thresholds_given: bool
    """Whether a person named the rules' file, which must exist then."""
    baseline: str | None
    """Baseline that a person named; None if the rules decide."""
    run_name: str | None
    db: Path
    environ: Mapping[str, str]
    """The environment, which holds keys of models."""
    is_db_found: bool = True
    """Whether the command ``llmeval`` finds ``db`` without an option."""
    to_root: str = ""
    """Shell prefix that changes to the rootdir if pytest was started outside: ``cd svc && ``; else empty.

    The command ``llmeval`` looks for its project from the current folder upwards."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Flags of the options on the command line, by their keys; filled only if a run is resumed or scored again.

    Only these options override what the resumed run had."""

    @property
    def makes_calls(self) -> bool:
        """Whether a model may be asked; with ``--cache only`` none is, nor any judge."""
        return self.cache != "only"

    @property
    def db_option(self) -> str:
        """Option to append to a command ``llmeval``, with a leading blank, if it needs one to find ``db``."""
        return "" if self.is_db_found else f" --llmeval-db {shlex.quote(self.shown(self.db))}"

    def llmeval(self, *words: str) -> str:
        """Return the command ``llmeval`` with ``words``, to be typed where pytest was started."""
        return f"{self.to_root}llmeval {' '.join(words)}{self.db_option}"

    def recorded(self) -> dict[str, Any]:
        """Return the settings that a run stores: paths relative to the rootdir, no environment, no password."""
        from pytest_llmeval.models.specs import has_secrets, storable_spec

        return {
            "model": [storable_spec(model) for model in self.models],
            "judge_model": [storable_spec(judge) for judge in self.judge_models],
            "cut": [storable_spec(spec) for spec in (*self.models, *self.judge_models) if has_secrets(spec)],
            "judge_panel": self.judge_panel,
            "judge_probe": self.judge_probe,
            "dataset": self.dataset,
            "limit": self.limit,
            "slice": list(self.slices),
            "shard": str(self.shard) if self.shard is not None else None,
            "epochs": self.epochs,
            "timeout_s": self.timeout_s,
            "max_connections": self.max_connections,
            "rpm": self.rpm,
            "tpm": self.tpm,
            "max_cost": self.max_cost_usd,
            "cache": self.cache,
            "thresholds": self.shown(self.thresholds),
            "baseline": self.baseline,
        }

    def shown(self, path: Path) -> str:
        """Return ``path`` as messages show it: relative to the rootdir if it is below."""
        return path.relative_to(self.rootdir).as_posix() if path.is_relative_to(self.rootdir) else str(path)


def resolve(config: pytest.Config, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of this session.

    Raises:
        SettingsError: names the variable or ini key that has an invalid value.
    """
    values = {option.key: value_of(option, config, environ) for option in OPTIONS}
    _check_folders(config)
    rootdir = config.rootpath
    db = _path(config, "llmeval_db", values["llmeval_db"] or _DATABASE, environ)
    thresholds = values["llmeval_thresholds"]
    return Settings(
        rootdir=rootdir,
        models=tuple(values["llmeval_model"] or ()),
        judge_models=tuple(values["llmeval_judge_model"] or ()),
        judge_panel=values["llmeval_judge_panel"] or "all",
        judge_probe=values["llmeval_judge_probe"] or 0.0,
        allow_self_judge=bool(values["llmeval_allow_self_judge"]),
        dataset=values["llmeval_dataset"],
        limit=values["llmeval_limit"],
        slices=tuple(values["llmeval_slice"] or ()),
        shard=values["llmeval_shard"],
        epochs=values["llmeval_epochs"] or 1,
        timeout_s=values["llmeval_timeout_s"] or 120.0,
        vllm_start_s=values["llmeval_vllm_start_s"] or 600.0,
        max_connections=values["llmeval_max_connections"] or 32,
        rpm=values["llmeval_rpm"],
        tpm=values["llmeval_tpm"],
        max_cost_usd=values["llmeval_max_cost"],
        cache=values["llmeval_cache"] or "off",
        judge_cache=values["llmeval_cache"] or "use",
        resume=values["llmeval_resume"],
        resume_changed=bool(values["llmeval_resume_changed"]),
        rescore=values["llmeval_rescore"],
        train_resume=bool(values["llmeval_train_resume"]),
        train_strict=bool(values["llmeval_train_strict"]),
        transport=values["llmeval_transport"] or "auto",
        prices=_path(config, "llmeval_prices", prices, environ) if (prices := values["llmeval_prices"]) else None,
        thresholds=_path(config, "llmeval_thresholds", thresholds or "thresholds.yaml", environ),
        thresholds_given=thresholds is not None,
        baseline=values["llmeval_baseline"],
        run_name=values["llmeval_run_name"],
        db=db,
        environ=environ,
        is_db_found=db == _found_db(config, environ),
        to_root=_to_root(config),
        given=_given(config) if (values["llmeval_resume"] or values["llmeval_rescore"]) is not None else {},
    )


def _found_db(config: pytest.Config, environ: Mapping[str, str]) -> Path:
    """Return the database that the command ``llmeval`` finds: of the environment or the ini file, else the default.

    It does not know ``-o``, nor the file that ``-c`` names.
    """
    option = next(each for each in OPTIONS if each.name == "db")
    if variable := environ.get(option.variable):
        return _typed(config, variable)
    if not is_of_session(option.key, config):
        return config.rootpath / next((str(said) for _, said in set_values(option, config, environ)), _DATABASE)
    from pytest_llmeval.loaders.pytest_ini import find_section

    _, section = find_section(config.rootpath) or ("", {})
    return config.rootpath / str(section.get(option.key) or _DATABASE)


def _to_root(config: pytest.Config) -> str:
    here = config.invocation_params.dir
    return (
        "" if here.is_relative_to(config.rootpath) else f"cd {shlex.quote(os.path.relpath(config.rootpath, here))} && "
    )


def _given(config: pytest.Config) -> dict[str, str]:
    said = on_command_line(config)
    return {each.key: flag_of(each.name, config) for each in OPTIONS if getattr(said, each.key, None) is not None}


def value_of(option: Option, config: pytest.Config, environ: Mapping[str, str]) -> Any:
    """Return the value set for one option, wherever; None if it is not set.

    Raises:
        SettingsError: names the variable or ini key that has an invalid value.
    """
    given = config.getoption(option.key)
    if given is not None:
        return given
    for source, said in set_values(option, config, environ):
        try:
            return [option.parse(part) for part in many_texts(said)] if option.many else option.parse(one_text(said))
        except ValueError as error:
            from pytest_llmeval.models.specs import without_secrets

            raise SettingsError(f"{source}: {error}, found {without_secrets(repr(said))}") from None
    return None


def eval_folders(config: pytest.Config) -> list[str]:
    """Return the folders of ``llmeval_paths`` as given; raise SettingsError if they are not strings."""
    said = ini_value(PATHS_KEY, config)
    try:
        return many_texts(said)
    except ValueError as error:
        raise SettingsError(f"{ini_source(PATHS_KEY, config)}: {error}, found {said!r}") from None


def _check_folders(config: pytest.Config) -> None:
    """Raise SettingsError for a misspelt folder: evals that should wait in it would run, and be paid for."""
    source = ini_source(PATHS_KEY, config)
    for name in eval_folders(config):
        if name == EVALS or (config.rootpath / name).exists():
            continue
        near = closest(name, (each.name for each in config.rootpath.iterdir() if each.is_dir()))
        advice = f"did you mean {near!r}?" if near is not None else "evals outside of them run whenever pytest does"
        advice = "patterns are not expanded, name each folder" if set(name) & set("*?[") else advice
        raise SettingsError(f"{source}: expected folders in the rootdir, found {name!r}, which is not one; {advice}")


def _path(config: pytest.Config, key: str, name: str, environ: Mapping[str, str]) -> Path:
    """Return the path of an option: a typed one may be below the current folder, others are below the rootdir.

    Otherwise, with one project in a folder of another, the outer one's rules would judge the inner one's run.
    """
    is_typed = config.getoption(key) is not None or bool(environ.get(key.upper()))
    return _typed(config, name) if is_typed else config.rootpath / name


def _typed(config: pytest.Config, name: str) -> Path:
    """Return the path relative to the current folder if it exists there, else below the rootdir."""
    here = config.invocation_params.dir / name
    try:
        is_here = here.exists()
    except OSError:  # no permission, or not a path: reported when it is opened
        is_here = True
    return here if is_here else config.rootpath / name
