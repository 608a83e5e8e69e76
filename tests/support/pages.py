"""The pages of the documentation, block by block."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.types import Sample
from pytest_llmeval.loaders.datasets import open_dataset

__all__ = [
    "BLOCKS",
    "CAPITALS",
    "FILE",
    "PAGES",
    "ROOT",
    "TEST",
    "WALKED",
    "Block",
    "blocks_of",
    "masked",
    "rows",
    "write",
]
ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
WALKED = "docs/tutorial.md"
"""Its blocks are run one after the other by test_tutorial.py."""
_BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"<!-- test: (.+) -->\s*\Z")
FILE = re.compile(r"\bin `([\w./-]+\.(?:jsonl|json|csv|yaml|py))`", re.IGNORECASE)
CAPITALS = '{"id": "fr", "input": "Capital of France?", "target": "Paris"}\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    kind: str
    text: str
    test: str
    path: str | None
    """The file that it is, by the text before it."""
    files: dict[str, str]
    """The files of its page that stand before it, by path."""

    def __str__(self) -> str:
        return f"{self.page}-{self.line}-{self.kind}"


def blocks_of(path: Path) -> Iterator[Block]:
    text = path.read_text("utf-8")
    files = {"data/capitals.jsonl": CAPITALS}
    end = 0
    for found in _BLOCK.finditer(text):
        before, end = text[end : found.start()], found.end()
        told = TEST.search(before)
        named = FILE.findall(TEST.sub("", before).rstrip().rpartition("\n\n")[2])
        yield Block(
            page=path.relative_to(ROOT).as_posix(),
            line=text.count("\n", 0, found.start()) + 1,
            kind=found["kind"],
            text=found["text"],
            test=told[1] if told else "",
            path=named[-1] if named else None,
            files=dict(files),
        )
        if named:
            files[named[-1]] = found["text"]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def rows(root: Path, name: str) -> list[Sample | DatasetError]:
    return [row for _, row in open_dataset(name, rootdir=root, test_file=root / "test_x.py").rows()]


def masked(text: str) -> str:
    """Return ``text`` without what every run has anew."""
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{6}", "ID", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", "TIME", text).strip()
