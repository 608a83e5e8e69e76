"""The tables of the pages are those of the code."""

import re
import subprocess
import sys
from pathlib import Path

from pytest_llmeval.bridge.config.options import OPTIONS
from pytest_llmeval.core.errors import ErrorKind

ROOT = Path(__file__).parent.parent


def test_the_reference_is_as_the_code_has_it() -> None:
    """Make it anew with: python docs/make_reference.py."""
    done = subprocess.run([sys.executable, str(ROOT / "docs" / "make_reference.py"), "--check"], check=False)
    assert done.returncode == 0, "python docs/make_reference.py"


def test_each_public_field_says_what_it_is() -> None:
    text = (ROOT / "docs" / "reference.md").read_text("utf-8")
    names = text[: text.index("## Scorers")]
    assert names.count("| field | type | is |") > 7
    assert not re.findall(r"^\| .*\|\s*\|$", names, re.MULTILINE)


def test_the_table_of_options_is_complete() -> None:
    text = (ROOT / "docs" / "evals.md").read_text("utf-8")
    for option in OPTIONS:
        flag = f"--{option.name}" if option.short else option.long_flag
        shown = f"{flag} {option.metavar}".strip().replace("|", r"\\\|")  # a bar within a cell is escaped
        row = rf"^\| `{shown}` \| `{option.key}` \| `{option.key.upper()}` \|"
        assert re.search(row, text, re.MULTILINE), option.name


def test_the_table_of_kinds_of_errors_is_complete() -> None:
    text = (ROOT / "docs" / "calls.md").read_text("utf-8")
    cells = re.findall(r"^\| (`[\w`, ]+`) \|", text[text.index("## When there is no answer") :], re.MULTILINE)
    told = {kind for line in cells for kind in re.findall(r"`(\w+)`", line)}
    assert {str(kind) for kind in ErrorKind} <= told
