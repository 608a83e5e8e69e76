"""The head of a report."""

from dataclasses import replace
from pathlib import Path

from pytest_llmeval.reports.html.run_summary import run_summary
from pytest_llmeval.store.baseline_file import write_baseline
from pytest_llmeval.store.baselines import find_baseline
from pytest_llmeval.store.records import Spending
from tests.reports.sample_run import VERDICTS, view
from tests.support.stored_runs import END, run


def test_a_reason_says_which_slice_and_model_it_is_of() -> None:
    failed = replace(VERDICTS[0], slice="hard", verdict="unmeasurable", reason="too <few>")
    verdicts = [failed, replace(failed, model="large", slice=None), VERDICTS[1]]
    page = run_summary(view(verdicts=verdicts), [], None, {}, {}, ["so <it> is"])
    for name in ("json_match [hard] min=0.8 on small", "json_match min=0.8 on large"):
        assert f'<p class="le-note">unmeasurable: {name}: too &lt;few&gt;</p>' in page
    assert '<p class="le-note">note: json_match min=0.8 on large: a rerun of the same system would miss' in page
    assert '<p class="le-note">so &lt;it&gt; is</p>' in page


def test_tokens_that_a_server_did_not_tell_are_unknown() -> None:
    known = {"known_input_tokens": 1200, "known_output_tokens": 0}
    some = Spending(role="model", model="m", calls=2, input_tokens=None, output_tokens=None, cost_usd=None, **known)
    cells = [f'<td class="le-figure">{told}</td>' for told in ("2", "at least 1,200", "unknown", "unknown")]
    assert "".join(cells) in run_summary(view(), [some], None, {}, {}, [])


def test_what_differs_from_the_baseline_is_told(tmp_path: Path) -> None:
    before = run("old", end=END, git_branch="<main>")
    write_baseline(tmp_path / "main.jsonl", shown="", name="main", run=before, count=0, cases=[])
    base = find_baseline("main.jsonl", reader=None, root=tmp_path)
    page = run_summary(view(), [], base, {}, {}, [])
    assert '<p>Against main.jsonl (run old): no row flipped.</p><p class="le-note">what differs from it: ' in page
    assert "branch &lt;main&gt;" in page
