"""The site of the pages: it builds without a warning, and nothing in it is loaded from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a link that leads nowhere and a page that the navigation lacks are errors."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert "not included in the" not in done.stderr, done.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site) for path in site.rglob("*.html")}
    assert built - pages == {Path("404.html")}
    assert pages <= built


def test_a_bar_in_a_table_is_shown_as_one(site: Path) -> None:
    assert "<code>--cache off|use|refresh|only</code>" in (site / "evals.html").read_text("utf-8")
    assert "\\|" not in "".join(re.findall("<td>.*</td>", (site / "evals.html").read_text("utf-8")))


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """Scripts, styles, fonts and pictures are the site's own; only a reader who follows a link goes elsewhere."""
    loaded = re.compile(r"<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?(?:https?:)?//", re.IGNORECASE)
    in_styles = re.compile(r"url\([\"']?(?:https?:)?//|@import[^;]*//", re.IGNORECASE)
    for path in site.rglob("*.html"):
        assert loaded.findall(path.read_text("utf-8")) == [], path.name
    for path in site.rglob("*.css"):
        assert in_styles.findall(path.read_text("utf-8")) == [], path.name
