"""Estimates what judges will take, from the code of the tests, their rows and earlier runs."""

import ast
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmeval.bridge.casework.items import case_function
from pytest_llmeval.bridge.collection.eval_code import COMPARING, judge_calls
from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.core.errors import UserError
from pytest_llmeval.core.estimates import CHARS_PER_TOKEN, Estimate, SuiteCalls, estimate, estimate_tokens
from pytest_llmeval.core.judge.asking import comparison, preference_rubric, questions
from pytest_llmeval.core.judge.shown import shown_input, shown_reference
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.store.history import judge_history

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.cases import CaseParam
    from pytest_llmeval.core.judge.rubric import Rubric
    from pytest_llmeval.core.types import Message, Sample

__all__ = ["judge_estimate"]

_TOKENS_PER_DIMENSION = 100
"""Output tokens of a verdict: up to three sentences are asked for, at about 25 words."""


@dataclass(frozen=True, slots=True)
class _JudgeCall:
    """A place in a test that asks a judge."""

    rubrics: "tuple[Rubric, ...]"
    """Rubric of each call that it makes; empty if the code does not say which rubric."""
    count: int
    """Number of calls of each judge."""
    compares: bool


def judge_estimate(
    cases: "Sequence[tuple[pytest.Item, CaseParam]]",
    sampled: "Sequence[CaseParam]",
    judge: NamedModel,
    *,
    suite: str,
    settings: Settings,
    answer_tokens: float | None,
) -> Estimate | None:
    """Return what one judge will take for the cases of a suite; None if the suite does not ask it.

    The estimate assumes that each reply is a valid verdict, and that no verdict is known yet.

    Args:
        cases: of the suite.
        sampled: those among them whose prompts are examined.
        judge: one of the judges.
        suite: its name.
        settings: of the session.
        answer_tokens: mean length of an answer; None takes the length of the target.
    """
    known = judge_history(settings.db, suite, judge.name)
    found = _calls_in(*cases[0])
    counted = sum(call.count for call in found) * (1 + settings.judge_probe)
    calls = math.ceil(len(cases) * (known.calls_per_case or counted))
    if not calls:
        return None
    tokens_in, tokens_out = known.input_tokens, known.output_tokens
    if tokens_in is None:
        tokens_in = _mean([each for param in sampled for each in _prompts(param, found, answer_tokens)])
    if tokens_out is None:
        sizes = [len(rubric.dimensions) * _TOKENS_PER_DIMENSION for call in found for rubric in call.rubrics]
        tokens_out = _mean(sizes) if all(call.rubrics for call in found) else None
    asked = SuiteCalls(
        calls=calls,
        input_tokens=None if tokens_in is None else math.ceil(calls * tokens_in),
        output_tokens_per_call=tokens_out,
    )
    return estimate([asked], judge.prices)


def _calls_in(item: pytest.Item, param: "CaseParam") -> Sequence[_JudgeCall]:
    return _judge_calls(case_function(item), item.config.rootpath, param.eval.where)


@functools.lru_cache(maxsize=64)
def _judge_calls(function: Callable[..., Any], rootdir: Path, where: str) -> Sequence[_JudgeCall]:
    test_file = rootdir / where.partition("::")[0]
    return [
        _judge_call(method, given, _rubric(named, rootdir, test_file)) for method, given, named in judge_calls(function)
    ]


def _judge_call(method: str, given: Mapping[str | None, ast.expr], rubric: "Rubric | None") -> _JudgeCall:
    if method in COMPARING:
        return _JudgeCall((preference_rubric(rubric),) * 2 if rubric is not None else (), 2, compares=True)
    split = given.get("per_dimension")
    is_split = isinstance(split, ast.Constant) and bool(split.value)
    parts = () if rubric is None else _parts(rubric) if is_split else (rubric,)
    return _JudgeCall(parts, len(parts) or 1, compares=False)


def _rubric(named: Any, rootdir: Path, test_file: Path) -> "Rubric | None":
    """Return the rubric that a call names; None if the code does not tell which, or it cannot be read."""
    if named is None:
        return None
    from pytest_llmeval.loaders.rubrics import load_rubric

    try:
        return load_rubric(named, rootdir=rootdir, test_file=test_file)
    except (UserError, TypeError):  # reported when the test runs
        return None


def _parts(rubric: "Rubric") -> "tuple[Rubric, ...]":
    return tuple(replace(rubric, dimensions=(each,)) for each in rubric.dimensions)


def _prompts(param: "CaseParam", calls: Sequence[_JudgeCall], answer_tokens: float | None) -> Iterator[int | None]:
    """Yield the tokens of each prompt that a case shows a judge; None if that cannot be known."""
    try:
        sample = param.eval.dataset.read(param.ref)
    except UserError:  # reported by its case
        return
    answer = (
        "x" * math.ceil(answer_tokens * CHARS_PER_TOKEN)
        if answer_tokens is not None
        else shown_reference(sample.target)
    )
    for call in calls:
        if answer is None or not call.rubrics:
            yield None
            continue
        yield from (estimate_tokens(_messages(rubric, sample, answer, call)) for rubric in call.rubrics)


def _messages(rubric: "Rubric", sample: "Sample", answer: str, call: _JudgeCall) -> "Sequence[Message]":
    question, reference = shown_input(sample.input), shown_reference(sample.target)
    if call.compares:
        return comparison(rubric, question=question, first=answer, second=answer, reference=reference, repeat=1)[0]
    return questions(rubric, question=question, answer=answer, reference=reference, repeat=1)[0]


def _mean(numbers: Sequence[float | None]) -> float | None:
    """Return the mean; None if there is no number, or one of them is not known."""
    known = [number for number in numbers if number is not None]
    return sum(known) / len(known) if known and len(known) == len(numbers) else None
