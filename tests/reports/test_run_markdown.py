"""A run in the summary of a job: what decides stands first, and nothing that a model wrote is markup."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.reports.html.report_rows import read_parts
from pytest_llmeval.reports.run_markdown import run_markdown
from pytest_llmeval.reports.run_report import read_report
from pytest_llmeval.reports.worst_cases import worst_cases
from pytest_llmeval.store.records import RunEnd
from pytest_llmeval.store.sqlite import SqliteStore
from tests.reports.sample_run import VERDICTS, everything
from tests.support.hostile import HOSTILE, harmless
from tests.support.hostile_run import hostile_run
from tests.support.memory_store import MemoryStore
from tests.support.records import call, record, score
from tests.support.stored_runs import END, run

PARSER = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])
FAILED = RunEnd(finished_at=END.finished_at, status="finished", exit_code=1, verdict="fail")
OURS = {"text", "text_special", "strong_open", "strong_close", "em_open", "em_close", "softbreak", "code_inline"}


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = SqliteStore(tmp_path / "x.db")
    yield opened
    opened.close()


def rendered(store: SqliteStore, ref: str = "last", **options: int) -> str:
    text = run_markdown(read_report(store.find_run(ref), reader=store, root=Path.cwd()), **options)
    assert len(text.encode()) <= options.get("longest", 65_536)
    return text


def inert(text: str) -> None:
    """Parse ``text``: its only HTML is ours, its tables keep their columns, nothing links, mentions or commands."""
    harmless(text)
    tokens = PARSER.parse(text)
    html = [re.sub(r"\d+", "N", token.content.strip()) for token in tokens if token.type == "html_block"]
    folds = "|".join(
        ["Misses: N, the worst first", "Errors: N", "Rows that flipped: N for the worse, N for the better"]
    )
    assert all(re.fullmatch(f"<details><summary>({folds})</summary>|</details>", block) for block in html), html
    assert html.count("</details>") * 2 == len(html)
    assert {child.type for token in tokens for child in token.children or ()} <= OURS
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h3"]
    for table in PARSER.render(text).split("<table>")[1:]:
        body = table.split("</table>")[0]
        assert len({len(re.findall("<t[dh]", row)) for row in body.split("<tr>")[1:]}) == 1
    outside = "".join(token.content for token in tokens if token.type == "inline")
    outside = re.sub(r"`[^`]+`", "", outside)
    assert not re.search(r"(?<![\\\u2060])@\w|#\d|\w://\w|www\.\w|(?i:gh)-\d", outside)


def begin(store: SqliteStore, end: RunEnd = FAILED, **about: Any) -> None:
    store.start_run(run(models=("small", "large"), **about))
    for case in everything():
        store.add_case(run().id, case)
    store.set_verdicts(run().id, VERDICTS)
    store.finish_run(run().id, end)


def test_the_verdict_the_gate_and_the_cost_are_told(store: SqliteStore) -> None:
    begin(store, name="nightly", git_commit="a" * 40, git_branch="main")
    text = rendered(store)
    inert(text)
    assert text.startswith(
        "### ❌ llmeval: FAIL (1 fail, 1 unmeasurable, 1 inconclusive, 3 pass, 1 not judged), exit status 1\n\n"
        "run 20250102-030405-abc123 (nightly): finished"
    )
    assert "commit aaaaaaaaaaaa on main" in text
    assert "**extraction** on large, small: 5 passed, 3 missed" in text
    assert "| small | json\\_match | 4 | 0.625 | 0.220..0.908 | 0 | min=0.8 | fail |" in text
    assert "- fail: json\\_match min=0.8 on small: it is 0.625, below 0.8" in text
    assert "- note: json\\_match min=0.8 on large: a rerun of the same system would miss the bar in 3 of 100" in text
    assert "- not judged (no case of slice 'long' was selected): qa correctness \\[long\\] min=0.6" in text
    assert "| model m | 8 | 80 | 40 | less than \\$0.0001 |" in text


def test_a_reason_says_which_slice_and_model_it_is_of(store: SqliteStore) -> None:
    begin(store)
    found = replace(VERDICTS[0], reason="too low")
    silent = replace(found, verdict="not_judged", value=0.5)
    store.set_verdicts(run().id, [found, replace(found, slice="hard"), replace(found, model="large"), silent])
    told = [line for line in rendered(store).splitlines() if line.endswith("too low")]
    assert sorted(told) == [
        "- fail: json\\_match \\[hard\\] min=0.8 on small: too low",
        "- fail: json\\_match min=0.8 on large: too low",
        "- fail: json\\_match min=0.8 on small: too low",
        "- not judged: json\\_match min=0.8 on small: too low",
    ]


def test_misses_and_errors_unfold_with_what_was_said(store: SqliteStore) -> None:
    begin(store)
    text = rendered(store)
    assert "<details><summary>Misses: 4, the worst first</summary>" in text
    assert text.index("**smoke** plain on large (epoch 2)") < text.index(
        "**extraction** row1 on small: json\\_match 0.500"
    )
    assert "asked: `q` · answer: `x`\n\nwhy:\n\n```text\njson_match: json_match: 0.5 of the fields are right" in text
    assert "<details><summary>Errors: 4</summary>" in text


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (END, "### ✅ llmeval: no rule was judged, exit status 0"),
        (FAILED, "### ❌ llmeval: no rule was judged, exit status 1"),
        (
            RunEnd(finished_at="", status="interrupted", exit_code=2, verdict="none"),
            "### ⚠️ llmeval: stopped, not judged",
        ),
        (RunEnd(finished_at="", status="unmeasurable", exit_code=10, verdict="none"), "### ⚠️ llmeval: no rule"),
    ],
)
def test_the_first_line_is_never_better_than_the_session(store: SqliteStore, end: RunEnd, told: str) -> None:
    """A suite without rules fails without a verdict of the gate; one that was stopped passed nothing."""
    store.start_run(run())
    store.finish_run(run().id, end)
    mark = "➖" if end is END else told[4]
    assert rendered(store).startswith(told.replace("✅", mark))


def test_flips_against_the_baseline_are_told(store: SqliteStore) -> None:
    base = "20250101-000000-base00"
    store.start_run(run(base, git_branch="main"))
    for number in range(12):
        store.add_case(base, record(f"r{number}", scores=(score(),), calls=(call(response="right"),)))
    store.finish_run(base, END)
    chosen = {"name": "main", "kind": "name", "run": base, "model": None}
    store.start_run(run(settings={"baseline": chosen}, git_branch="better"))
    for number in range(12):
        bad = number < 11
        scores = (score("exact", 0.0, False),) if bad else (score(),)
        case = record(
            f"r{number}", outcome="missed" if bad else "passed", scores=scores, calls=(call(response="wrong"),)
        )
        store.add_case(run().id, case)
    store.finish_run(run().id, END)
    text = rendered(store, run().id)
    inert(text)
    assert f"Against main (run {base}): Rows that flipped: 11 for the worse, 0 for the better" in text
    assert "\n\nwhat differs from it: branch main, now better\n\n" in text
    assert "**worse** qa r0: exact 1 to 0\n\nasked: `q` · before: `right` · now: `wrong`" in text
    assert "*1 more rows changed; `llmeval compare --json` has them.*" in text


def test_that_no_row_flipped_is_told_only_of_what_was_compared(store: SqliteStore) -> None:
    """Here and at the head of a page; a rule on a change that was judged had something beside it."""
    base = "20250101-000000-base00"
    store.start_run(run(base))
    store.add_case(base, record("r1", model="base", scores=(score(),)))
    store.finish_run(base, END)
    chosen = {"name": "main", "kind": "name", "run": base, "model": None}
    store.start_run(run(settings={"baseline": chosen}, models=("good", "bad")))
    for model in ("good", "bad"):
        store.add_case(run().id, record("r1", model=model, scores=(score("exact", 0.0, False),), outcome="missed"))
    store.finish_run(run().id, END)
    silent = replace(VERDICTS[0], suite="qa", model="bad", rule="max_drop=0.02", verdict="not_judged", value=None)
    for verdicts, told in (
        ([silent], "no rule on a change was judged against it"),
        ([replace(silent, rule="min=0.5")], "no rule on a change was judged against it"),
        ([silent, replace(silent, verdict="pass", value=1.0)], None),
    ):
        store.set_verdicts(run().id, verdicts)
        text = rendered(store, run().id)
        inert(text)
        assert f"Against main (run {base}): {told or 'Rows that flipped: 0 for the worse, 0 for the better'}" in text
        page = read_parts(store.find_run(run().id), Thresholds(), reader=store, root=Path.cwd()).summary
        assert f"Against main (run {base}): {told or 'no row flipped'}." in page


def test_a_baseline_that_is_gone_is_not_told(store: SqliteStore) -> None:
    store.start_run(run(settings={"baseline": {"name": "main", "kind": "name", "run": "gone", "model": None}}))
    store.finish_run(run().id, END)
    assert "Against" not in rendered(store)


@pytest.mark.parametrize("text", [*HOSTILE.values()], ids=[*HOSTILE])
def test_one_hostile_text_is_inert_wherever_it_stands(store: SqliteStore, text: str) -> None:
    store.start_run(run(name=text, git_commit="c" * 40, git_branch=text, models=(text,)))
    scores = (score(text, 0.0, False, reason=text),)
    store.add_case(
        run().id,
        record(text, suite=text, model=text, outcome="missed", scores=scores, calls=(call(model=text, response=text),)),
    )
    store.finish_run(run().id, FAILED)
    inert(rendered(store))


@pytest.mark.parametrize("longest", [1024 * 1024, 65_536, 20_000, 4_000])
def test_all_hostile_texts_at_once_fit(store: SqliteStore, longest: int) -> None:
    hostile_run(store)
    text = rendered(store, longest=longest)
    inert(text)
    if longest >= 65_536:
        assert f"<details><summary>Misses: {len(HOSTILE)}, the worst first</summary>" in text
        shown = 10 if longest > 65_536 else 9  # the tenth finds no room
        assert f"*{len(HOSTILE) - shown} more; `llmeval show -v` has them.*" in text
    else:
        assert "tables found no room here" in text


def test_the_worst_misses_come_first_and_few_are_held() -> None:
    """By their lowest failed score; a failed assertion is the worst; equal ones in the order of recording."""
    store = MemoryStore()
    store.start_run(run())
    for number, value in enumerate([0.4, 0.1, 0.3, 0.1, 0.2]):
        scores = (score("f1", value, False), score("other", 0.0, None))
        store.add_case(run().id, record(f"r{number}", outcome="missed", scores=scores))
    store.add_case(run().id, record("assert", outcome="missed", error="assert 1 == 2"))
    store.add_case(run().id, record("broken", outcome="error", error_kind="code", error="boom"))
    found = worst_cases(store, run().id, most=4)
    assert [each.case.key.sample_id for each in found.misses] == ["assert", "r1", "r3", "r4"]
    assert [each.case.key.sample_id for each in found.errors] == ["broken"]
    assert (found.missed, found.broken) == (6, 1)
