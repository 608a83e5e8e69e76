"""The options: declared under long names of our own, and understood under short names that nobody else took."""

import argparse
import contextlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.shards import Shard

__all__ = [
    "EVALS",
    "OPTIONS",
    "PATHS_KEY",
    "Option",
    "add_options",
    "flag_of",
    "ini_source",
    "ini_value",
    "is_of_session",
    "is_set",
    "set_values",
    "taken_short_names",
    "widen_short_names",
    "with_those_of_files",
]

PATHS_KEY = "llmeval_paths"
EVALS = "evals"
"""The folder of evals if the ini file names none; it need not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: ``--llmeval-NAME``, short ``--NAME``, ini key ``llmeval_NAME``, variable ``LLMEVAL_NAME``."""

    name: str
    """The name, with ``-`` between words."""
    metavar: str
    help: str
    parse: Callable[[str], Any] = str
    """Parses one value; raises ValueError with what is expected."""
    many: bool = False
    """Whether it may be given several times; ini key and variable then hold several values, quoted as in a shell."""
    short: bool = True
    is_flag: bool = False
    """Whether it takes no value; ini key and variable then hold ``true`` or ``false``."""

    @property
    def long_flag(self) -> str:
        """The long name, which is always understood."""
        return f"--llmeval-{self.name}"

    @property
    def key(self) -> str:
        """The ini key, and the name within the parsed options."""
        return f"llmeval_{self.name.replace('-', '_')}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return self.key.upper()


def _number(expected: str, is_good: Callable[[Any], bool], of: Callable[[str], Any] = float) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            number = of(text)
        except ValueError:
            number = None
        if number is None or not is_good(number):
            raise ValueError(f"expected {expected}")
        return number

    return parse


_count = _number("a whole number from 1", lambda number: number >= 1, of=int)
_seconds = _number("seconds above 0", lambda number: 0 < number < 1e6)
_rate = _number("a number above 0", lambda number: 0 < number < 1e12)
_money = _number("US dollars from 0", lambda number: 0 <= number < 1e9, of=lambda text: float(text.removeprefix("$")))
_share = _number("a share from 0 to 1", lambda number: 0 <= number <= 1)


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return text

    return parse


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("expected true or false")
    return text.lower() in ("true", "1")


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("expected a non-empty string")
    return text


def _run_name(text: str) -> str:
    from pytest_llmeval.store.baseline_choice import TAKEN_NAMES

    if text in TAKEN_NAMES:
        raise ValueError(f"expected a name other than {' and '.join(TAKEN_NAMES)}, which mean no run of that name")
    return _filled(text)


OPTIONS = (
    Option(name="model", metavar="SPEC", parse=_filled, many=True, help="model under test; repeat it for a matrix"),
    Option(
        name="judge-model",
        metavar="SPEC",
        parse=_filled,
        many=True,
        help="model that judges answers by rubrics; repeat it for a panel; without it score.judge records None",
    ),
    Option(
        name="judge-panel",
        metavar="all|escalate",
        parse=_one_of("all", "escalate"),
        short=False,
        help="ask all judges of a panel (default), or the others only where the first is unsure",
    ),
    Option(
        name="judge-probe",
        metavar="SHARE",
        parse=_share,
        short=False,
        help="share of the answers, 0 to 1, to judge twice, to see how often a judge changes its mind (default 0)",
    ),
    Option(
        name="allow-self-judge",
        metavar="",
        parse=_flag,
        short=False,
        is_flag=True,
        help="let a model judge its own answers, which it tends to rate too highly",
    ),
    Option(
        name="dataset",
        metavar="PATH",
        parse=_filled,
        short=False,
        help="take the rows of this file instead of those that the marker names, such as val.jsonl for test.jsonl",
    ),
    Option(name="limit", metavar="N", parse=_count, help="first N rows of each dataset, after --slice"),
    Option(
        name="slice", metavar="NAME", parse=_filled, many=True, help="only rows of this slice; repeat it to add slices"
    ),
    Option(
        name="shard",
        metavar="i/N",
        parse=Shard.parse,
        help="run part i of N of the rows, after --slice and --limit; llmeval merge joins and judges the parts",
    ),
    Option(name="epochs", metavar="K", parse=_count, help="run every row K times (default 1)"),
    Option(name="max-connections", metavar="N", parse=_count, help="requests in flight, over all workers (default 32)"),
    Option(name="rpm", metavar="N", parse=_rate, help="at most N requests a minute to one account, over all workers"),
    Option(name="tpm", metavar="N", parse=_rate, help="at most N tokens a minute for one account, over all workers"),
    Option(name="max-cost", metavar="USD", parse=_money, help="the most that this session may spend"),
    Option(
        name="cache",
        metavar="off|use|refresh|only",
        parse=_one_of("off", "use", "refresh", "only"),
        help="answers of earlier runs: ignore them (off, default), use them, refresh them, or make no call (only)",
    ),
    Option(name="resume", metavar="RUN|last", parse=_filled, help="continue a run that did not finish"),
    Option(
        name="resume-changed",
        metavar="",
        parse=_flag,
        short=False,
        is_flag=True,
        help="continue even if dataset, prompt, model or code changed; the run then cannot be a baseline",
    ),
    Option(
        name="rescore",
        metavar="RUN",
        parse=_filled,
        short=False,
        help="score the answers of that run again, in a run of its own; no model is asked (see llmeval rescore)",
    ),
    Option(
        name="train-resume",
        metavar="",
        parse=_flag,
        short=False,
        is_flag=True,
        help="continue the newest unfinished training of each configuration",
    ),
    Option(
        name="train-strict",
        metavar="",
        parse=_flag,
        short=False,
        is_flag=True,
        help="fail a training that needs more than the machine has, instead of skipping it",
    ),
    Option(name="timeout-s", metavar="S", parse=_seconds, help="seconds for one call with its retries (default 120)"),
    Option(
        name="vllm-start-s",
        metavar="S",
        parse=_seconds,
        short=False,
        help="seconds until the server of a vllm: model must be healthy (default 600)",
    ),
    Option(name="thresholds", metavar="PATH", parse=_filled, help="rules of the gate (default thresholds.yaml)"),
    Option(
        name="baseline",
        metavar="NAME|RUN|FILE|none",
        parse=_filled,
        help="what rules on a change compare with (default: the baseline: that the rules name)",
    ),
    Option(name="run-name", metavar="TEXT", parse=_run_name, help="name of the run in the database"),
    Option(name="prices", metavar="PATH", parse=_filled, short=False, help="model prices, overriding the shipped ones"),
    Option(
        name="transport",
        metavar="auto|lean|sdk",
        parse=_one_of("auto", "lean", "sdk"),
        short=False,
        help="how to call OpenAI-compatible servers: lean (directly), sdk, or auto (sdk only if a proxy is set)",
    ),
    Option(name="db", metavar="PATH", parse=_filled, short=False, help="database (default .llmeval/llmeval.db)"),
)


def set_values(
    option: Option, config: pytest.Config, environ: Mapping[str, str] = os.environ
) -> Iterator[tuple[str, object]]:
    """Yield where the environment and the ini file set ``option``, and its value; the one that wins comes first."""
    for source, said in (
        (f"environment variable {option.variable}", environ.get(option.variable, "")),
        (ini_source(option.key, config), ini_value(option.key, config)),
    ):
        if said != "":
            yield source, said


def is_set(config: pytest.Config, *names: str) -> bool:
    """Whether the command line, the environment or the ini file sets one of these options."""
    options = (option for option in OPTIONS if option.name in names)
    return any(config.getoption(each.key) is not None or any(set_values(each, config)) for each in options)


def ini_value(key: str, config: pytest.Config) -> object:
    """Return the value of a key of ours in the ini file or ``-o``: a string, or a value of a TOML table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pytest 9 reads a list in [tool.pytest.ini_options] as a string, and warns
        try:
            return config.getini(key)
        except (pytest.UsageError, TypeError, ValueError):  # a native TOML type, or an unclosed quote
            overriding = _overriding(key, config)
            if overriding:
                return overriding[-1]
            from pytest_llmeval.loaders.pytest_ini import pytest_section

            section = pytest_section(config.inipath) if config.inipath is not None else None
            if section is None or key not in section:
                raise
            return section[key]


def ini_source(key: str, config: pytest.Config) -> str:
    """Return how messages name a key of the ini file, or of ``-o``, which overrides the file."""
    return f"{'-o' if _overriding(key, config) or config.inipath is None else config.inipath.name}: ini key {key}"


def is_of_session(key: str, config: pytest.Config) -> bool:
    """Whether a key's value may hold for this session only, by ``-o``, or by ``-c`` with another ini file."""
    return bool(_overriding(key, config)) or config.getoption("inifilename", None) is not None


def _overriding(key: str, config: pytest.Config) -> list[str]:
    """Return the values that ``-o`` gives a key; the last one counts."""
    given = (each.partition("=") for each in config.getoption("override_ini") or ())
    return [said for name, _, said in given if name == key]


def add_options(parser: pytest.Parser) -> None:
    """Declare the long options and the ini keys, but no short name, so that no project breaks."""
    group = parser.getgroup(
        "llmeval", "evals of language models (each --llmeval-NAME is also --NAME where that is free)"
    )
    for option in OPTIONS:
        taking: dict[str, Any] = {"action": "store_true"}
        if not option.is_flag:
            action = "append" if option.many else "store"
            taking = {"action": action, "metavar": option.metavar, "type": _checked(option)}
        group.addoption(option.long_flag, dest=option.key, default=None, help=option.help, **taking)
        parser.addini(option.key, f"{option.help} (as {option.long_flag})", type="string", default="")
    parser.addini(PATHS_KEY, "folders whose evals run only if a path or -m asks for them", type="args", default=[EVALS])


def _checked(option: Option) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return option.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{error}, found {text!r}") from None

    return convert


def widen_short_names(args: list[str], parser: pytest.Parser) -> None:
    """Rewrite each ``--NAME`` in ``args`` that nobody else declared into ``--llmeval-NAME``, up to a bare ``--``."""
    args[:] = with_those_of_files(args)
    taken = taken_short_names(parser)
    longer = {f"--{option.name}": option.long_flag for option in OPTIONS if option.short and option.name not in taken}
    for index, argument in enumerate(args):
        if argument == "--":
            return
        flag, equals, value = argument.partition("=")
        if flag in longer:
            args[index] = f"{longer[flag]}{equals}{value}"


def with_those_of_files(args: list[str]) -> Iterator[str]:
    """Yield arguments, with ``@FILE`` replaced by those in the file, as argparse does; it reports unreadable files."""
    for argument in args:
        lines = [argument]
        if argument.startswith("@"):
            with contextlib.suppress(OSError, ValueError):
                lines = list(with_those_of_files(Path(argument[1:]).read_text().splitlines()))
        yield from lines


def flag_of(name: str, config: pytest.Config) -> str:
    """Return the name by which a person gives an option: the short one, unless somebody else took it."""
    option = next(each for each in OPTIONS if each.name == name)
    return f"--{name}" if option.short and name not in taken_short_names(config._parser) else option.long_flag


def taken_short_names(parser: pytest.Parser) -> list[str]:
    """Return the names of our options whose short form another plugin or a conftest declared.

    The names are looked up, not tried out: the other option may take no value, or open the file that it names.
    """
    known = {flag for group in parser._groups for option in group.options for flag in option.names()}
    return [each.name for each in OPTIONS if each.short and f"--{each.name}" in known]
