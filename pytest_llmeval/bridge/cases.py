"""Cases: what a pytest item carries of its row, and what is gathered while it runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmeval.core.ids import input_digest
from pytest_llmeval.core.types import Call, CaseKey, Sample

if TYPE_CHECKING:
    from pytest_llmeval.loaders.prompts import Prompt
    from pytest_llmeval.loaders.source import Dataset, RowRef
    from pytest_llmeval.scorers import ScoreBook

__all__ = ["PARAM", "CaseParam", "CaseRun", "Eval", "param_of", "run_of", "suite_of"]

PARAM = "llmeval_case"
"""The name under which a case's parameter stands in its item's callspec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eval:
    """One marked test function: what all its cases share."""

    suite: str
    """The suite's name, before a parameter set is named in it."""
    where: str
    """File and function, as messages show them."""
    dataset: "Dataset"
    prompt: "Prompt"
    params: Mapping[str, Any]
    cluster: str | None


@dataclass(frozen=True, slots=True)
class CaseParam:
    """What one item carries: a row is read again when its case runs."""

    eval: Eval
    ref: "RowRef"
    sample_id: str
    model: str
    epoch: int
    own_id: str
    """The part of the node id that this plugin made."""


@dataclass(slots=True, kw_only=True)
class CaseRun:
    """What is gathered while a case runs, from its setup to its teardown."""

    key: CaseKey
    sample: Sample
    book: "ScoreBook"
    started_at: str
    calls: list[Call] = field(default_factory=list)
    error_kind: str | None = None
    error: str | None = None
    outcome: str | None = None
    """Decided by setup or call; a teardown that breaks turns it into an error."""
    prompt_shown: str | None = None

    @property
    def digest(self) -> str:
        """The digest of the row's input and target."""
        return input_digest(self.sample.input, self.sample.target)


RUN_KEY = pytest.StashKey[CaseRun]()


def param_of(item: pytest.Item) -> CaseParam | None:
    """Return what an item carries of its row; None for an item that is no case."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get(PARAM) if callspec is not None else None


def suite_of(item: pytest.Item, param: CaseParam) -> str:
    """Return the suite of a case: the function's, with the id of its ``parametrize`` set in brackets."""
    rest = item.callspec.id[len(param.own_id) + 1 :]  # type: ignore[attr-defined]  # a case has a callspec
    return f"{param.eval.suite}[{rest}]" if rest else param.eval.suite


def run_of(item: pytest.Item) -> CaseRun | None:
    """Return what has been gathered of a case that runs; None where nothing has."""
    return item.stash.get(RUN_KEY, None)


def cases_in(items: list[pytest.Item]) -> Iterator[tuple[pytest.Item, CaseParam]]:
    """Yield the items that are cases, with what they carry."""
    for item in items:
        param = param_of(item)
        if param is not None:
            yield item, param
