"""Which run takes no baseline's name: one without a score that the rules compare and that the baseline has."""

from pathlib import Path

import pytest

from pytest_llmeval.core.types import Score
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.judged_runs import judged_record
from tests.support.records import record, score
from tests.support.stored_runs import END, run

JUDGED, UNJUDGED = "20250101-000000-aaaaaa", "20250102-000000-bbbbbb"
RULES = "version: 1\nsuites:\n  qa: {{{metric}: {{{rule}}}}}\n"
NO_JUDGE = Score(name="correctness", value=None, passed=None, reason="no judge", status="none")


@pytest.fixture
def judged(store: SqliteStore, llmeval: Command) -> SqliteStore:
    """A baseline that a judge scored, and a later run without a judge."""
    store.start_run(run(JUDGED))
    store.add_case(JUDGED, judged_record("a"))
    store.finish_run(JUDGED, END)
    assert llmeval("baseline", "set", "main").status == 0
    store.start_run(run(UNJUDGED, started_at="2025-01-02T00:00:00.000+00:00"))
    store.add_case(UNJUDGED, record("a", scores=(NO_JUDGE, score("contains", 1.0))))
    store.finish_run(UNJUDGED, END)
    return store


@pytest.mark.parametrize("rule", ["max_drop: 0.1", "max_rise: 0.1", "mode: noninferior, margin: 0.1"])
def test_a_run_without_a_judged_score_that_is_compared_is_refused(
    judged: SqliteStore, llmeval: Command, here: Path, rule: str
) -> None:
    """Else each judged run after it would end with 10, and the merge that did it would be green."""
    (here / "thresholds.yaml").write_text(RULES.format(metric="correctness", rule=rule), encoding="utf-8")
    (here / "pytest.ini").write_text('[pytest]\nllmeval_paths = "services/my billing" tests/evals\n', encoding="utf-8")
    assert llmeval("baseline", "export", UNJUDGED, "new.jsonl").status == 0
    for command in (["set", "main"], ["import", "new.jsonl", "--name", "main"]):
        done = llmeval("baseline", *command)
        assert done.status == 4
        assert " ".join(done.err.split()) == (
            f"llmeval: run {UNJUDGED} has no value of 'correctness' in suite 'qa', which baseline main (run {JUDGED})"
            " has: rules on its change would be unmeasurable. Run all evals (pytest 'services/my billing' tests/evals"
            " --judge-model SPEC), use another name, or give it up with: llmeval baseline rm main"
        )
    assert [each.run_id for each in judged.baselines()] == [JUDGED]
    assert llmeval("baseline", "set", "other").status == 0
    assert llmeval("baseline", "rm", "main").status == 0
    assert llmeval("baseline", "set", "main").status == 0


@pytest.mark.parametrize(
    ("metric", "rule"),
    [("correctness", "min: 0.5"), ("contains", "max_drop: 0.1"), ("latency_s", "max_rise: 1.0")],
)
def test_what_no_rule_compares_may_be_missing(
    judged: SqliteStore, llmeval: Command, here: Path, metric: str, rule: str
) -> None:
    """So may a score that the baseline lacks, too, and the latencies of answers that were scored again."""
    (here / "thresholds.yaml").write_text(RULES.format(metric=metric, rule=rule), encoding="utf-8")
    assert llmeval("baseline", "set", "main").status == 0


def test_a_score_without_a_judge_is_asked_for_without_one(judged: SqliteStore, llmeval: Command, here: Path) -> None:
    (here / "thresholds.yaml").write_text(RULES.format(metric="contains", rule="max_drop: 0.1"), encoding="utf-8")
    assert llmeval("baseline", "set", "main").status == 0
    done = llmeval("baseline", "set", "main", JUDGED)
    assert done.status == 4
    assert "no value of 'contains' in suite 'qa'" in " ".join(done.err.split())
    assert "Run all evals (pytest evals), use another name" in " ".join(done.err.split())


def test_rules_that_cannot_be_read_keep_nobody_from_naming_a_run(
    judged: SqliteStore, llmeval: Command, here: Path
) -> None:
    """The next session says what is wrong in them."""
    (here / "thresholds.yaml").write_text("version: 7\n", encoding="utf-8")
    (here / "pytest.toml").write_text("[pytest]\nllmeval_paths = [['a']]\n", encoding="utf-8")
    assert llmeval("baseline", "set", "main").status == 0
    assert "`pytest evals` makes one" in llmeval("runs", "--llmeval-db", "other.db").err


def test_without_folders_of_evals_all_run_by_pytest(llmeval: Command, here: Path) -> None:
    (here / "pytest.toml").write_text("[pytest]\nllmeval_paths = []\n", encoding="utf-8")
    assert "`pytest` makes one" in llmeval("runs").err
    (here / "pytest.toml").write_text(f"[pytest]\nllmeval_paths = ['{'a' * 300}']\n", encoding="utf-8")
    assert "each folder of llmeval_paths" in " ".join(llmeval("runs").err.split())
