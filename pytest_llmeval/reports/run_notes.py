"""Notes and warnings of reports on a run: missing evals, changed code, lost calls, judges that disagree, reruns."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from pytest_llmeval.core.gate.case import NEVER_ASKED, XPASSED, JudgedCase, records_calls
from pytest_llmeval.core.gate.decide import name_samples
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.ids import case_id
from pytest_llmeval.core.stats.intervals import wilson
from pytest_llmeval.core.text import and_more, counted, one_line, shown_value
from pytest_llmeval.reports.rule_words import MDE_MEANS
from pytest_llmeval.store.code_state import GIT_REFUSED, resumed_on
from pytest_llmeval.store.gone_rows import gone_rows
from pytest_llmeval.store.records import FAILED_TESTS, MODEL_GIVEN, MOST_FAILED_TESTS, EarlierOutcome, Run
from pytest_llmeval.store.sqlite_reader import SqliteReader
from pytest_llmeval.store.vote_counts import Repeats, VoteCounts

__all__ = ["passed_wrongly", "run_notes", "voting_sentences"]

_MOST = 3
"""Largest number of cases, tests or suites that a warning names."""


def run_notes(
    run: Run, cases: Sequence[JudgedCase], reader: SqliteReader, *, ruled: Collection[str] | None = None
) -> list[str]:
    """Return the notes and warnings on a run, one text each.

    Args:
        run: a recorded run.
        cases: its cases.
        reader: its database.
        ruled: the suites that have rules; those of the recorded verdicts when None.

    Raises:
        StoreError: if the database cannot be read.
    """
    voting, earlier = reader.voting(run.id), reader.earlier_outcomes(run.id)
    verdicts = reader.verdicts(run.id)
    legend = [MDE_MEANS] if any(verdict.mde is not None for verdict in verdicts) else []
    with_rules = {verdict.suite for verdict in verdicts} if ruled is None else ruled
    is_needed = bool(with_rules) or ruled is not None or (bool(run.settings.get("resumes")) and _was_judged(run))
    unruled = _unruled(cases, with_rules) if is_needed else []
    failed = [*_failed_beside(run), *(f"warning: {each}" for each in passed_wrongly(cases)), *unruled]
    counts = [*failed, *_cut_off(run), *voting_sentences(voting), *_rerun_sentences(run.id, earlier, cases)]
    code = [*_unknown_code(run), *_other_code(run)]
    asked = [*_asked_elsewhere(run, cases), *_answered_by_others(cases)]
    return [*legend, *_unmade(run), *_gone(run), *code, *asked, *counts]


def _was_judged(run: Run) -> bool:
    """Whether a run finished in a way that would judge its rules, if it has any; a shard does not."""
    return run.shown_status == "finished" and not run.settings.get("has_rules")


def _unmade(run: Run) -> list[str]:
    """Return a warning if suites have rules without effect, because no eval defines them any more."""
    unmade: dict[str, int] = run.settings.get("unmade", {})
    base = one_line(str((run.settings.get("baseline") or {}).get("name")), 60)
    named = [
        shown_value(name) + (f" (baseline {base} has {counted(count, 'case')} of it)" if count else "")
        for name, count in unmade.items()
    ]
    if not named:
        return []
    suites, have = ("suite", "has") if len(named) == 1 else ("suites", "have")
    it = "it" if len(named) == 1 else "them"
    return [
        f"warning: {suites} {', '.join(named)} {have} rules, but no eval in llmeval_paths defines {it}: renamed,"
        " removed or elsewhere?"
    ]


def _gone(run: Run) -> list[str]:
    """Return a note for each suite with answers to rows that are no longer in its dataset."""
    return [
        f"note: {counted(len(ids), 'row')} of suite {shown_value(name)} {'is' if len(ids) == 1 else 'are'} not in its"
        f" dataset any more, as this run takes it; no rule counts {name_samples(ids)}"
        for name, ids in sorted(gone_rows(run).items())
    ]


def _unknown_code(run: Run) -> list[str]:
    """Return a note if git refused to say which code a run was made with."""
    refused = run.settings.get(GIT_REFUSED)
    if not refused:
        return []
    commit = "the commit"
    if run.git_commit is not None:
        commit = f"whether files are changed since {commit}, as GitHub names it,"
    return [f"note: {commit} is not recorded, as git refuses to look: {one_line(str(refused), 400)}"]


def _other_code(run: Run) -> list[str]:
    """Return a warning if a run was resumed with other code than it began with."""
    return [f"warning: {told}: its answers may be of several states of the application" for told in resumed_on(run)]


def _asked_elsewhere(run: Run, cases: Sequence[JudgedCase]) -> list[str]:
    """Return a note if suites finished without a call of the model, because an application may make its own calls.

    It is only given if the run has an option that would not apply to such calls: a cost limit, or a model named for
    this session.
    """
    has_limit = run.settings.get("options", {}).get("max_cost") is not None
    unheld = [
        *(["limited by --max-cost"] if has_limit else []),
        *(["chosen by --model or LLMEVAL_MODEL"] if run.settings.get(MODEL_GIVEN) else []),
    ]
    by_suite = grouped(cases, lambda case: case.suite)
    silent = [name for name, found in sorted(by_suite.items()) if not records_calls("input_tokens", found)]
    if not silent or not unheld:
        return []
    suites, they_ask = ("suite", "it asks") if len(silent) == 1 else ("suites", "they ask")
    alone = "itself" if len(silent) == 1 else "themselves"
    return [
        f"note: {suites} {one_line(', '.join(silent), 120)} made no call through model or response: if {they_ask}"
        f" a model by {alone}, that is not counted and not {' or '.join(unheld)}"
    ]


def _answered_by_others(cases: Iterable[JudgedCase]) -> list[str]:
    """Return a warning if cases made no call while another epoch or model of the same row did.

    An application with a cache of its own then returns the answers of the other case: models look alike, and epochs
    agree.
    """
    finished = (case for case in cases if case.outcome in ("passed", "missed"))
    silent: Counter[str] = Counter()
    for (suite, _), found in grouped(finished, lambda case: (case.suite, case.sample_id)).items():
        count = sum(not records_calls("input_tokens", [case]) for case in found)
        silent[suite] += count if count < len(found) else 0
    named = [f"{one_line(suite, 60)} ({counted(count, 'case')})" for suite, count in sorted(silent.items()) if count]
    if not named:
        return []
    suites = "suite" if len(named) == 1 else "suites"
    return [
        f"warning: {suites} {and_more(named, _MOST)}: no call was made, though another epoch or model of the same row"
        " made one; if the application keeps answers, turn that off: they are those of the other case"
    ]


def _failed_beside(run: Run) -> list[str]:
    """Return warnings if ordinary tests failed, or files could not be collected.

    No table shows them, but they decide the exit status.
    """
    failed = [one_line(str(name), 120) for name in run.settings.get(FAILED_TESTS, ())]
    files, names = [name for name in failed if "::" not in name], [name for name in failed if "::" in name]
    kind = "is not an eval" if len(names) == 1 else "are not evals"
    many, which = counted(len(names), "test"), and_more(names, _MOST)
    if len(names) > MOST_FAILED_TESTS:
        many, which = f"more than {MOST_FAILED_TESTS} tests", f"{', '.join(names[:_MOST])} and more"
    message = f"{many} that {kind} failed, and with it the session"
    broken = f"{counted(len(files), 'file')} could not be collected, which fails the session: {and_more(files, _MOST)}"
    return [*([f"warning: {broken}"] if files else []), *([f"warning: {message}: {which}"] if names else [])]


def _unruled(cases: Iterable[JudgedCase], ruled: Collection[str]) -> list[str]:
    """Return a note if misses in suites without rules fail a run, whatever the gate says.

    It is not needed in a session whose tests fail by these misses and which has no rules.
    """
    found = [case for case in cases if case.suite not in ruled and case.outcome == "missed"]
    named = ", ".join(one_line(suite, 60) for suite in sorted({case.suite for case in found}))
    suites = "a suite" if "," not in named else "suites"
    return (
        [f"note: {counted(len(found), 'case')} missed in {suites} without rules ({named}): status 1"] if found else []
    )


def passed_wrongly(cases: Iterable[JudgedCase]) -> list[str]:
    """Return a sentence if cases passed that had to fail: no rule reports it, and it decides the exit status."""
    found = [f"{one_line(case.sample_id, 60)} of {case.suite}" for case in cases if case.error_kind == XPASSED]
    message = f"{counted(len(found), 'case')} had to fail and passed (strict xfail), which fails a run"
    return [f"{message}: {and_more(found, _MOST)}"] if found else []


def _cut_off(run: Run) -> list[str]:
    """Return a sentence if calls of a run may have been paid for without an answer."""
    count = run.calls_cut_off
    if not count:
        return []
    were = f"{counted(count, 'call')} {'was' if count == 1 else 'were'} in flight when a session of this run ended"
    return [f"{were}; no answer was kept, and they may have been billed"]


def voting_sentences(voting: VoteCounts) -> list[str]:
    """Return a sentence for a panel, and one for each judge that judged answers twice or in two orders."""
    named = []
    if voting.answers:
        differed = f"{voting.differed:,} of {counted(voting.answers, 'answer')} ({_share(voting)})"
        named.append(f"judge panel: its {voting.judges} judges differed in {differed}")
    for each in voting.repeats:
        differed = f"{counted(each.differed, 'verdict')} differed ({_share(each)})"
        named.append(f"judge {one_line(each.judge, 60)}: {counted(each.answers, 'answer')} judged twice, {differed}")
    for each in voting.orders:
        compared = f"{each.differed:,} of {counted(each.answers, 'comparison')}"
        named.append(f"judge {one_line(each.judge, 60)}: the orders disagreed in {compared}")
    return named


def _share(counts: VoteCounts | Repeats) -> str:
    """Return the share of answers on which judges differed, with its 95 % interval."""
    share = counts.differed / counts.answers
    interval = wilson(share, counts.answers / counts.effect)
    return f"{share:.0%}, 95% interval {interval.low:.0%} to {interval.high:.0%}"


def _rerun_sentences(run_id: str, earlier: Iterable[EarlierOutcome], cases: Iterable[JudgedCase]) -> list[str]:
    """Return a sentence with the first cases that passed after a rerun; empty if there are none.

    Args:
        run_id: the id of the run.
        earlier: the earlier outcomes of its cases.
        cases: the cases with their final outcomes.
    """
    before: dict[str, Counter[str]] = defaultdict(Counter)
    for each in earlier:
        if each.outcome == "missed" or (each.outcome == "error" and each.error_kind not in NEVER_ASKED):
            before[each.case_id][each.error_kind or each.outcome] += 1
    if not before:
        return []
    passed = (case for case in cases if case.outcome == "passed")
    ids = ((case, case_id(run_id, case.suite, case.model, case.sample_id, case.epoch)) for case in passed)
    named = [
        f"{one_line(case.sample_id, 60)} of {one_line(case.suite, 60)} (before: {_counts(before[own])})"
        for case, own in ids
        if own in before
    ]
    if not named:
        return []
    return [f"{counted(len(named), 'case')} passed after a rerun: {and_more(named, _MOST)}"]


def _counts(kinds: Counter[str]) -> str:
    """Return the earlier outcomes of a case, with how often each occurred."""
    return ", ".join(one_line(kind) + (f" {count} times" if count > 1 else "") for kind, count in kinds.items())
