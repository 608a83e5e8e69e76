"""How a case begins: an empty ``CaseRun``, and its row, read again."""

import functools
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.cases import CaseParam, CaseRun, key_of
from pytest_llmeval.bridge.casework.judge import CaseJudge
from pytest_llmeval.bridge.casework.raised import is_fault
from pytest_llmeval.bridge.casework.runtime import Runtime
from pytest_llmeval.bridge.casework.turns import check_asking
from pytest_llmeval.core.errors import CaseError, DatasetError, ErrorKind
from pytest_llmeval.core.types import Response, Sample
from pytest_llmeval.scorers import ScoreBook
from pytest_llmeval.store.records import utc_now

__all__ = ["new_run", "read_row", "row_input"]

_OWN_SCORE = "use the fixture of the running test, and do not keep it"


def new_run(item: pytest.Item, param: CaseParam, runtime: Runtime) -> CaseRun:
    """Return the ``CaseRun`` of a case that begins; its row is not read yet."""
    run = CaseRun(
        key=key_of(item, param),
        sample=Sample(id=param.sample_id, input=None),
        book=ScoreBook(),
        started_at=utc_now(),
        cluster_key=param.eval.cluster,
    )
    check = functools.partial(check_asking, run, runtime, "score", _OWN_SCORE)
    run.book = ScoreBook(
        judge=CaseJudge(run, param.eval, runtime), check=check, is_fault=is_fault, answers=lambda: _answers(run)
    )
    return run


def _answers(run: CaseRun) -> tuple[Response, ...]:
    """Return the responses that a case got so far through its fixture ``model``."""
    return () if run.model is None else run.model.responses


def read_row(run: CaseRun, param: CaseParam) -> None:
    """Read the row of a case; raise CaseError if the row has changed."""
    try:
        run.take(param.eval.dataset.read(param.ref))
    except DatasetError as error:
        raise CaseError(str(error), kind=ErrorKind.CODE) from None


def row_input(run: CaseRun, param: CaseParam) -> Any:
    """Return the row's input for a case that ends; None if the row has changed.

    An input that is not a string is read once more: a body may have added what the model said to its ``sample``.
    """
    try:
        return run.sample.input if isinstance(run.sample.input, str) else param.eval.dataset.read(param.ref).input
    except DatasetError:
        return None
