"""A hook of mkdocs: code in tables, as GitHub and Python-Markdown both show it, broken at its underscores."""

import re

_CODE = re.compile(r"`[^`]+`")
_CELL = re.compile(r"<td[ >].*?</td>", re.DOTALL)
_SHOWN = re.compile(r"<code>.*?</code>", re.DOTALL)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Return the page with plain bars in its tables' code: GitHub wants a backslash before each, mkdocs shows it."""
    lines = markdown.split("\n")
    return "\n".join(
        _CODE.sub(lambda code: code[0].replace("\\|", "|"), line) if line.startswith("|") else line for line in lines
    )


def on_page_content(html: str, **_: object) -> str:
    """Return the page with places to break the names in its tables, which are narrow."""
    return _CELL.sub(lambda cell: _SHOWN.sub(lambda code: code[0].replace("_", "_<wbr>"), cell[0]), html)
