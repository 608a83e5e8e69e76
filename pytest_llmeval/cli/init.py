"""The command ``llmeval init``: a first eval with rows, rules and a workflow, for a project that has none."""

import importlib.util
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from pytest_llmeval.cli.collected import uncollected
from pytest_llmeval.cli.output import echo_lines, emit_json, json_option
from pytest_llmeval.cli.project import find_project
from pytest_llmeval.cli.workflow import project_workflow
from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.text_width import wrapped
from pytest_llmeval.store.whole_file import write_new

__all__ = ["init"]

_TEMPLATES = Path(__file__).parent.parent / "templates"
_EVAL = "evals/test_capitals.py"
_FILES = {
    _EVAL: "test_capitals.py",
    "data/capitals.jsonl": "capitals.jsonl",
    "thresholds.yaml": "thresholds.yaml",
}
"""Target of each template, below the root of the project."""
_WIDTH = 80
"""Number of columns of printed lines."""


@click.command()
@click.option("--missing-only", is_flag=True, help="Write the missing files even if existing ones differ.")
@json_option
def init(missing_only: bool, as_json: bool) -> None:
    """Write an eval that works at once, its ten rows, rules and a GitHub workflow. No file is ever overwritten."""
    project = find_project()
    root = project.root
    workflow = project_workflow(root, (_TEMPLATES / "evals.yaml").read_text("utf-8"))
    files = {**_files(root), workflow.path: workflow.text}
    new = {path: text for path, text in files.items() if not os.path.lexists(path)}
    changed = [path for path, text in files.items() if path not in new and _content(path) != text.encode("utf-8")]
    in_the_way = [*(() if missing_only else changed), *_in_the_way(new)]
    if in_the_way:
        names = ", ".join(_shown(path, root) for path in in_the_way)
        raise SettingsError(
            f"nothing was written, because the project already has {names}; move that away"
            + ("" if missing_only else ", or write only the missing files: llmeval init --missing-only")
        )
    for path, text in new.items():
        _write(path, text)
    steps = _next_steps(root)
    notes = list(uncollected(project, root / _EVAL, "test_capitals"))
    kept = [path for path in files if path not in new]
    if as_json:
        emit_json(
            {
                "root": str(root),
                "written": [_shown(path, root) for path in new],
                "kept": [_shown(path, root) for path in kept],
                "notes": notes,
                "next": [command for command, _ in steps],
            }
        )
        return
    lines = [*_told(root, list(new), kept, changed), *(["", *_noted(notes)] if notes else [])]
    left = workflow.left_to_do(_content(workflow.path))
    last = [line for text in left for line in wrapped(text, _WIDTH, indent="  ")]
    echo_lines([*lines, "", "next:", *_aligned(steps), *last])


def _files(root: Path) -> dict[Path, str]:
    """Return the content of each file."""
    return {root / name: (_TEMPLATES / template).read_text("utf-8") for name, template in _FILES.items()}


def _content(path: Path) -> bytes | None:
    """Return the content of a file; None if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _in_the_way(new: Mapping[Path, str]) -> Iterator[Path]:
    """Yield the paths, other than folders, that exist where one of the new files needs a folder."""
    parents = dict.fromkeys(parent for path in new for parent in path.parents)
    return (path for path in parents if os.path.lexists(path) and not path.is_dir())


def _write(path: Path, text: str) -> None:
    """Write a file that must not exist; raise SettingsError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_new(path, text.encode())
    except OSError as error:
        why = f"{one_line(str(path))}: cannot be written: {error.strerror or error}"
        raise SettingsError(f"{why}; after repair run llmeval init again, it writes what is missing") from None


def _told(root: Path, new: list[Path], kept: list[Path], changed: list[Path]) -> Iterator[str]:
    yield f"project: {one_line(str(root))}"
    yield from (f"wrote {_shown(path, root)}" for path in new)
    yield from (f"kept  {_shown(path, root)}" + (", which is yours" if path in changed else "") for path in kept)
    if not new:
        yield "nothing to do: all files are there"
    if root / "thresholds.yaml" in changed and b"capitals:" not in (_content(root / "thresholds.yaml") or b""):
        rules = (_TEMPLATES / "thresholds.yaml").read_text("utf-8").partition("suites:\n")[2]
        yield from ("", "without rules a miss fails its test; to add them, put below suites: of thresholds.yaml")
        yield from rules.splitlines()


def _noted(notes: list[str]) -> Iterator[str]:
    return (line for note in notes for line in wrapped(f"note: {note}", _WIDTH, indent="  "))


def _next_steps(root: Path) -> list[tuple[str, str]]:
    """Return the next commands to type, each with what it does."""
    steps = []
    if root != Path.cwd():
        steps.append((f"cd {one_line(shlex.quote(str(root)))}", "where pytest finds thresholds.yaml"))
    if importlib.util.find_spec("xllamacpp") is None:
        steps.append(("pip install 'pytest-llmeval[local]'", "a model that needs no key; or name yours with --model"))
    return [
        *steps,
        ("pytest evals", "asks the model; the embedded one is fetched once, 93 MB"),
        ("llmeval baseline set main", "later runs are compared with this one"),
    ]


def _aligned(steps: list[tuple[str, str]]) -> Iterator[str]:
    width = max(len(command) for command, _ in steps)
    return (f"  {command:<{width}}  # {note}" for command, note in steps)


def _shown(path: Path, root: Path) -> str:
    """Return a path relative to the root of the project, as one types it there."""
    return one_line(os.path.relpath(path, root))
