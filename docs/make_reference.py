"""Write docs/reference.md from the code; with --check say whether it is as the code would have it.

python docs/make_reference.py [--check]
"""

import ast
import enum
import inspect
import sqlite3
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

import pytest_llmeval
from pytest_llmeval.cli.app import llmeval
from pytest_llmeval.scorers import REGISTRY

PAGE = Path(__file__).with_name("reference.md")
SCHEMA = Path(pytest_llmeval.__file__).parent / "store" / "schema.sql"
HEAD = """# Names, options and tables

Made from the code by `docs/make_reference.py`. What things mean and when to use them is told on the other pages:
[evals](evals.md), [scorers](scorers.md), [thresholds](thresholds.md), [calls](calls.md), [the command](command.md).
The options of pytest are in a [table of their own](evals.md#options).
"""
_NOT_PASSED = ("self", "function")
OURS = (
    "runs",
    "cases",
    "scores",
    "calls",
    "verdicts",
    "baselines",
    "labels",
    "judges",
    "votes",
    "earlier_outcomes",
    "trainings",
)


def page() -> str:
    """Return the whole page."""
    parts = {
        "Python names": names(),
        "Scorers": scorers(),
        "Subcommands": commands(llmeval, "llmeval"),
        "Tables of the database": tables(),
    }
    return "\n".join([HEAD, *(line for title, lines in parts.items() for line in (f"## {title}\n", *lines))])


def names() -> Iterator[str]:
    """Yield what `from pytest_llmeval import NAME` gives."""
    yield "`from pytest_llmeval import NAME`; nothing else is public.\n"
    for name in pytest_llmeval.__all__:
        there = getattr(pytest_llmeval, name)
        if not inspect.isclass(there) and not inspect.isfunction(there):
            continue
        yield f"### {name}\n"
        yield f"{plain(first_paragraph(there))}\n"
        if there is pytest_llmeval.scorer:
            yield f"`@{name}`, or with settings `@{name}{signature(there).replace('function=None, /, ', '')}`\n"
        elif inspect.isfunction(there):
            yield f"`{name}{signature(there)}`\n"
        elif issubclass(there, enum.Enum):
            yield ", ".join(f"`{member.value}`" for member in there) + "\n"
        else:
            yield from fields(there)
            yield from methods(there)


def fields(owner: type[Any]) -> Iterator[str]:
    """Yield a table of the fields of a class, with the docstrings that stand under them."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(tree, ast.ClassDef)
    rows = []
    for node, behind in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and not ast.unparse(node.target).startswith("_"):
            told = behind.value.value if isinstance(behind, ast.Expr) and isinstance(behind.value, ast.Constant) else ""
            rows.append([code(ast.unparse(node.target)), code(ast.unparse(node.annotation)), cell(str(told))])
    if rows:
        yield table(["field", "type", "is"], rows)


def methods(owner: type[Any]) -> Iterator[str]:
    """Yield the public methods and properties that a class itself defines."""
    rows = []
    for name in vars(owner):
        there = getattr(owner, name)  # of a method that is watched, the function
        if name.startswith("_") or not (inspect.isfunction(there) or isinstance(there, property)):
            continue
        call = "" if isinstance(there, property) else signature(there)
        rows.append([code(name + call), cell(first_paragraph(there))])
    if rows:
        yield table(["method", "does"], rows)


def scorers() -> Iterator[str]:
    """Yield the shipped scorers."""
    rows = []
    for scorer in map(REGISTRY.find, REGISTRY.names()):
        if scorer is not None and scorer.shipped:
            told = cell(first_paragraph(scorer.function)).removeprefix("Return ")
            call = f"score.{scorer.name}{signature(scorer.function)}"
            rows.append([code(call), f"{scorer.pass_mark:g}", told])
    yield "Each takes `name` and `pass_mark`, too.\n"
    yield table(["call", "pass mark", "the value is"], rows)


def commands(command: click.Command, name: str) -> Iterator[str]:
    """Yield a command and all below it; of the options not --json, which every one has."""
    context = click.Context(command, info_name=name)
    if command is llmeval:
        yield "Each of them takes `--json`, too.\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            there = command.get_command(context, inner)
            assert there is not None
            yield from commands(there, f"{name} {inner}")
        if not command.invoke_without_command:
            return
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield f"### {name}\n"
    yield f"`{usage}`\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    rows = []
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name != "as_json":
            flag = "`, `".join(parameter.opts)
            value = "" if parameter.is_flag or parameter.count else f" {parameter.make_metavar(context)}"
            rows.append([f"`{flag}{value}`".replace("|", "\\|"), cell(parameter.help or "")])
    if rows:
        yield table(["option", "does"], rows)


def tables() -> Iterator[str]:
    """Yield the tables, with the columns that an empty database has."""
    yield "What the columns hold is in [the command llmeval](command.md#the-database).\n"
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA.read_text("utf-8"))
    for name in OURS:
        columns = connection.execute(f"SELECT name, type FROM pragma_table_info('{name}')").fetchall()  # noqa: S608
        if columns:
            told = ", ".join(f"{code(column)} {kind.lower()}".rstrip() for column, kind in columns)
            yield f"**{code(name)}**: {told}\n"
    connection.close()


def first_paragraph(there: object) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join((inspect.getdoc(there) or "").partition("\n\n")[0].split())


def signature(function: Any) -> str:
    """Return the parameters of a function, as one passes them."""
    found = inspect.signature(function)
    kept = [one.replace(annotation=one.empty) for one in found.parameters.values() if one.name not in _NOT_PASSED]
    return str(found.replace(parameters=kept, return_annotation=found.empty))


def code(text: str) -> str:
    """Return text as code in a cell."""
    return f"`{cell(text)}`"


def cell(text: str) -> str:
    """Return text as it is written in a cell."""
    return plain(" ".join(text.split())).replace("|", "\\|")


def plain(text: str) -> str:
    """Return text with reStructuredText's double backquotes as Markdown has them."""
    return text.replace("``", "`")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> int:
    """Return 1 where the page differs and is only to be checked."""
    text = page()
    if "--check" in sys.argv:
        return int(PAGE.read_text("utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
