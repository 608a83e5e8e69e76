"""Entry point of the command ``llmeval``: subcommands that are imported on use, and the exit statuses."""

import io
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from pytest_llmeval.cli.output import drop_output, open_streams
from pytest_llmeval.core.errors import UserError
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.text import printable
from pytest_llmeval.version import __version__

__all__ = ["main"]

_OUTPUT_LOST = 3
"""Exit status if the output, say, cannot be written."""
_USAGE = 4
_INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 plus the number of SIGINT, as in a shell."""


_COMMANDS = (
    "adapter",
    "baseline",
    "calibrate",
    "compare",
    "doctor",
    "estimate",
    "export",
    "gate",
    "init",
    "labels",
    "merge",
    "models",
    "plan",
    "prune",
    "rescore",
    "runs",
    "selftest",
    "show",
    "trainings",
    "view",
)
_ELSEWHERE = {"baseline": "baselines", "show": "runs"}
"""Modules whose names differ from that of their command."""


class _Group(click.Group):
    """A group that imports a command only when it is used, because each needs another part of the package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"pytest_llmeval.cli.{_ELSEWHERE.get(cmd_name, cmd_name)}")
        return next(each for each in vars(module).values() if isinstance(each, click.Command) and each.name == cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS and (near := closest(args[0], _COMMANDS)) is not None:
            ctx.fail(f"No such command {args[0]!r}; did you mean {near!r}?")
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llmeval")
def llmeval() -> None:
    """Inspect recorded runs of evals, and judge them again. RUN is an id, a unique prefix of one, a name or 'last'."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with 0, the gate's status, or 4 for a mistake in the arguments or the configuration."""
    open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a narrow encoding must not make a command fail
    try:
        args = None if arguments is None else list(arguments)
        status = llmeval.main(args=args, prog_name="llmeval", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        status = _USAGE
    except UserError as error:
        click.echo(f"llmeval: {printable(str(error))}", err=True)
        status = _USAGE
    except click.Abort:
        status = _INTERRUPTED
    except OSError as error:  # for example, the output cannot be written
        click.echo(f"llmeval: {error}", err=True)
        drop_output()
        status = _OUTPUT_LOST
    sys.exit(status if isinstance(status, int) else 0)
