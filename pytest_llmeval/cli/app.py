"""The command ``llmeval``: stored runs, models, and what is set up."""

import io
import sys
from collections.abc import Sequence

import click

from pytest_llmeval.cli.adapter import adapter
from pytest_llmeval.cli.baselines import baseline
from pytest_llmeval.cli.calibrate import calibrate_judge
from pytest_llmeval.cli.compare import compare_runs
from pytest_llmeval.cli.doctor import doctor
from pytest_llmeval.cli.estimate import estimate
from pytest_llmeval.cli.export import export
from pytest_llmeval.cli.gate import gate
from pytest_llmeval.cli.init import init
from pytest_llmeval.cli.labels import labels
from pytest_llmeval.cli.merge import merge
from pytest_llmeval.cli.models import models
from pytest_llmeval.cli.output import drop_output, open_streams
from pytest_llmeval.cli.plan import plan_suites
from pytest_llmeval.cli.rescore import rescore
from pytest_llmeval.cli.runs import runs, show
from pytest_llmeval.cli.selftest import selftest
from pytest_llmeval.cli.trainings import trainings
from pytest_llmeval.cli.view import view
from pytest_llmeval.core.errors import UserError
from pytest_llmeval.core.text import printable
from pytest_llmeval.version import __version__

__all__ = ["main"]

_OUTPUT_LOST = 3
_USAGE = 4
_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llmeval")
def llmeval() -> None:
    """Look at recorded runs of evals, judge them again. RUN is an id, the beginning of one, a name or 'last'."""


for command in (
    runs,
    show,
    trainings,
    gate,
    merge,
    rescore,
    compare_runs,
    baseline,
    export,
    plan_suites,
    selftest,
    estimate,
    init,
    models,
    adapter,
    doctor,
    labels,
    calibrate_judge,
    view,
):
    llmeval.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process: 0, the gate's status, or 4 for a mistake in what was typed or configured."""
    open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a narrow encoding is no reason to fail
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
    except OSError as error:  # the output cannot be written, say
        click.echo(f"llmeval: {error}", err=True)
        drop_output()
        status = _OUTPUT_LOST
    sys.exit(status if isinstance(status, int) else 0)
