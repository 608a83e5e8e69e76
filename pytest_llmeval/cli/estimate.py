"""The command ``llmeval estimate``: calls, tokens and cost of a session, from a collection without model calls."""

import functools
import json
import operator
import os
import subprocess
import sys
from typing import Any

import click

from pytest_llmeval.cli.output import echo_lines, emit_json, json_option, table_room, terminal_width
from pytest_llmeval.core.errors import UserError
from pytest_llmeval.core.estimates import Estimate
from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.run_text import money
from pytest_llmeval.reports.table import Column, table_lines
from pytest_llmeval.reports.text_width import wrapped

__all__ = ["estimate"]

_PROBE = "pytest_llmeval.bridge.forecasting.forecast_probe"
_COLLECTED = (0, 5, 6)
"""Exit statuses with which pytest has collected: with items, without, or with more warnings than allowed."""
_GOES_ON = "--continue-on-collection-errors"
_PREFIX = "llmeval: "
_LONGEST = 2_000
"""Largest number of characters shown of each of pytest's outputs."""
_MORE_OR_LESS = (
    "verdicts in the cache cost nothing; a reply that is not a valid verdict is asked for again, up to twice"
)
_COLUMNS: list[Column] = [
    ("suite", "left"),
    ("model", "left"),
    ("cases", "right"),
    ("calls", "right"),
    ("tokens in", "right"),
    ("tokens out", "right"),
    ("cost", "right"),
]


@click.command(context_settings={"ignore_unknown_options": True})
@json_option
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
def estimate(as_json: bool, pytest_args: tuple[str, ...]) -> int:
    """Estimate the calls (judges' too), tokens and cost of `pytest PYTEST_ARGS`; without a path, of `pytest evals`."""
    evals = ("evals",) if os.path.isdir("evals") else ()  # the probe finds other folders
    command = [sys.executable, "-m", "pytest", "-p", _PROBE, "--co", "-qq", *(pytest_args or evals)]
    collected = (*_COLLECTED, 1) if _GOES_ON in pytest_args else _COLLECTED  # the run would skip broken modules
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    found = _last_json(done.stdout)
    if found is None or done.returncode not in collected:
        raise UserError(_said(done.stderr, done.stdout) or "no eval is selected")
    if as_json:
        emit_json(found)
        return 0
    echo_lines(table_lines(_COLUMNS, [_row(each) for each in found], width=table_room()))
    caveats = dict.fromkeys(text for each in found for text in (each["caveat"], each["unbounded"]) if text)
    lines = [*_sums(found), *(each["unread"] for each in found if each["unread"]), *caveats]
    echo_lines(["", *(line for each in lines for line in wrapped(each, terminal_width()))])
    return 0


def _said(*outputs: str) -> str:
    """Return the ends of pytest's outputs, without the forecast and our own prefix."""
    told = (each if _last_json(each) is None else each.strip().rpartition("\n")[0] for each in outputs)
    lines = [line.removeprefix(_PREFIX) for each in told for line in each.strip()[-_LONGEST:].splitlines()]
    return "\n".join(lines)


def _sums(found: list[dict[str, Any]]) -> list[str]:
    """Return the totals of the models, of the judges (approximate), and of both."""
    models, judges = (
        [Estimate(**each["estimate"]) for each in found if each["role"] == role] for role in ("model", "judge")
    )
    total = functools.reduce(operator.add, [*models, *judges])
    if not judges:
        return [f"together: {total}"]
    return [
        f"models: {functools.reduce(operator.add, models)}",
        f"judges: about {functools.reduce(operator.add, judges)}; {_MORE_OR_LESS}",
        f"together: about {total}",
    ]


def _last_json(output: str) -> list[dict[str, Any]] | None:
    lines = output.strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return found if isinstance(found, list) and found else None


def _row(found: dict[str, Any]) -> list[str]:
    took = found["estimate"]
    tokens = ["unknown" if took[key] is None else f"{took[key]:,}" for key in ("input_tokens", "output_tokens")]
    return [
        one_line(found["suite"]),
        one_line(found["model"] if found["role"] == "model" else f"judge {found['model']}"),
        str(found["cases"]),
        f"{took['calls']:,}",
        *tokens,
        money(took["cost_usd"], below="<"),
    ]
