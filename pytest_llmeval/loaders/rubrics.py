"""Loading rubrics from YAML files, strictly: shipped ones by name, a project's own by path."""

import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError

from pytest_llmeval.core.document import StrictDocument
from pytest_llmeval.core.errors import RubricError
from pytest_llmeval.core.judge.asking import NONCE
from pytest_llmeval.core.judge.rubric import Dimension, Level, Rubric
from pytest_llmeval.core.names import did_you_mean, show_key
from pytest_llmeval.core.text import shown_value, shown_yaml
from pytest_llmeval.loaders.paths import inside
from pytest_llmeval.loaders.strict_yaml import load_strict
from pytest_llmeval.loaders.thresholds_grammar import Flag, Share, Strict, Text, Whole, ranged

__all__ = ["load_rubric", "shipped_rubrics"]

_SHIPPED = Path(__file__).parent.parent / "rubrics"
_SUFFIXES = (".yaml", ".yml")
_NAME = "letters from a to z, digits and _, beginning with a letter"


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"found {shown_yaml(value)}; write a mapping by name")
    for key in value:
        if not key.isascii() or not key.isidentifier() or key == NONCE:
            raise ValueError(f"{show_key(key)} cannot be a name here; write {_NAME} (not {NONCE!r})")
    return value


class _Level(Strict):
    value: Share
    anchor: Text


class _Dimension(Strict):
    question: Text
    levels: Annotated[dict[str, _Level], BeforeValidator(_mapping)]
    weight: Annotated[float, ranged(lambda number: 0 < number < 1e6, "above 0")] = 1.0
    pass_mark: Share = 1.0
    gates: Flag = True


class _Rubric(Strict):
    version: Whole
    task: Text
    needs_reference: Flag = True
    dimensions: Annotated[dict[str, _Dimension], BeforeValidator(_mapping)]


_OWNERS: Mapping[int, type[Strict]] = {3: _Dimension, 5: _Level}
"""The model for keys whose path has this length; ``_Rubric`` for any other."""


@functools.cache
def shipped_rubrics() -> tuple[str, ...]:
    """Return the names of the rubrics that ship with the package."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob("*.yaml")))


def load_rubric(rubric: str | os.PathLike[str], *, rootdir: Path, test_file: Path) -> Rubric:
    """Return a rubric.

    Args:
        rubric: the name of a shipped rubric, or a path that ends in .yaml or .yml, relative to the rootdir or to the
            test file; the rubric is then named after the file.
        rootdir: the root of the project, which no path may leave.
        test_file: the file of the marked test.

    Raises:
        RubricError: the rubric does not exist or is invalid; the message has a line
            ``FILE:LINE: KEY: what is wrong, what to do`` for each mistake.
    """
    name = os.fspath(rubric) if isinstance(rubric, os.PathLike) else rubric
    if not isinstance(name, str) or not name:
        raise RubricError(f"rubric must be a name or a path, found {shown_value(rubric)}")
    if name in shipped_rubrics():
        path = _SHIPPED / f"{name}.yaml"
        return _read(path, f"rubric {name}", path.stat().st_mtime_ns)
    if not name.endswith(_SUFFIXES):
        hint = did_you_mean(name, shipped_rubrics())
        raise RubricError(f"no rubric {shown_value(name)}; {hint}; one of your own is a path ending in .yaml")
    path = inside(name, rootdir=rootdir, test_file=test_file, error=RubricError)
    shown = Path(os.path.relpath(path, rootdir.resolve())).as_posix()
    if not path.is_file():
        raise RubricError(f"{shown}: no such rubric; a path is relative to the rootdir or to the test file")
    return _read(path, shown, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _read(path: Path, shown: str, changed: int) -> Rubric:
    """Return the rubric in a file. ``changed``, the file's modification time, keeps the cache up to date."""
    document = load_strict(path, error=RubricError, shown_as=shown)
    try:
        found = _Rubric.model_validate(document.data)
    except ValidationError as problem:
        lines = [_explain(document, error) for error in problem.errors(include_url=False)]
        raise RubricError("\n".join(lines)) from None
    dimensions = tuple(_dimension(name, each) for name, each in found.dimensions.items())
    problems = [line for dimension in dimensions for line in _wrong_levels(document, dimension)]
    if problems:
        raise RubricError("\n".join(problems))
    return Rubric(
        name=path.stem,
        version=found.version,
        task=found.task.strip(),
        needs_reference=found.needs_reference,
        dimensions=dimensions,
    )


def _dimension(name: str, found: _Dimension) -> Dimension:
    levels = [Level(name=key, value=level.value, anchor=level.anchor.strip()) for key, level in found.levels.items()]
    return Dimension(
        name=name,
        question=found.question.strip(),
        levels=tuple(sorted(levels, key=lambda level: level.value)),
        weight=found.weight,
        pass_mark=found.pass_mark,
        gates=found.gates,
    )


def _wrong_levels(document: StrictDocument, dimension: Dimension) -> Iterator[str]:
    """Yield a message for each problem of a dimension's levels as a whole."""
    path, values = ("dimensions", dimension.name, "levels"), [level.value for level in dimension.levels]
    if len(values) < 2:
        yield document.problem(path, "a judge needs two levels or more to choose between")
    if len(set(values)) < len(values):
        yield document.problem(path, "two levels have one value; give each its own")
    if values and max(values) < dimension.pass_mark:
        yield document.problem(path, f"no level reaches the pass mark {dimension.pass_mark:g}")


def _explain(document: StrictDocument, error: Any) -> str:
    """Return what is wrong with one key, and what to do."""
    path = tuple(part for part in error["loc"] if isinstance(part, (str, int)))
    kind = error["type"]
    if kind == "extra_forbidden":
        owner = _OWNERS.get(len(path), _Rubric)
        message = f"unknown key {str(path[-1])!r}; {did_you_mean(str(path[-1]), owner.model_fields)}"
    elif kind == "missing":
        message = "is missing"
    elif kind == "value_error":
        message = str(error["ctx"]["error"])
    else:
        message = f"found {shown_yaml(error['input'])}; write a mapping"
    return document.problem(path, message)
