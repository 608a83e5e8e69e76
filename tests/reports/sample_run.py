"""One run with a bit of everything, the same on every day."""

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.types import CaseRecord, Score
from pytest_llmeval.reports.run_view import RunCases, RunView, view_run
from pytest_llmeval.store.records import Run
from tests.support.memory_store import MemoryStore
from tests.support.records import call, record, score
from tests.support.stored_runs import END, run

__all__ = ["VERDICTS", "everything", "view"]

VERDICTS = [
    Verdict(
        suite="extraction",
        model="small",
        metric="json_match",
        slice=None,
        rule="min=0.8",
        value=0.625,
        n=4,
        low=0.2198,
        high=0.9080,
        verdict="fail",
        reason="it is 0.625, below 0.8",
    ),
    Verdict(
        suite="extraction",
        model="large",
        metric="json_match",
        slice=None,
        rule="min=0.8",
        value=1.0,
        n=4,
        low=0.51,
        high=1.0,
        verdict="pass",
        reason="a rerun of the same system would miss the bar in 3 of 100 cases",
    ),
    Verdict(
        suite="extraction",
        model="small",
        metric="json_match",
        slice="hard",
        rule="min=0.5",
        value=0.25,
        n=2,
        verdict="inconclusive",
        reason="too few samples",
    ),
    Verdict(
        suite="extraction",
        model="small",
        metric="latency_s",
        slice=None,
        rule="max_p95=5",
        value=2.0,
        n=4,
        verdict="pass",
    ),
    Verdict(
        suite="extraction",
        model="small",
        metric="cost_usd",
        slice=None,
        rule="max_total=1",
        value=0.00004,
        n=4,
        verdict="pass",
    ),
    Verdict(
        suite="qa",
        model="large",
        metric="correctness",
        slice=None,
        rule="min=0.7",
        n=0,
        verdict="unmeasurable",
        reason="3 errors in 4 cases; without a value leave it open, between 0.25 and 1: 'first question', "
        "'second question', 'third question', 'fourth question' and 12 more; find their cause, then --resume",
    ),
    Verdict(
        suite="qa",
        model=None,
        metric="correctness",
        slice="long",
        rule="min=0.6",
        verdict="not_judged",
        reason="no case of slice 'long' was selected",
    ),
]


def everything() -> list[CaseRecord]:
    """Return the cases of three suites."""
    reason = (
        "json_match: 0.5 of the fields are right\n$.total: expected 12, got 21\n$.items[3].name: missing\n$.x: extra"
    )
    cases = []
    for model in ("small", "large"):
        for number, slices in enumerate([("easy",), ("easy", "dated"), ("hard",), ("hard",)]):
            is_bad = model == "small" and number > 0
            match = score("json_match", 0.5 if is_bad else 1.0, not is_bad, reason=reason if is_bad else None)
            valid = score("json_valid")
            cases.append(
                record(
                    f"row{number}",
                    suite="extraction",
                    model=model,
                    slices=slices,
                    outcome="missed" if is_bad else "passed",
                    scores=(match, valid),
                    calls=(call(cost_usd=0.00001),),
                )
            )
    unjudged = Score(name="correctness", value=None, passed=None, reason="no judge", status="none")
    error = "connection: could not reach http://10.0.0.1:8000/v1 after 6 attempts in 30 s: Connection refused by host"
    for number in range(5):
        failed = {"outcome": "error", "error_kind": "connection", "error": error}
        cases.append(record(f"q{number}", suite="qa", model="large", **(failed if number else {"scores": (unjudged,)})))
    cases.append(record("s", suite="qa", model="large", outcome="skipped"))
    cases.append(record("plain", suite="smoke", model="large", epoch=2, outcome="missed", error="assert 1 == 2"))
    return cases


def view(recorded: Run | None = None, verdicts: list[Verdict] | None = None) -> RunView:
    """Return the view of the run of everything."""
    store = MemoryStore()
    store.start_run(recorded or run(models=("small", "large")))
    for case in everything():
        store.add_case((recorded or run()).id, case)
    store.finish_run((recorded or run()).id, END)
    found = store.find_run("last")
    return view_run(found, RunCases.read(store, found.id, verbosity=2), VERDICTS if verdicts is None else verdicts)
