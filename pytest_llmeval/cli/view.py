"""The command ``llmeval view``: stored runs in a browser, from a server on this machine or as exported files."""

import contextlib
import importlib.util
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from pytest_llmeval.cli.output import database_option, echo_lines, emit_json, json_option, open_reader
from pytest_llmeval.cli.project import Project, find_project, project_redactor
from pytest_llmeval.cli.rules import rules_for
from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.text import counted, one_line
from pytest_llmeval.models.base_url import is_loopback
from pytest_llmeval.store.records import Run
from pytest_llmeval.view.source import Source

__all__ = ["html_page", "view"]

_LOOPBACK = "127.0.0.1"


@click.command()
@click.option("--export", "folder", type=click.Path(path_type=Path, file_okay=False), help="Write pages as files here.")
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="With --export: how many runs, the newest first.",
)
@click.option(
    "--cases",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="With --export: how many cases of each run; misses, errors and flips first.",
)
@click.option("--host", default=_LOOPBACK, show_default=True, help="Listen on this address of this machine.")
@click.option("--allow-remote", is_flag=True, help="Allow a --host that other machines can reach.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Listen on this port; default: 8765 if free, otherwise any."
)
@click.option("--open", "is_opened", is_flag=True, help="Open a browser, too.")
@json_option
@database_option
def view(
    folder: Path | None,
    runs: int,
    cases: int,
    host: str,
    allow_remote: bool,
    port: int | None,
    is_opened: bool,
    as_json: bool,
    database: Path | None,
) -> None:
    """Show the recorded runs in a browser, and let people label answers, until Ctrl-C."""
    require_extra("llmeval view", "jinja2", "starlette", "uvicorn")
    project = find_project()
    with contextlib.closing(open_reader(project, database)) as store:  # opening it migrates the tables
        path, newest = store.path, store.newest(runs)
    if folder is not None:
        _export(project, path, folder, newest, cases, as_json=as_json)
        return
    if not is_loopback(host):
        if not allow_remote:
            raise SettingsError(
                f"--host {one_line(host)}: other machines could reach it, and anyone who does can read all runs and"
                " add labels; pass --allow-remote if that is intended"
            )
        click.echo("warning: anyone who reaches this address can read all runs and add labels, unencrypted", err=True)

    def ready(address: str) -> None:
        if as_json:
            emit_json({"url": address})
        else:
            echo_lines([f"{address} shows {one_line(project.shown(path))}; Ctrl-C ends it"])
        if is_opened:
            webbrowser.open(address)

    _serve(project, path, host, port, ready)


def require_extra(what: str, *modules: str) -> None:
    """Raise SettingsError if packages of the extra ``view`` are missing.

    Args:
        what: the command that needs them.
        modules: the modules of the extra that it needs.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(f"{what} needs {', '.join(missing)}: pip install 'pytest-llmeval[view]'")


def html_page(project: Project, path: Path, run: Run, most_cases: int) -> str:
    """Return a run as one self-contained HTML page with at most ``most_cases`` cases."""
    require_extra("export html", "jinja2")
    from pytest_llmeval.view.site import self_contained

    return self_contained(_source(project, path, most_cases), run)


# The functions below import the page modules, which need the extra's packages, only when called.


def _export(project: Project, path: Path, folder: Path, runs: Sequence[Run], cases: int, *, as_json: bool) -> None:
    from pytest_llmeval.view.site import write_site

    count = write_site(folder, _source(project, path, cases), runs)
    if as_json:
        emit_json({"output": str(folder), "runs": [run.id for run in runs], "files": count})
    else:
        echo_lines([f"{one_line(str(folder / 'index.html'))}: {counted(len(runs), 'run')} in {count:,} files"])


def _serve(project: Project, path: Path, host: str, port: int | None, ready: Callable[[str], None]) -> None:
    from pytest_llmeval.view.app import make_app
    from pytest_llmeval.view.serving import serve

    serve(make_app(_source(project, path, 1), host), host, port, ready=ready)


def _source(project: Project, path: Path, most_cases: int) -> Source:
    return Source(
        database=path,
        shown_as=project.shown(path),
        root=project.root,
        rules_of=lambda run: rules_for(project, run, None),
        redact=project_redactor(project),
        most_cases=most_cases,
    )
