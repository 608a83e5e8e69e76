"""The eval that a training is for, as it is read from its file."""

import sys
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.task import Task, load_task

EVAL = """
import pytest

{before}

@pytest.mark.llmeval("data/test.jsonl", prompt={prompt})
def test_colour(sample, response, score):
    score.exact(response, sample.target)
"""
PLAIN = {"before": "", "prompt": "'Colour of {thing}'"}


def loaded(root: Path, text: str, *, folder: str = "evals") -> Task:
    path = root / folder / "test_colour.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return load_task(f"{folder}/test_colour.py::test_colour", root)


def test_a_parametrized_eval_is_refused(tmp_path: Path) -> None:
    text = EVAL.format(**PLAIN).replace("@pytest.mark.ll", "@pytest.mark.parametrize('n', [1])\n@pytest.mark.ll")
    with pytest.raises(SettingsError, match=r"with @pytest\.mark\.parametrize each parameter set is a suite of its"):
        loaded(tmp_path, text)


@pytest.mark.parametrize("marks", ["{0}", "[pytest.mark.regression, {0}]"])
def test_the_marker_may_be_the_modules(tmp_path: Path, marks: str) -> None:
    """As in the evals themselves: the closest one counts."""
    _, own, function = EVAL.format(**PLAIN).partition("@pytest.mark.llmeval")
    line, _, function = function.partition("\n")
    of_module = f"pytestmark = {marks.format(f'pytest.mark.llmeval{line}')}"
    alone = loaded(tmp_path, f"import pytest\n{of_module}\n{function}")
    assert alone.prompt.digest == loaded(tmp_path, EVAL.format(**PLAIN)).prompt.digest
    other = EVAL.format(before=of_module, prompt="'{thing}?'")
    assert loaded(tmp_path, other).prompt.digest != alone.prompt.digest


def test_an_eval_may_define_dataclasses_whose_types_are_texts(tmp_path: Path) -> None:
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    made = "@dataclass\nclass Row:\n    thing: str\n"
    assert loaded(tmp_path, head + EVAL.format(**{**PLAIN, "before": made})).suite == "colour"


def test_an_eval_that_cannot_be_imported_leaves_no_module(tmp_path: Path) -> None:
    before = set(sys.modules)
    with pytest.raises(SettingsError, match="cannot be imported: ValueError: not now"):
        loaded(tmp_path, EVAL.format(**{**PLAIN, "before": "raise ValueError('not now')"}))
    assert set(sys.modules) - before == set()


@pytest.mark.parametrize(
    "line", ["from .prompts import ASK", "from ..shared import ASK", "from shared_evals.shared import ASK"]
)
def test_an_eval_in_a_package_imports_what_stands_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """As pytest has it: the package begins below the first folder without an ``__init__.py``."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "shared_evals"]:
        monkeypatch.delitem(sys.modules, name)
    inner = tmp_path / "shared_evals" / "colours"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        (folder / "__init__.py").touch()
    for path in (inner / "prompts.py", inner.parent / "shared.py"):
        path.write_text("ASK = 'Colour of {thing}'\n", "utf-8")
    found = loaded(tmp_path, EVAL.format(before=line, prompt="ASK"), folder="shared_evals/colours")
    assert found.prompt.digest == loaded(tmp_path, EVAL.format(**PLAIN)).prompt.digest
