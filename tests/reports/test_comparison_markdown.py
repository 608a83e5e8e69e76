"""A comparison in a pull request: what a model wrote stays text, and the whole fits."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.reports.comparison import Comparison, compare
from pytest_llmeval.reports.comparison_markdown import comparison_markdown
from pytest_llmeval.reports.markdown import LONGEST
from pytest_llmeval.reports.row_flips import RowText
from tests.reports.sides import judged, side

HOSTILE = [
    "| a | b |",
    "```\n</details><script>alert(1)</script>\n```",
    "~~~",
    "@octocat and #12 and GH-34 and gh-5 and www.example.com and https://example.com",
    "::error::gone wrong",
    "##[error]gone wrong",
    "<img src=x onerror=alert(1)>",
    "![x](https://example.com/pixel.png)",
    "- [ ] a box\n# a title",
    "`code` **bold** _slanted_ ~~gone~~ $\\frac{1}{2}$",
    "- a list",
    "1. one",
    "= a title =",
    "a\x1b[31mred\u202e",
    "",
]
PARSER = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])


def rendered(comparison: Comparison, **options: int) -> str:
    """Return the Markdown, which is never longer than it may be."""
    text = comparison_markdown(comparison, **options)
    assert len(text.encode()) <= options.get("longest", LONGEST)
    return text


def flipped(
    answer: str = "4", *, count: int = 3, suite: str = "qa", slices: tuple[str, ...] = (), name: str = "row"
) -> Comparison:
    """Return a comparison in which ``count`` rows got worse and all say ``answer``."""
    ids = [f"{name}{number}" for number in range(count)]
    texts = {each: RowText(prompt=answer, expected=answer, answer=answer, outcome="missed") for each in ids}
    base = [judged(each, 1.0, suite=suite, slices=slices) for each in ids]
    current = [judged(each, 0.0, suite=suite, slices=slices) for each in ids]
    return compare(side("main", base, texts), side("now", current, texts), Thresholds(), set_up=[answer])


def test_the_verdict_stands_first() -> None:
    """With the reason, so that a reviewer need not read on."""
    text = rendered(flipped(count=20))
    assert text.startswith("### ❌ llmeval: FAIL: qa f1 got worse (1.000 to 0.000, p ")
    assert "| f1 | 20 | 1.000 | 0.000 | \\-1.000 | 4.8e-07 |" in text
    assert "<details><summary>Rows that flipped: 20 for the worse, 0 for the better</summary>" in text


@pytest.mark.parametrize("text", HOSTILE)
def test_untrusted_text_is_inert_wherever_it_stands(text: str) -> None:
    """In answers, prompts, targets, ids, slices, suites and what is said of the set-up."""
    found = rendered(flipped(text, suite=text or "qa", slices=(text or "s",), name=text))
    check(found, rows=3)


@settings(max_examples=60)
@given(st.text(max_size=60), st.text(min_size=1, max_size=20))
def test_any_text_is_inert(answer: str, name: str) -> None:
    """Whatever a model or a dataset holds."""
    check(rendered(flipped(answer, suite=name, slices=(name,), name=name)), rows=3)


def check(text: str, *, rows: int) -> None:
    """Parse ``text`` and see that nothing in it is markup but our own."""
    tokens = PARSER.parse(text)
    html = [token.content.strip() for token in tokens if token.type == "html_block"]
    assert [re.sub(r"\d+", "N", block) for block in html] == [
        "<details><summary>Rows that flipped: N for the worse, N for the better</summary>",
        "</details>",
    ]
    kinds = {child.type for token in tokens for child in token.children or ()}
    assert kinds <= {
        "text",
        "text_special",
        "strong_open",
        "strong_close",
        "em_open",
        "em_close",
        "softbreak",
        "code_inline",
    }
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h3"]
    assert sum(token.type == "table_open" for token in tokens) == 2
    codes = [child.content for token in tokens for child in token.children or () if child.type == "code_inline"]
    assert sum(token.type == "fence" for token in tokens) + len(codes) == 4 * rows
    widths = [line.count("<td") for line in PARSER.render(text).split("<tr>") if "<td" in line]
    assert set(widths) == {5, 8}
    assert not [line for line in text.splitlines() if re.match(r"\s*::", line) or "##[" in line]
    outside = "".join(token.content for token in tokens if token.type == "inline")
    for code in codes:
        outside = outside.replace(f"`{code}`", "", 1)
    assert not re.search(r"(?<![\\\u2060])@\w|#\d|\w://\w|www\.\w|(?i:gh)-\d", outside)


def test_a_fence_is_longer_than_any_inside() -> None:
    """So an answer cannot end its block."""
    text = rendered(flipped("`````\nstill inside"))
    assert "``````text\n`````\nstill inside\n``````" in text


def test_long_answers_are_cut_and_say_by_how_much() -> None:
    """2,000 characters are shown."""
    assert f"{'x' * 2000}\n... 500 characters more" in rendered(flipped("x" * 2500))


@pytest.mark.parametrize("longest", [LONGEST, 30_000, 8_000, 6_000])
def test_rows_are_left_out_whole_where_there_is_no_room(longest: int) -> None:
    """The text still parses, and says how many rows there are beside those shown."""
    comparison = flipped("ü" * 1900, count=300)
    text = rendered(comparison, longest=longest)
    shown = text.count("**worse**")
    assert shown < 20
    assert f"*{300 - shown} more rows changed; " in text
    tokens = PARSER.parse(text)
    assert sum(token.type == "fence" for token in tokens) == 4 * shown
    assert text.rstrip().endswith("</details>")


def test_tables_without_room_are_told() -> None:
    """Hundreds of slices do not fit: those that do are whole."""
    comparison = flipped(count=2, slices=tuple(f"slice {number}" for number in range(1500)))
    text = rendered(comparison)
    assert "tables found no room here" in text
    assert len(text) < LONGEST


def test_without_flips_nothing_is_folded() -> None:
    """One line says so."""
    same = [judged(number, 1.0) for number in range(5)]
    text = rendered(compare(side("a", same), side("b", same), Thresholds(), set_up=[]))
    assert text.startswith("### ✅ llmeval: PASS: nothing got worse beyond what chance explains or the rules allow")
    assert "Rows that flipped: 0 for the worse, 0 for the better.\n" in text
    assert "<details>" not in text


def test_a_pass_that_could_not_fail_says_so_of_a_loss() -> None:
    """Half of six rows got worse in one of many suites; of a gain, and of no change, nothing is said."""
    suites = [f"s{number}" for number in range(13)]

    def run_of(bad: str) -> list[JudgedCase]:
        return [judged(n, 0.0 if n < 3 and suite == bad else 1.0, suite=suite) for suite in suites for n in range(6)]

    found = compare(side("a", run_of("s1")), side("b", run_of("s0")), Thresholds(), set_up=[])
    assert [(each.verdict, each.mde) for each in found.changes[:2]] == [("pass", None)] * 2
    text = rendered(found)
    assert re.findall("- note: (.*): 1 to 0.5 .*it cannot fail by itself with so few rows", text) == ["f1 max\\_drop=0"]
    assert text.count("- note: ") == 1


def test_the_verdicts_that_are_no_pass_say_why() -> None:
    """In the head and under the table."""
    base = [judged(number, 1.0) for number in range(10)]
    changed = [judged(number, 1.0, input_digest="other") for number in range(10)]
    text = rendered(compare(side("a", base), side("b", changed), Thresholds(), set_up=[]))
    assert "### ⚠️ llmeval: UNMEASURABLE: qa f1: only 0 of 10 baseline rows pair" in text
    assert "- unmeasurable: f1 max\\_drop=0: only 0 of 10 baseline rows" in text
