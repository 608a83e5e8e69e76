"""Options: declared under long names of our own, understood under short ones where nobody else took them."""

import argparse
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import SettingsError

__all__ = ["OPTIONS", "Option", "Settings", "add_options", "resolve", "taken_short_names", "widen_short_names"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: ``--llmeval-NAME``, short ``--NAME``, ini key ``llmeval_NAME``, variable ``LLMEVAL_NAME``."""

    name: str
    """With ``-`` between words."""
    metavar: str
    help: str
    parse: Callable[[str], Any] = str
    """Turns the text of one value into the value; raises ValueError saying what is expected."""
    many: bool = False
    """Whether it may be given several times; ini key and variable then hold several, quoted as in a shell."""
    short: bool = True

    @property
    def long_flag(self) -> str:
        """The name that is always understood."""
        return f"--llmeval-{self.name}"

    @property
    def key(self) -> str:
        """The ini key, and the name within the parsed options."""
        return f"llmeval_{self.name.replace('-', '_')}"


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError("expected a whole number from 1")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise ValueError("expected seconds above 0")
    return number


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("expected a text that is not empty")
    return text


OPTIONS = (
    Option(name="model", metavar="SPEC", parse=_filled, many=True, help="model under test; repeat it for a matrix"),
    Option(name="limit", metavar="N", parse=_count, help="first N rows of each dataset, after --slice"),
    Option(
        name="slice", metavar="NAME", parse=_filled, many=True, help="rows of this slice; repeat it for any of them"
    ),
    Option(name="epochs", metavar="K", parse=_count, help="run every row K times (default 1)"),
    Option(name="timeout-s", metavar="S", parse=_seconds, help="seconds for one call with its retries (default 120)"),
    Option(name="thresholds", metavar="PATH", parse=_filled, help="rules of the gate (default thresholds.yaml)"),
    Option(name="run-name", metavar="TEXT", parse=_filled, help="name of the run in the database"),
    Option(name="db", metavar="PATH", parse=_filled, short=False, help="database (default .llmeval/llmeval.db)"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All options, resolved once: command line beats environment beats ini beats default."""

    rootdir: Path
    models: tuple[str, ...]
    """Specs as given; empty where none was."""
    limit: int | None
    slices: tuple[str, ...]
    epochs: int
    timeout_s: float
    thresholds: Path
    thresholds_given: bool
    """Whether a person named the file; then it must exist."""
    run_name: str | None
    db: Path
    environ: Mapping[str, str]
    """The environment, for keys of models."""

    def recorded(self) -> dict[str, Any]:
        """Return what a run stores of its settings; paths relative to the rootdir, no environment."""
        return {
            "model": list(self.models),
            "limit": self.limit,
            "slice": list(self.slices),
            "epochs": self.epochs,
            "timeout_s": self.timeout_s,
            "thresholds": self.shown(self.thresholds),
        }

    def shown(self, path: Path) -> str:
        """Return ``path`` as messages show it: relative to the rootdir where it lies in it."""
        return path.relative_to(self.rootdir).as_posix() if path.is_relative_to(self.rootdir) else str(path)


def add_options(parser: pytest.Parser) -> None:
    """Declare the long options and the ini keys; no short name, so that nobody's project breaks."""
    group = parser.getgroup(
        "llmeval", "evals of language models (each --llmeval-NAME is also --NAME where that is free)"
    )
    for option in OPTIONS:
        group.addoption(
            option.long_flag,
            action="append" if option.many else "store",
            dest=option.key,
            metavar=option.metavar,
            type=_checked(option),
            default=None,
            help=option.help,
        )
        parser.addini(option.key, f"{option.help} (as {option.long_flag})", type="string", default=None)
    parser.addini("llmeval_paths", "folders whose evals wait until they are asked for", type="args", default=["evals"])


def _checked(option: Option) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return option.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{error}, found {text!r}") from None

    return convert


def widen_short_names(args: list[str], parser: pytest.Parser) -> None:
    """Rewrite each ``--NAME`` in ``args`` that nobody declared into ``--llmeval-NAME``, up to a bare ``--``."""
    taken = taken_short_names(parser)
    longer = {f"--{option.name}": option.long_flag for option in OPTIONS if option.short and option.name not in taken}
    for index, argument in enumerate(args):
        if argument == "--":
            return
        flag, equals, value = argument.partition("=")
        if flag in longer:
            args[index] = f"{longer[flag]}{equals}{value}"


def taken_short_names(parser: pytest.Parser) -> set[str]:
    """Return the names of our options whose short form another plugin or a conftest declared."""
    taken = set()
    for option in OPTIONS:
        _, unknown = parser.parse_known_and_unknown_args([f"--{option.name}=1"])
        if option.short and f"--{option.name}=1" not in unknown:
            taken.add(option.name)
    return taken


def resolve(config: pytest.Config, environ: Mapping[str, str]) -> Settings:
    """Return the settings of this session.

    Raises:
        SettingsError: naming the variable or ini key whose value makes no sense.
    """
    values = {option.key: _value(option, config, environ) for option in OPTIONS}
    rootdir = config.rootpath
    thresholds = values["llmeval_thresholds"]
    return Settings(
        rootdir=rootdir,
        models=tuple(values["llmeval_model"] or ()),
        limit=values["llmeval_limit"],
        slices=tuple(values["llmeval_slice"] or ()),
        epochs=values["llmeval_epochs"] or 1,
        timeout_s=values["llmeval_timeout_s"] or 120.0,
        thresholds=_located(config, thresholds or "thresholds.yaml"),
        thresholds_given=thresholds is not None,
        run_name=values["llmeval_run_name"],
        db=_located(config, values["llmeval_db"] or ".llmeval/llmeval.db"),
        environ=environ,
    )


def _value(option: Option, config: pytest.Config, environ: Mapping[str, str]) -> Any:
    given = config.getoption(option.key)
    if given is not None:
        return given
    for source, text in _texts(option, config, environ):
        if text:
            try:
                return [option.parse(part) for part in shlex.split(text)] if option.many else option.parse(text)
            except ValueError as error:
                raise SettingsError(f"{source}: {error}, found {text!r}") from None
    return None


def _texts(option: Option, config: pytest.Config, environ: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    variable = option.key.upper()
    yield f"environment variable {variable}", environ.get(variable)
    yield f"ini key {option.key}", config.getini(option.key)


def _located(config: pytest.Config, name: str) -> Path:
    """Return the path: as a shell would read one given on the command line, else below the rootdir."""
    here = config.invocation_params.dir / name
    return here if here.exists() else config.rootpath / name
