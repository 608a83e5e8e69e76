"""The judges of a session, their identity, and the id under which their scores compare."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_llmeval.bridge.casework.juror import Juror
from pytest_llmeval.core.judge.asking import judge_id
from pytest_llmeval.core.judge.panel import PanelMode
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import JudgeRecord
from pytest_llmeval.models.specs import storable_spec
from pytest_llmeval.scorers.judged_how import JudgedHow

if TYPE_CHECKING:
    from pytest_llmeval.core.judge.rubric import Rubric

__all__ = ["Judges"]


@dataclass(frozen=True, kw_only=True)
class Judges:
    """The judges of a session, in a process that runs cases."""

    jurors: tuple[Juror, ...]
    """Empty if nobody judges; more than one are a panel."""
    panel: PanelMode = "all"
    probe: float = 0.0
    """Share of the answers, in [0, 1], that each judge judges twice."""
    _records: dict[Any, JudgeRecord] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def identity(self) -> str:
        """Everything that determines the judges' verdicts, apart from the question itself."""
        found = [juror.identity for juror in self._ordered]
        return canonical(found[0] if len(found) == 1 else [self.panel, found])

    @cached_property
    def _ordered(self) -> list[Juror]:
        """The judges in an order that does not depend on how they were given; one that is asked alone stays first."""
        alone = 0 if self.panel == "all" else 1
        others = sorted(self.jurors[alone:], key=lambda juror: canonical(juror.identity))
        return [*self.jurors[:alone], *others]

    def record(self, rubric: "Rubric", how: JudgedHow) -> JudgeRecord:
        """Return the record of the judges, the rubric and the way of asking."""
        key = (rubric, how.reference, how.per_dimension, how.checks)
        if key not in self._records:
            self._records[key] = self._record(rubric, how)
        return self._records[key]

    def _record(self, rubric: "Rubric", how: JudgedHow) -> JudgeRecord:
        ways: dict[str, Any] = {
            **({"panel": self.panel} if len(self.jurors) > 1 else {}),
            **({} if how.reference else {"reference": False}),
            **({"per_dimension": True} if how.per_dimension else {}),
            **({"checks": [list(check) for check in how.checks]} if how.checks else {}),
        }
        asked = {key: way for key, way in ways.items() if key != "panel"}
        identity = canonical([self.identity, asked]) if asked else self.identity
        models = [(juror.model, juror.params) for juror in self._ordered]
        judges = [[storable_spec(model.spec.text), params, *model.other_api] for model, params in models]
        return JudgeRecord(
            judge_id=judge_id(rubric, identity),
            rubric=rubric.name,
            detail=canonical({"rubric": plain(rubric), "judges": judges, "how": ways}),
        )
