"""What the session of a run said of it, for reports whose reader may see its red check beside them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.gate.case import NOT_ANSWERED, JudgedCase
from pytest_llmeval.core.gate.judging import WORST_FIRST, SessionVerdict, Verdict, session_verdict
from pytest_llmeval.core.rules import MEASURED_METRICS, REGRESSION_KINDS, kind_of
from pytest_llmeval.core.status import FAILED, PASSED, UNMEASURABLE
from pytest_llmeval.core.text import and_more, one_line, shorten
from pytest_llmeval.reports.model_names import model_words, told_apart
from pytest_llmeval.reports.numbers import short
from pytest_llmeval.reports.rule_words import metric_name
from pytest_llmeval.store.records import FAILED_TESTS, UNFINISHED, Run

__all__ = ["OwnGate", "gate_headline", "gate_lines", "own_gate", "worse_mark"]

_WORST_FIRST: tuple[SessionVerdict, ...] = ("fail", "unmeasurable", "inconclusive", "none", "pass")
_BAD = frozenset({"fail", "unmeasurable", "inconclusive"})
_MOST = 10
"""Rules that are listed."""
_LONGEST = 200
"""Characters of a reason."""
_NAMED = 3
"""Failed tests and suites that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGate:
    """What the session of a run said of it when it ended; of one of its models or suites, what it said of that one."""

    verdict: SessionVerdict
    """As stored; ``none`` where nothing was judged."""
    exit_code: int | None
    """Of the session; None where it has not ended, or where it is about other models or suites, too."""
    unfinished: str | None
    """``running``, ``interrupted`` or ``crashed``; None where it came to its end."""
    shard: str | None
    """Which one of several it is, as 1/3; None for a whole run."""
    is_partial: bool
    is_imported: bool
    """Whether it comes from a file, in which no rules are kept."""
    models: tuple[str, ...]
    """Those that it is about."""
    rules: tuple[Verdict, ...]
    """Those that fail, cannot be measured or are inconclusive, in this order."""
    failed_tests: tuple[str, ...]
    """Node ids of failed tests that are no case, as far as they are kept."""
    unruled: tuple[str, ...] = ()
    """The suites without rules whose misses or errors fail the session; empty where that is not known."""

    @property
    def fails_beside(self) -> bool:
        """Whether no rule is failed, and what has none failed the session."""
        return self.verdict != "fail" and self.exit_code == FAILED and bool(self.unruled or self.failed_tests)

    @property
    def mark(self) -> SessionVerdict:
        """What the check of the session looks like."""
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
    """Return what the session of ``run`` said of it.

    Args:
        run: a recorded one.
        verdicts: those that are stored with it.
        model: the only one of its models that is looked at; None for all.
        suite: the only one of its suites that is; None for all.
        cases: of the run, to tell which suites without rules have misses or errors; none where its rules are not
            known.
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
    """Whether a case fails its session where its suite has no rules."""
    return case.outcome == "missed" or (case.outcome == "error" and case.error_kind not in NOT_ANSWERED)


def worse_mark(one: SessionVerdict, other: SessionVerdict) -> SessionVerdict:
    """Return the worse of two verdicts; where nothing was judged that is worse than a pass."""
    return min(one, other, key=_WORST_FIRST.index)


def gate_headline(gate: OwnGate | None, compared: SessionVerdict) -> str | None:
    """Return what stands before a comparison that came to ``compared``, in one line of plain text; None for nothing.

    That is what the session's own rules came to, unless they pass, and why its status is worse than the comparison.
    Names are not made harmless yet.
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
    """Return the rules that do not pass, one a line, where the headline does not name all; of very many the first."""
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
    """Return what failed the session that no rule is about; an empty text where that is not known."""
    tests, suites = ([one_line(each, 100) for each in found] for found in (gate.failed_tests, gate.unruled))
    told = [f"{and_more(tests, _NAMED)} failed"] if tests else []
    if suites:
        which = "a suite" if len(suites) == 1 else "suites"
        told.append(f"misses or errors in {which} without rules ({and_more(suites, _NAMED)})")
    if told and gate.verdict == "inconclusive":
        told.append("rules that are inconclusive, where on_inconclusive: fail")
    return ", and ".join(told)


def _rules(gate: OwnGate) -> Sequence[str]:
    names = told_apart(gate.models)
    return [_rule(each) + model_words(each.model, names) for each in gate.rules]


def _rule(verdict: Verdict) -> str:
    """Return what a rule is about and what was found, as short as it may be: of a change its two ends."""
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
