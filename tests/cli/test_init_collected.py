"""``llmeval init`` in a project whose tests have names of their own, and whose code is looked through."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command

EVAL = "evals/test_capitals.py"


def found(root: Path) -> int:
    """Return how many cases pytest collects of what was written."""
    command = [sys.executable, "-m", "pytest", "--co", "-q", "-p", "no:cacheprovider", "evals"]
    told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout
    return told.count("::")


@pytest.mark.parametrize(
    ("settings", "file", "function"),
    [
        ("python_files = check_*.py *_check.py", "check_capitals.py", "test_capitals"),
        ("python_files = tests/test_*.py *_spec.py", "capitals_spec.py", "test_capitals"),
        ("python_functions = check", "test_capitals.py", "check_capitals"),
        ("python_functions = *_works", "test_capitals.py", "capitals_works"),
        ("python_files = *_check.py\npython_functions = check_", "capitals_check.py", "check_capitals"),
        ("python_files = t*.py evals/*.py\npython_functions = t", "test_capitals.py", "test_capitals"),
        ("python_files = evals/*.py\npython_functions = *_capitals", "test_capitals.py", "test_capitals"),
    ],
)
def test_a_name_that_pytest_would_leave_out_is_told_with_one_that_it_takes(
    llmeval: Command, here: Path, settings: str, file: str, function: str
) -> None:
    """Else the next step, ``pytest evals``, would find no test; as it was told, it finds all rows."""
    (here / "pytest.ini").write_text(f"[pytest]\n{settings}\n", encoding="utf-8")
    told = " ".join(llmeval("init").out.split())
    is_taken = (file, function) == ("test_capitals.py", "test_capitals")
    assert found(here) == (10 if is_taken else 0)
    assert ("note: " in told) == (not is_taken)
    for key, name, wanted in (("files", "test_capitals.py", file), ("functions", "test_capitals", function)):
        note = rf"note: python_{key} of pytest.ini \(.*\) leaves {name} out: rename it, {wanted} for example"
        assert bool(re.search(note, told)) == (name != wanted)
    assert ('and give its marker suite="capitals"' in told) == (function != "test_capitals")
    text = (here / EVAL).read_text("utf-8").replace("def test_capitals", f"def {function}")
    (here / EVAL).unlink()
    (here / "evals" / file).write_text(text, encoding="utf-8")
    assert found(here) == 10


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ("python_files = ['specs/?.py']", "('specs/?.py') leaves test_capitals.py out: rename it"),
        ("python_files = []", "(nothing) leaves test_capitals.py out: rename it"),
        ("python_functions = ['?x']", "('?x') leaves test_capitals out: rename it, and give"),
    ],
)
def test_where_no_name_can_be_proposed_it_says_which_setting_it_is(
    llmeval: Command, here: Path, settings: str, note: str
) -> None:
    (here / "pytest.toml").write_text(f"[pytest]\n{settings}\n", encoding="utf-8")
    done = llmeval("init", "--json").json()
    (told,) = done["notes"]
    assert note in told


def test_its_imports_stand_as_linters_want_them(llmeval: Command, here: Path) -> None:
    """In one block: to the project, this package is a third party's, as pytest is."""
    llmeval("init")
    lines = (here / EVAL).read_text("utf-8").splitlines()
    imports = [number for number, line in enumerate(lines) if line.startswith(("import ", "from "))]
    assert [lines[number].split()[1] for number in imports] == ["pytest", "pytest_llmeval"]
    assert imports[1] == imports[0] + 1


def test_a_setting_that_cannot_be_read_is_pytests_to_tell(llmeval: Command, here: Path) -> None:
    (here / "pytest.toml").write_text("[pytest]\npython_files = [['a']]\n", encoding="utf-8")
    assert llmeval("init", "--json").json()["notes"] == []
