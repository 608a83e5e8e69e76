"""The store in memory: the same promises as the SQLite one, which tests hold both to."""

from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.stats.clusters import design_effect
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.types import Call, CaseRecord, JudgeRecord, Score
from pytest_llmeval.store.call_table import SET_ASIDE
from pytest_llmeval.store.lookup import pick_run
from pytest_llmeval.store.records import EarlierOutcome, NamedBaseline, Run, RunEnd, Spending, stored_case
from pytest_llmeval.store.vote_counts import Repeats, VoteCounts
from tests.support.judged_cases import to_judged

__all__ = ["MemoryStore"]

_TOKENS = ("input_tokens", "output_tokens")


class MemoryStore:
    """Runs that last as long as this object."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._cases: dict[str, dict[str, StoredCase]] = {}
        self._calls: dict[str, dict[str, dict[str, Call]]] = {}
        self._judges: dict[str, dict[str, JudgeRecord]] = {}
        self._earlier: dict[str, list[EarlierOutcome]] = {}
        self._verdicts: dict[str, list[Verdict]] = {}
        self._labels: dict[tuple[str, str, str], Label] = {}
        self._baselines: dict[str, NamedBaseline] = {}

    def start_run(self, run: Run) -> None:
        """Record a run that begins."""
        self._runs[run.id] = run
        self._cases[run.id] = {}
        self._judges[run.id] = {}
        self._earlier[run.id] = []
        self._calls[run.id] = {}
        self._verdicts[run.id] = []

    def resume_run(self, run: Run, *, seen: Run | None = None) -> bool:
        """Record that a run of before goes on; its cases stay."""
        now = self._runs[run.id]
        if seen and (now.pid, now.host, now.process_started) != (seen.pid, seen.host, seen.process_started):
            return False
        self._runs[run.id] = run
        self._verdicts[run.id] = []
        return True

    def add_case(self, run_id: str, case: CaseRecord) -> StoredCase:
        """Record a finished case; what it came to before is kept apart."""
        stored = stored_case(run_id, case)
        named = {name: replace(call, name=name) for name, call in _named(case.calls)}
        before = self._calls[run_id].get(stored.id, {})
        replaced = self._cases[run_id].pop(stored.id, None)
        if replaced is not None:
            number = 1 + sum(each.case_id == stored.id for each in self._earlier[run_id])
            self._earlier[run_id].append(EarlierOutcome.of(replaced, number=number))
            before = {call.name: call for call in (_set_aside(call, number) for call in before.values())}
            if (replaced.input_digest, replaced.response) != (stored.input_digest, stored.response):
                self._labels = {key: label for key, label in self._labels.items() if label.case_id != stored.id}
        newer = {name: call for name, call in named.items() if call.status == "ok" or name not in before}
        kept = {name: call for name, call in before.items() if name not in newer}
        self._calls[run_id][stored.id] = {**kept, **newer}
        self._cases[run_id][stored.id] = _in_order(stored)
        for judge in case.judges:
            self._judges[run_id].setdefault(judge.judge_id, judge)
        return stored

    def set_verdicts(self, run_id: str, verdicts: Iterable[Verdict]) -> None:
        """Record the verdicts of a run in place of earlier ones."""
        self._verdicts[run_id] = list(verdicts)

    def finish_run(self, run_id: str, end: RunEnd) -> None:
        """Record how a run ended."""
        self._runs[run_id] = replace(self._runs[run_id], end=end)

    def runs(self) -> list[Run]:
        """Return all runs, the newest first."""
        found: list[tuple[str, int, Run]] = []
        newest = ""
        for run in self._runs.values():
            newest = max(newest, run.started_at if run.host else "")
            told = replace(run, last_case_at=self._last_case_at(run.id))
            found.append((newest if run.host else run.started_at, len(found), told))
        return [run for *_, run in sorted(found, key=lambda each: each[:2], reverse=True)]

    def _last_case_at(self, run_id: str) -> str | None:
        return max((case.started_at for case in self._cases[run_id].values()), default=None)

    def find_run(self, ref: str) -> Run:
        """Return the run that ``ref`` means; raise StoreError where none or several do."""
        return pick_run(self.runs(), ref, where="memory", baselines=self.baselines())

    def cases(self, run_id: str) -> Iterator[StoredCase]:
        """Yield each case with its scores, in the order of recording."""
        return iter(list(self._cases.get(run_id, {}).values()))

    def unlucky(self, run_id: str, *, most: int | None) -> Iterator[StoredCase]:
        """Yield cases that missed or ended in an error, as ``cases`` does; ``most`` of each suite and outcome."""
        seen: Counter[tuple[str, str]] = Counter()
        for case in self.cases(run_id):
            kind = (case.key.suite, case.outcome)
            if case.outcome in ("missed", "error") and (most is None or seen[kind] < most):
                seen[kind] += 1
                yield case

    def judged(self, run_id: str) -> Iterator[JudgedCase]:
        """Yield what the gate needs of each case, in the order of recording."""
        return map(to_judged, self.cases(run_id))

    def calls(self, case_id: str) -> list[Call]:
        """Return the calls of a case, in their order."""
        return [call for of_run in self._calls.values() for call in of_run.get(case_id, {}).values()]

    def earlier_outcomes(self, run_id: str) -> list[EarlierOutcome]:
        """Return what cases of a run came to before they ran again, those of a case together, in their order."""
        return sorted(self._earlier.get(run_id, ()), key=lambda each: (each.case_id, each.number))

    def judges(self, run_id: str) -> list[JudgeRecord]:
        """Return what stands behind the judge_ids of a run, sorted by them."""
        return [judge for _, judge in sorted(self._judges.get(run_id, {}).items())]

    def verdicts(self, run_id: str) -> list[Verdict]:
        """Return the verdicts of a run, in the order of judging."""
        return list(self._verdicts.get(run_id, ()))

    def add_labels(self, labels: Iterable[Label]) -> int:
        """Record what people say; return how many took the place of one by the same rater."""
        replaced = 0
        for label in labels:
            key = (label.case_id, label.name, label.rater)
            replaced += self._labels.pop(key, None) is not None
            self._labels[key] = label
        return replaced

    def labels(self, run_id: str) -> list[Label]:
        """Return what people said of the cases of a run, in the order of recording."""
        return [label for label in self._labels.values() if label.case_id in self._cases.get(run_id, {})]

    def spending(self, run_id: str) -> list[Spending]:
        """Return what the calls of a run came to, by role and model."""
        calls = [call for of_case in self._calls[run_id].values() for call in of_case.values()]
        calls = [call for call in calls if call.status == "ok" or (call.cost_usd or 0) > 0]
        kinds = sorted({(call.role, call.model) for call in calls}, key=lambda kind: (kind[0] != "model", kind[1]))
        return [_spent(*kind, [call for call in calls if (call.role, call.model) == kind]) for kind in kinds]

    def voting(self, run_id: str) -> VoteCounts:
        """Return how the judges of a run agreed, with each other and with themselves."""
        panels, repeats = [], defaultdict(list)
        judged = ((case, each) for case in self.cases(run_id) for each in grouped(case.scores, _judgement).values())
        for case, scores in judged:
            row = (case.key.suite, case.cluster, case.key.sample_id if case.cluster is None else None)
            found = [[vote for vote in score.votes if vote.level] for score in scores]
            first = [[vote for vote in votes if not vote.repeat] for votes in found]
            if any(len(votes) > 1 for votes in first):
                differ = any(len({vote.value for vote in votes}) > 1 for votes in first)
                panels.append((max(map(len, first)), row, differ))
            for judge in {vote.judge for votes in first for vote in votes}:
                own = [[vote for vote in votes if vote.judge == judge] for votes in found]
                again = [votes for votes in own if len(votes) > 1 and votes[0].repeat == 0]
                if again:
                    repeats[judge].append((row, any(len({vote.value for vote in votes}) > 1 for votes in again)))
        return VoteCounts(
            judges=max((judges for judges, _, _ in panels), default=0),
            answers=len(panels),
            differed=sum(differ for _, _, differ in panels),
            effect=_effect([each[1:] for each in panels]),
            repeats=tuple(
                Repeats(
                    judge=judge, answers=len(each), differed=sum(differ for _, differ in each), effect=_effect(each)
                )
                for judge, each in sorted(repeats.items())
            ),
        )

    def import_run(
        self,
        run: Run,
        cases: Iterable[StoredCase],
        judges: Iterable[JudgeRecord] = (),
        *,
        calls: Iterable[tuple[str, Call]] = (),
        labels: Iterable[Label] = (),
        earlier: Iterable[EarlierOutcome] = (),
    ) -> bool:
        """Record a run that another store recorded; one whose id is here already gets the judges that it lacked."""
        if run.id in self._runs:
            deque(cases, maxlen=0)
            self._judges[run.id] |= {judge.judge_id: judge for judge in judges} | self._judges[run.id]
            return False
        kept = {case.id: _in_order(case) for case in cases}
        self.start_run(run)
        self._cases[run.id] = kept
        self._judges[run.id] = {judge.judge_id: judge for judge in judges}
        for case_id, call in calls:
            self._calls[run.id].setdefault(case_id, {})[call.name or "1"] = call
        self.add_labels(labels)
        self._earlier[run.id] = list(earlier)
        return True

    def set_baseline(self, name: str, run_id: str, at: str) -> None:
        """Name a run, in place of the one that had the name; raise StoreError where there is no such run."""
        if run_id not in self._runs:
            raise StoreError(f"memory: no run {run_id!r}")
        self._baselines[name] = NamedBaseline(name=name, run_id=run_id, set_at=at)

    def baselines(self) -> list[NamedBaseline]:
        """Return the named baselines, sorted by name."""
        return sorted(self._baselines.values(), key=lambda baseline: baseline.name)

    def drop_baseline(self, name: str) -> bool:
        """Take a name off its run, which stays; return whether it had one."""
        return self._baselines.pop(name, None) is not None

    def close(self) -> None:
        """Do nothing."""


def _spent(role: str, model: str, calls: list[Call]) -> Spending:
    """Return what ``calls`` to a model came to: answered ones, and others that are known to have cost something."""
    answered = [call for call in calls if call.status == "ok"]
    costs = [call.cost_usd for call in calls if call.cost_usd is not None]
    read, written = ([getattr(call, name) for call in answered if not call.cached] for name in _TOKENS)
    return Spending(
        role=role,
        model=model,
        calls=len(answered),
        input_tokens=None if None in read else sum(read),
        output_tokens=None if None in written else sum(written),
        known_input_tokens=sum(filter(None, read)),
        known_output_tokens=sum(filter(None, written)),
        cost_usd=sum(costs) if len(costs) == len(calls) else None,
    )


def _in_order(case: StoredCase) -> StoredCase:
    scores = [
        replace(score, votes=tuple(sorted(score.votes, key=lambda each: (each.repeat, each.judge))))
        for score in case.scores
    ]
    return replace(case, scores=tuple(sorted(scores, key=lambda score: score.name)))


def _set_aside(call: Call, number: int) -> Call:
    """Return a call of a case that runs again: one that failed gets another name."""
    if call.status == "ok" or SET_ASIDE in call.name:
        return call
    return replace(call, name=f"{call.name}{SET_ASIDE}{number}")


def _named(calls: Iterable[Call]) -> Iterator[tuple[str, Call]]:
    """Yield each call with its name; one without takes its number in its case."""
    return ((call.name or str(number), call) for number, call in enumerate(calls, 1))


def _effect(told: Sequence[tuple[Hashable, bool]]) -> float:
    """Return the design effect of the share of answers that differed, of the row of each and whether it did."""
    return design_effect([differ for _, differ in told], [row for row, _ in told])


def _judgement(score: Score) -> tuple[str | None, str]:
    """Return what the scores of one judgement share: the judge, and what stands before the dimension in their names."""
    return score.judge_id, score.name[: max(0, len(score.name) - len(score.dimension or ""))]
