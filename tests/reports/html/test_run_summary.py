"""The head of a report."""

from dataclasses import replace

from pytest_llmeval.reports.html.run_summary import run_summary
from tests.reports.sample_run import VERDICTS, view


def test_a_reason_says_which_slice_and_model_it_is_of() -> None:
    failed = replace(VERDICTS[0], slice="hard", verdict="unmeasurable", reason="too <few>")
    verdicts = [failed, replace(failed, model="large", slice=None), VERDICTS[1]]
    page = run_summary(view(verdicts=verdicts), [], None, {}, {}, ["so <it> is"])
    for name in ("json_match [hard] min=0.8 on small", "json_match min=0.8 on large"):
        assert f'<p class="le-note">unmeasurable: {name}: too &lt;few&gt;</p>' in page
    assert '<p class="le-note">note: json_match min=0.8 on large: a rerun of the same system would miss' in page
    assert '<p class="le-note">so &lt;it&gt; is</p>' in page
