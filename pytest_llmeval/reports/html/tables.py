"""HTML tables, and coloured labels for verdicts and outcomes."""

from collections.abc import Collection, Iterable, Sequence

from pytest_llmeval.reports.html.escape import Html, element

__all__ = ["chip", "table"]

_TONES = {
    "pass": "le-pass",
    "passed": "le-pass",
    "better": "le-pass",
    "fail": "le-fail",
    "missed": "le-fail",
    "worse": "le-fail",
    "error": "le-unsure",
    "inconclusive": "le-unsure",
    "unmeasurable": "le-unsure",
}


def chip(kind: str, text: str) -> Html:
    """Return a text as a label coloured by its kind: a verdict, an outcome, ``worse`` or ``better``."""
    return element("span", text, class_=f"le-chip {_TONES.get(kind, '')}".rstrip())


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()) -> Html:
    """Return a table that scrolls sideways if it is too wide; columns titled in ``right`` are aligned as numbers."""
    kinds = ["le-figure" if title in right else None for title in titles]
    head = [element("th", title, scope="col", class_=kind) for title, kind in zip(titles, kinds, strict=True)]
    body = [
        element("tr", *(element("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)))
        for row in rows
    ]
    whole = element("table", element("thead", element("tr", *head)), element("tbody", *body))
    return element("div", whole, class_="le-scroll")
