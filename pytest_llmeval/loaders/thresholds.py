"""Loading thresholds.yaml, strictly: all mistakes are reported at once, each with its line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pytest_llmeval.core.document import KeyPath, StrictDocument
from pytest_llmeval.core.errors import ThresholdsError
from pytest_llmeval.core.names import closest, did_you_mean
from pytest_llmeval.core.rules import (
    COUNTED_METRICS,
    MEASURED_METRICS,
    REGRESSION_KINDS,
    SHIPPED_SCORES,
    GateSettings,
    JudgeDemands,
    Rule,
    RuleKind,
    SuiteRules,
    Thresholds,
)
from pytest_llmeval.core.text import shown_yaml
from pytest_llmeval.loaders.strict_yaml import load_strict
from pytest_llmeval.loaders.thresholds_grammar import (
    FileModel,
    JudgeModel,
    PassAtModel,
    RuleModel,
    SettingsModel,
)

__all__ = ["load_thresholds"]

_EXAMPLE = "{min: 0.8}"
_EXAMPLES = {"pass_at": "{k: 3, min: 0.9}", "judge": "{min_kappa: 0.6}"}
_METRICS = frozenset({*COUNTED_METRICS, *MEASURED_METRICS, *SHIPPED_SCORES})
_KINDS = frozenset(get_args(RuleKind)) - {"noninferior"}
_CONFIDENT = frozenset({"min", "max"})
"""Bounds that ``confident`` applies to."""
_ON_A_CHANGE = (REGRESSION_KINDS - {"noninferior"}) | {"mode"}
"""Keys of rules on a change against the baseline."""
_NOT_ON: Mapping[str, frozenset[str]] = {
    "pass_rate": frozenset({"max_p50", "max_p95", "max_total"}),
    "error_rate": frozenset({"max_p50", "max_p95", "max_total", "every", "min_lower", "pass_at"}),
    **dict.fromkeys(MEASURED_METRICS, frozenset({"every", "min_lower", "pass_at"})),
}
"""Bounds that make no sense for a metric."""
_OTHER_SIDE: Mapping[str, Mapping[str, str]] = {
    "pass_rate": {"max_rise": "max_drop"},
    "error_rate": {"min": "max", "max_drop": "max_rise"},
    **dict.fromkeys(MEASURED_METRICS, {"max_drop": "max_rise"}),
}
"""Bounds that a metric would break by getting better, each with the bound that is meant."""

_ModelT = TypeVar("_ModelT", bound=BaseModel)


def load_thresholds(path: Path, *, shown_as: str | None = None) -> Thresholds:
    """Return the rules of the file at ``path``.

    For metrics and shipped scores that always lie in [0, 1], a bound outside [0, 1] is a mistake, and so is a bound of
    1 on their change. Scores not in SHIPPED_SCORES may be any finite number and accept any finite bound.

    Args:
        path: The file.
        shown_as: The name of the file in messages, ideally relative to the rootdir; the bare file name when None.

    Raises:
        ThresholdsError: with a line ``FILE:LINE: KEY: what is wrong, what to do`` for each mistake, in the order of the
            file.
    """
    document = load_strict(path, error=ThresholdsError, shown_as=shown_as or path.name, exponents_are_texts=True)
    reader = _Reader(document)
    thresholds = reader.thresholds()
    reader.raise_problems()
    return thresholds


class _Reader:
    """Walks one document and collects its problems: the first one of each key."""

    def __init__(self, document: StrictDocument) -> None:
        self._document = document
        self._problems: dict[KeyPath, str] = {}

    def thresholds(self) -> Thresholds:
        """Return the rules, which are valid only if ``raise_problems`` finds none."""
        self._refuse_empty(self._document.data, ())
        found = self._validate(FileModel, self._document.data, (), "version: 1")
        data = self._document.data if isinstance(self._document.data, dict) else {}
        defaults = self._settings(data.get("defaults"), ("defaults",), GateSettings())
        suites = self._mapping(data.get("suites", {}), ("suites",), "suites by name")
        return Thresholds(
            shown_as=self._document.shown_as,
            baseline=found.baseline if found else None,
            defaults=defaults,
            suites={name: self._suite(name, raw, defaults) for name, raw in suites.items()},
        )

    def raise_problems(self) -> None:
        """Raise one ThresholdsError with all problems, in the order of the file, if there are any."""
        found = sorted(self._problems, key=self._document.line_near)
        if found:
            raise ThresholdsError("\n".join(self._document.problem(path, self._problems[path]) for path in found))

    def _problem(self, path: KeyPath, text: str) -> None:
        self._problems.setdefault(path, text)

    def _refuse_empty(self, value: object, path: KeyPath) -> None:
        """Record every key without a value; YAML reads it as null, which could be mistaken for a default."""
        if value is None:
            key, _, bound = str(path[-1]).partition(" ") if path else ("", "", "")
            colon = f" (is a colon missing? {key}: {bound})" if bound and " " not in bound else ""
            self._problem(path, f"has no value; write one, or take the key out{colon}")
        if isinstance(value, list):
            value = dict(enumerate(value))
        if isinstance(value, dict):
            for key, inner in value.items():
                self._refuse_empty(inner, (*path, key))

    def _mapping(self, raw: object, path: KeyPath, what: str) -> dict[str, Any]:
        if isinstance(raw, dict) and raw:
            return raw
        if raw != {}:
            self._problem(path, f"found {shown_yaml(raw)}; write a mapping of {what}")
        elif self._document.line_of(path) is not None:
            self._problem(path, f"is empty; write {what}, or take the key out")
        return {}

    def _validate(self, model: type[_ModelT], raw: object, path: KeyPath, example: str) -> _ModelT | None:
        """Return ``raw`` as ``model``; if it is invalid, record each problem and return None."""
        try:
            return model.model_validate(raw)
        except ValidationError as problem:
            for error in problem.errors(include_url=False):
                self._problem((*path, *error["loc"]), _explain(error, model, example))
            return None

    def _settings(self, raw: object, path: KeyPath, base: GateSettings) -> GateSettings:
        """Return ``base`` updated with the settings in ``raw``; None changes nothing."""
        found = self._validate(SettingsModel, raw, path, "{alpha: 0.05}") if raw is not None else None
        if found is None:
            return base
        chosen = found.model_dump(exclude_unset=True)
        if "allow_change" in chosen:
            chosen["allow_change"] = tuple(dict.fromkeys(chosen["allow_change"]))
        return replace(base, **chosen)

    def _suite(self, name: str, raw: object, defaults: GateSettings) -> SuiteRules:
        path: KeyPath = ("suites", name)
        content = self._mapping(raw, path, "metrics by name")
        slices = content.get("slices", {})
        parts = self._mapping(slices, (*path, "slices"), "slices by name") if "slices" in content else {}
        read = [rule for key, part in content.items() for rule in self._suite_part(path, key, part, parts)]
        of_suite = {rule.metric: rule.judge for rule in read if rule.slice is None}
        rules = [replace(rule, judge=rule.judge or of_suite.get(rule.metric)) for rule in read]
        return SuiteRules(
            name=name,
            settings=self._settings(content.get("settings"), (*path, "settings"), defaults),
            rules=tuple(rules),
            slice_lines={part: self._document.line_of((*path, "slices", part)) for part in parts},
            line=self._document.line_of(path),
        )

    def _suite_part(self, path: KeyPath, key: str, raw: object, slices: Mapping[str, Any]) -> Iterator[Rule]:
        """Yield the rules under one key of a suite: a metric, or ``slices``."""
        if key == "slices":
            for name, metrics in slices.items():
                here = (*path, key, name)
                for metric, rule in self._mapping(metrics, here, "metrics by name").items():
                    yield from self._metric((*here, metric), rule, metric, name)
        elif key != "settings":
            yield from self._metric((*path, key), raw, key, None)

    def _metric(self, path: KeyPath, raw: object, metric: str, part: str | None) -> Iterator[Rule]:
        """Yield a rule for each bound on one metric, in the order of the file."""
        if metric.casefold() in ("slice", "slices", "setting", "settings"):
            known = ("slices", "settings") if part is None else ()
            self._problem(path, f"unknown key {metric!r}; {did_you_mean(metric, known) or 'name a metric'}")
            return
        if metric not in _METRICS and _is_wrapper(raw):
            self._problem(path, "is read as a metric; write metrics right below their suite or slice")
            return
        misplaced = None if isinstance(raw, dict) else _misplaced(metric)
        if misplaced is not None:
            self._problem(path, misplaced)
        found = self._validate(RuleModel, raw, path, _EXAMPLE)
        if found is None or not isinstance(raw, dict):
            return
        self._check_whole(found, path)
        for key in raw:
            kind = cast(RuleKind, "noninferior" if key == "mode" else key)
            if key not in _KINDS | {"mode"}:
                continue
            bound, attempts = _bound(found, kind)
            self._check_bound((*path, "margin" if key == "mode" else key), key, bound, metric)
            yield Rule(
                suite=str(path[1]),
                metric=metric,
                kind=kind,
                bound=bound,
                k=attempts,
                slice=part,
                model=found.model,
                confident=found.confident and kind in _CONFIDENT,
                judge=None if found.judge is None else JudgeDemands(**found.judge.model_dump()),
                line=self._document.line_of((*path, key)),
            )

    def _check_whole(self, found: RuleModel, path: KeyPath) -> None:
        """Record inconsistencies between the keys of one rule."""
        given = found.model_fields_set
        if not given & (_KINDS | {"mode", "margin"}):
            self._problem(path, f"has no bound; write one such as {_EXAMPLE}")
        if found.min is not None and found.max is not None and found.min > found.max:
            self._problem((*path, "min"), f"found {found.min:.12g}, above max {found.max:.12g}; swap them")
        if found.mode is not None and found.margin is None:
            self._problem((*path, "mode"), "needs a margin beside it; write one such as margin: 0.03")
        if found.margin is not None and found.mode is None:
            self._problem((*path, "margin"), "has no mode beside it; write mode: noninferior")
        if found.confident and not given & _CONFIDENT:
            self._problem((*path, "confident"), "has neither min nor max beside it; write one, or take confident out")
        if found.judge is not None:
            self._check_judge(found.judge, path)

    def _check_judge(self, found: JudgeModel, path: KeyPath) -> None:
        """Record judge demands that are empty, or on a metric that no judge scores."""
        metric = str(path[-1])
        if not found.model_fields_set:
            self._problem((*path, "judge"), f"has no effect; write one such as {_EXAMPLES['judge']}")
        elif metric in (*COUNTED_METRICS, *MEASURED_METRICS):
            self._problem((*path, "judge"), f"{metric} is not a score of a judge; demand it of one that is")

    def _check_bound(self, path: KeyPath, key: str, bound: float | None, metric: str) -> None:
        """Record a bound that makes no sense for its metric."""
        meant = _OTHER_SIDE.get(metric, {})
        if key in meant:
            message = f"{key} fails where {metric} gets better, and passes where it gets worse"
            self._problem(path, f"{message}; write {meant[key]}")
        elif key in _NOT_ON.get(metric, ()):
            allowed = [kind for kind in get_args(RuleKind) if kind in _KINDS - _NOT_ON[metric] - set(meant)]
            self._problem(path, f"{key} has no meaning for {metric}; write one of {', '.join(allowed)}")
        elif bound is None:
            return
        elif metric in MEASURED_METRICS and bound < 0:
            self._problem(path, f"found {bound:.12g}, but {metric} is never below 0; write 0 or more")
        elif metric in (*COUNTED_METRICS, *SHIPPED_SCORES) and key != "max_total":
            if not 0 <= bound <= 1:
                self._problem(path, f"found {bound:.12g}, but {metric} lies in 0..1; write a number there")
            elif bound == 1 and key in _ON_A_CHANGE:
                message = f"found 1, but {metric} lies in 0..1 and cannot change by more"
                self._problem(path, f"{message}; write a number below 1")


def _bound(found: RuleModel, kind: RuleKind) -> tuple[float | None, int | None]:
    """Return the number of a rule and, for ``pass_at``, its k."""
    if kind == "every":
        return None, None
    if kind == "noninferior":
        return found.margin, None
    if kind == "pass_at":
        wanted = cast(PassAtModel, found.pass_at)
        return wanted.min, wanted.k
    return cast(float, getattr(found, kind)), None


def _explain(error: ErrorDetails, model: type[BaseModel], example: str) -> str:
    """Return what is wrong with one key, and what to do."""
    kind, value, path = error["type"], error["input"], [str(part) for part in error["loc"]]
    found = f"found {shown_yaml(value)}"
    if kind == "extra_forbidden":
        misplaced = _misplaced(path[-1]) if len(path) == 1 else None
        return misplaced or f"unknown key {path[-1]!r}; {did_you_mean(path[-1], _owner(model, path).model_fields)}"
    if kind == "missing":
        return f"is missing; write {example if path == ['version'] else _EXAMPLES['pass_at']}"
    if kind == "literal_error":
        return f"{found}; write {error.get('ctx', {})['expected']}"
    if kind == "value_error":
        return str(error.get("ctx", {})["error"])
    if kind == "list_type":
        return f"{found}; write a list such as [judge]"
    return f"{found}; write a mapping such as {_EXAMPLES.get(path[-1], example) if path else example}"


def _misplaced(key: str) -> str | None:
    """Return where a misplaced key belongs; None if it is neither a setting nor a key of a rule."""
    if key in SettingsModel.model_fields:
        return "is a setting; write it under settings: of its suite, or under defaults:"
    if key in RuleModel.model_fields:
        return f"is a key of a rule; write it under a metric, such as pass_rate: {_EXAMPLE}"
    return None


def _is_wrapper(raw: object) -> bool:
    """Whether the value of a metric is a mapping of mappings, none of which resembles part of a rule."""
    if not isinstance(raw, dict) or not raw:
        return False
    return all(
        isinstance(raw[key], dict) and (key in _METRICS or closest(key, RuleModel.model_fields) is None) for key in raw
    )


def _owner(model: type[BaseModel], path: Sequence[str]) -> type[BaseModel]:
    """Return the model that defines the keys at ``path``."""
    nested: dict[str, type[BaseModel]] = {"pass_at": PassAtModel, "judge": JudgeModel}
    return model if len(path) == 1 else nested[path[0]]
