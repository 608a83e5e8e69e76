"""Escapes what pytest-html writes as HTML, and closes its page to scripts.

pytest-html 4.2 puts six things into its page as HTML: node ids, names of extras, extras of format html, cells, the
summary, values of the environment. Ids, names and addresses are escaped before it gets them. What hooks of the project
give it as HTML stays HTML; a Content-Security-Policy that allows only the two scripts of the page keeps the browser
from running any script in it (https://www.w3.org/TR/CSP3/#meta-element).
"""

import copy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pytest_llmeval.core.text import one_line, printable
from pytest_llmeval.reports.html.escape import Html, csp_hash, escaped
from pytest_llmeval.reports.html.report_page import SCRIPT
from pytest_llmeval.store.whole_file import whole_file

__all__ = ["close_page", "harmless_id", "harmless_report"]

_ADDRESSES = ("", "http", "https", "mailto")
"""Schemes that a link may have."""
_CHARSET = b'<meta charset="utf-8"/>'
_RELOAD = b' onclick="location.reload()"'
"""Attribute of a button in an unfinished page."""
_REST = "object-src 'none'; base-uri 'none'; form-action 'none'; frame-src 'none'"


def harmless_id(nodeid: str) -> Html:
    """Return a node id as HTML on one line, without a backslash: pytest-html reads escapes in it."""
    return Html(escaped(one_line(nodeid, 2_000)).replace("\\", "&#92;"))


def harmless_report(report: pytest.TestReport) -> pytest.TestReport:
    """Return a copy of a report whose id and extras are safe in a page."""
    made = copy.copy(report)
    made.nodeid = harmless_id(report.nodeid)
    if not report.longrepr:
        vars(made).pop("node", None)  # or pytest-html shows the worker's name as the log
    setattr(made, "extras", [_extra(each) for each in getattr(report, "extras", ())])  # noqa: B010 - pytest-html's own
    return made


def _extra(extra: dict[str, Any]) -> dict[str, Any]:
    """Return an extra with an escaped name, a link of a safe scheme, and text that can be written."""
    made = {**extra, "name": str(escaped(one_line(str(extra.get("name") or ""))))}
    content = extra.get("content")
    if extra.get("format_type") == "url":
        made["content"] = str(escaped(_address(str(content))))
    elif extra.get("format_type") == "text":
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content or "")
        made["content"] = printable(text)
    return made


def _address(text: str) -> str:
    try:
        return text if urlsplit(text.strip()).scheme.lower() in _ADDRESSES else "#"
    except ValueError:
        return "#"


def close_page(path: Path) -> None:
    """Make a written page run two scripts only: ours, and pytest-html's at its end.

    Raises:
        OSError: the page cannot be read or written.
    """
    page = path.read_bytes()
    begin, end, head = page.rfind(b"<script>"), page.rfind(b"</script>"), page.find(_CHARSET)
    if head < 0 or begin < page.rfind(b'id="data-container"') or end < begin:
        return  # another version's page
    head += len(_CHARSET)
    own = page[begin + len(b"<script>") : end].replace(b"\r\n", b"\n")
    hashes = " ".join(f"'{csp_hash(each)}'" for each in (SCRIPT.encode(), own))
    policy = f'<meta http-equiv="Content-Security-Policy" content="script-src {hashes}; {_REST}"/>'
    with whole_file(path) as file:
        file.write(page[:head] + f"\n    {policy}".encode())
        file.write(page[head:begin].replace(_RELOAD, b"", 1))
        file.write(page[begin:])
