"""The verdict of a run's own session, for reports whose readers may see its red check next to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.gate.case import NOT_ANSWERED, JudgedCase
from pytest_llmeval.core.gate.judging import WORST_FIRST, SessionVerdict, Verdict, session_verdict
from pytest_llmeval.core.rules import MEASURED_METRICS, REGRESSION_KINDS, kind_of
from pytest_llmeval.core.status import FAILED, PASSED, UNMEASURABLE
from pytest_llmeval.core.text import and_more, one_line, shorten
from pytest_llmeval.reports.model_names import distinct_names, model_words
from pytest_llmeval.reports.numbers import short
from pytest_llmeval.reports.rule_words import metric_name
from pytest_llmeval.store.records import FAILED_TESTS, UNFINISHED, Run

__all__ = ["OwnGate", "gate_headline", "gate_lines", "own_gate", "worse_mark"]

_WORST_FIRST: tuple[SessionVerdict, ...] = ("fail", "unmeasurable", "inconclusive", "none", "pass")
_BAD = frozenset({"fail", "unmeasurable", "inconclusive"})
_MOST = 10
"""Largest number of rules listed."""
_LONGEST = 200
"""Largest number of characters of a reason."""
_NAMED = 3
"""Largest number of failed tests, and of suites, named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGate:
    """The verdict of a run's session at its end, or the part of it that concerns one of its models or suites."""

    verdict: SessionVerdict
    """Verdict as stored; ``none`` if nothing was judged."""
    exit_code: int | None
    """Exit status of the session; None if it has not ended, or covers other models or suites too."""
    unfinished: str | None
    """``running``, ``interrupted`` or ``crashed``; None if the run came to its end."""
    shard: str | None
    """Shard, such as 1/3; None for a whole run."""
    is_partial: bool
    is_imported: bool
    """Whether the run comes from a file, which contains no rules."""
    models: tuple[str, ...]
    """Models that the verdict is about."""
    rules: tuple[Verdict, ...]
    """Rules that fail, cannot be measured or are inconclusive, in this order."""
    failed_tests: tuple[str, ...]
    """Node ids of failed tests that are not cases, as far as they are stored."""
    unruled: tuple[str, ...] = ()
    """Suites without rules whose misses or errors fail the session; empty if that is not known."""

    @property
    def fails_beside(self) -> bool:
        """Whether the session failed although no rule did: through a suite without rules, or an ordinary test."""
        return self.verdict != "fail" and self.exit_code == FAILED and bool(self.unruled or self.failed_tests)

    @property
    def mark(self) -> SessionVerdict:
        """Verdict that the session's check in CI looks like."""
        if self.verdict == "fail" or self.unfinished:
            return "fail" if self.verdict == "fail" else "unmeasurable"
        if self.exit_code in (None, PASSED):
            return self.verdict
        return "unmeasurable" if self.exit_code == UNMEASURABLE else "fail"


def own_gate(
    run: Run,
    verdicts: Iterable[Verdict],
    *,
    model: str | None,
    suite: str | None = None,
    cases: Iterable[JudgedCase] = (),
) -> OwnGate:
    """Return the verdict of the session of ``run``.

    Args:
        run: a recorded run.
        verdicts: the verdicts stored with it.
        model: the only model to look at; None for all.
        suite: the only suite to look at; None for all.
        cases: the cases of the run, to find suites without rules that have misses or errors; empty if the rules of the
            run are not known.
    """
    verdicts = list(verdicts)
    ruled = {each.suite for each in verdicts if each.metric not in (*MEASURED_METRICS, "error_rate")}
    known = [each for each in verdicts if model is None or each.model in (None, model)]
    known = [each for each in known if suite in (None, each.suite)]
    end, is_part = run.end, suite is not None or (model is not None and len(run.models) > 1)
    stored = "none" if end is None else end.verdict
    shard = run.settings.get("shard")
    return OwnGate(
        verdict=session_verdict(known) if is_part and (known or suite is not None) else stored,
        exit_code=None if end is None or is_part else end.exit_code,
        unfinished=run.shown_status if run.shown_status in UNFINISHED else None,
        shard=one_line(str(shard), 20) if shard else None,
        is_partial=bool(run.left_out),
        is_imported=run.is_imported,
        models=run.models if model is None else (model,),
        rules=tuple(each for word in WORST_FIRST[:3] for each in known if each.verdict == word),
        failed_tests=tuple(map(str, run.settings.get(FAILED_TESTS, ()))),
        unruled=tuple(sorted({case.suite for case in cases if case.suite not in ruled and _fails(case)})),
    )


def _fails(case: JudgedCase) -> bool:
    """Whether a case would fail its session if its suite has no rules."""
    return case.outcome == "missed" or (case.outcome == "error" and case.error_kind not in NOT_ANSWERED)


def worse_mark(one: SessionVerdict, other: SessionVerdict) -> SessionVerdict:
    """Return the worse of two verdicts; ``none`` is worse than a pass."""
    return min(one, other, key=_WORST_FIRST.index)


def gate_headline(gate: OwnGate | None, compared: SessionVerdict) -> str | None:
    """Return the line to show before a comparison whose verdict is ``compared``; None if nothing needs to be said.

    It gives the verdict of the session's own rules unless they pass, and the reason why the session's status is worse
    than the comparison. It is plain text; names in it are not escaped yet.
    """
    if gate is None:
        return None
    if gate.verdict in _BAD and not gate.fails_beside:
        return _of_rules(gate)
    if gate.shard and not gate.unfinished and gate.mark == "none" and compared == "pass":
        return f"shard {gate.shard}, not judged; llmeval merge joins the shards and judges them"
    if gate.mark in _BAD and (gate.verdict in _BAD or worse_mark(gate.mark, compared) != compared):
        return _of_status(gate)
    return None


def gate_lines(gate: OwnGate | None) -> list[str]:
    """Return the rules that do not pass, one per line and at most ten, if the headline does not name them all."""
    if gate is None or len(gate.rules) < (1 if gate.fails_beside else 2):
        return []
    lines = [f"{each.verdict}: {words}" for each, words in zip(gate.rules, _rules(gate), strict=True)]
    more = len(lines) - _MOST
    return [*lines[:_MOST], *([f"and {more:,} more; llmeval show has them"] if more > 0 else [])]


def _of_rules(gate: OwnGate) -> str:
    word = f"gate {gate.verdict.upper()}{' of a partial run' if gate.is_partial else ''}"
    if gate.verdict == "inconclusive" and gate.exit_code == FAILED:
        word += ", which fails the run"
    elif gate.verdict == "inconclusive" and gate.exit_code == PASSED:
        word += ", which the rules let pass"
    told = _rules(gate)
    if told:
        return f"{word}: {told[0]}" + (f", and {len(told) - 1:,} more" if len(told) > 1 else "")
    if gate.is_imported:
        return f"{word} where it was recorded, whose rules are not in the file"
    return f"{word}: answers are missing; llmeval show says why"


def _of_status(gate: OwnGate) -> str:
    if gate.unfinished:
        state = "is still running" if gate.unfinished == "running" else f"was {gate.unfinished}"
        return f"the run {'crashed' if gate.unfinished == 'crashed' else state} and is not judged"
    word = f"{gate.mark.upper()}: the session ended with status {gate.exit_code}"
    if told := _beside(gate):
        return f"{word}: {told}"
    if gate.exit_code == FAILED:
        return f"{word}, though no rule failed: a suite without rules has misses or errors, or a test failed"
    return f"{word}, though no rule says so; llmeval show says why"


def _beside(gate: OwnGate) -> str:
    """Return what failed the session outside its rules; an empty text if that is not known."""
    tests, suites = ([one_line(each, 100) for each in found] for found in (gate.failed_tests, gate.unruled))
    told = [f"{and_more(tests, _NAMED)} failed"] if tests else []
    if suites:
        which = "a suite" if len(suites) == 1 else "suites"
        told.append(f"misses or errors in {which} without rules ({and_more(suites, _NAMED)})")
    may_fail = "; inconclusive rules fail a session only with on_inconclusive: fail"
    return ", and ".join(told) + (may_fail if told and gate.verdict == "inconclusive" else "")


def _rules(gate: OwnGate) -> Sequence[str]:
    names = distinct_names(gate.models)
    return [_rule(each) + model_words(each.model, names) for each in gate.rules]


def _rule(verdict: Verdict) -> str:
    """Return a rule and its finding in as few words as possible; for a change, the values before and after."""
    name = f"{one_line(verdict.suite, 60)} {metric_name(verdict)} {verdict.rule}"
    before, after = verdict.baseline_value, verdict.value
    is_number = verdict.verdict == "fail" or (verdict.verdict == "inconclusive" and not verdict.is_open)
    if is_number and kind_of(verdict.rule) in REGRESSION_KINDS and before is not None and after is not None:
        chance = "" if verdict.p_value is None else f" (p {verdict.p_value:.2g})"
        return f"{name}: {short(before)} to {short(after)}{chance}"
    reason = shorten(one_line(verdict.reason or "", _LONGEST), _LONGEST)
    if reason.startswith("it is "):
        return f"{name} {reason.removeprefix('it ')}"
    return f"{name}: {reason}" if reason else name
