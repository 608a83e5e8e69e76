"""The facts that a collection found, in a form that an xdist worker can send to the controller."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.items import function_of
from pytest_llmeval.core.text import printable

__all__ = ["CollectionFacts", "SuiteFacts"]


@dataclass(slots=True, kw_only=True)
class SuiteFacts:
    """One suite of the session."""

    function: str = ""
    """Node id of the test function that makes these cases."""
    slices: list[str] = field(default_factory=list)
    """Sorted names of the slices of the rows that were read."""
    read_to_end: bool = True
    """False if ``--limit`` stopped the reading."""
    prompt: str = ""
    prompt_digest: str = ""
    params_digest: str = ""
    """sha256 in hex over the sampling parameters of its marker."""
    rows_digest: str = ""
    """sha256 in hex over the rows taken, in their order."""
    row_set_digest: str = ""
    """The same, whatever the order; see ``add_digests``."""
    code_digest: str = ""
    """sha256 in hex over the source of the test function and of the project's own scorers that it names."""
    made: int = 0
    """Number of cases that its rows gave, before anything but ``--limit`` and ``--slice`` left some out."""
    deselected: int = 0
    """Number of its rows that ``-m`` left out."""
    expected: dict[str, int] = field(default_factory=dict)
    """Number of cases to run, by model."""
    done: dict[str, int] = field(default_factory=dict)
    """Number of cases that had ended in an earlier session of a resumed run, by model."""
    selected_digest: str = ""
    """Digest of the ids of the rows that have a case which is to run or had ended, whatever their order."""
    order_digest: str = ""
    """sha256 in hex over the node ids of the cases that are to run, in their order."""
    inputs_digest: str = ""
    """sha256 in hex over the inputs of rows that code generated, whichever cases are to run."""
    left_out: list[str] = field(default_factory=list)
    """What left out cases, except ``-m``; empty if the run is not partial."""
    not_selected: int = 0
    """Number of cases that anything but ``-m``, ``--limit`` and ``--slice`` left out."""
    gone: list[str] | None = None
    """Sorted ids of rows that a resumed run asked about and that are not taken now; None if this was not examined."""

    @property
    def dealt(self) -> tuple[str, str]:
        """Digests that must be equal in all workers: xdist deals out cases by their numbers."""
        return self.order_digest, self.inputs_digest


@dataclass(slots=True, kw_only=True)
class CollectionFacts:
    """Everything that the session needs to know about the evals that were collected."""

    suites: dict[str, SuiteFacts] = field(default_factory=dict)
    unrun: dict[str, SuiteFacts] = field(default_factory=dict)
    """Suites that were read and have no case here. In a shard, what left out their rows counts in the joined run; in a
    run that is resumed with other rows, they may have lost some."""
    models: dict[str, str] = field(default_factory=dict)
    """Spec of each model, by its name."""
    judges: dict[str, str] = field(default_factory=dict)
    """Spec of each judge, by its name."""
    model_digests: dict[str, str] = field(default_factory=dict)
    """sha256 in hex over the spec and the parameters of each model, by its name."""
    judge_digests: dict[str, str] = field(default_factory=dict)
    """sha256 in hex over the spec and the parameters of each judge, by its name."""
    account_digests: dict[str, str] = field(default_factory=dict)
    """sha256 in hex over the address at which each server model and judge is asked, by its name."""
    changed: list[str] = field(default_factory=list)
    """What has changed since the resumed run began."""
    dataset_digest: str = ""
    unselected: list[str] = field(default_factory=list)
    """What left out entire suites, except ``-m``, each with their names; empty if every collected suite runs."""
    waiting: dict[str, int] = field(default_factory=dict)
    """Number of marked functions that nobody asked for, by the folder to name.

    An empty string counts those that wait only because they attack the judge, ``train`` the trainings."""
    all_collected: bool = False
    """Whether everything under ``llmeval_paths`` was collected."""
    others: list[str] = field(default_factory=list)
    """Sorted names of suites that were read and have no case to run here."""
    unmade: list[str] = field(default_factory=list)
    """Suites that have rules but no eval, known only if everything under ``llmeval_paths`` was collected."""
    notes: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    """The ``notes`` that are also shown before any call: a person may have meant something else."""
    problems: list[str] = field(default_factory=list)
    """Problems that make this session a usage error, each of one line or more."""
    count_only: bool = False
    """Whether no test runs (``--co``, ``--setup-only``, ``--setup-plan``)."""
    empty_shard: bool = False
    """Whether the shard of this session has none of the rows that were asked for; it is recorded all the same."""

    def suite_of(self, nodeid: str) -> str | None:
        """Return a suite of the function of a case that did not begin; None for an ordinary test."""
        function = function_of(nodeid)
        return next((name for name, suite in self.suites.items() if suite.function == function), None)

    @property
    def selected(self) -> int:
        """Number of cases to run."""
        return sum(sum(suite.expected.values()) for suite in self.suites.values())

    @property
    def done(self) -> int:
        """Number of cases that had ended in an earlier session of a resumed run."""
        return sum(sum(suite.done.values()) for suite in self.suites.values())

    @property
    def is_run(self) -> bool:
        """Whether the session records a run: one of its own, or the rest of a resumed one."""
        return bool(self.selected or self.done or self.empty_shard)

    @property
    def is_partial(self) -> bool:
        """Whether anything but ``-m`` left out cases."""
        return bool(self.unselected) or any(suite.left_out for suite in (*self.suites.values(), *self.unrun.values()))

    @property
    def worth_telling(self) -> bool:
        """Whether there is anything to report at all."""
        return bool(self.is_run or self.waiting or self.problems or self.notes)

    def tell_early(self, notes: Iterable[str]) -> None:
        """Add notes that are also shown before any call."""
        parts = list(notes)
        self.early += parts
        self.notes += [note for note in parts if note not in self.notes]

    def pass_over_problems(self, *, tells: bool) -> None:
        """Drop the problems, as no eval is left; ``tells`` says whether notes mention them."""
        self.notes += [f"not run: {problem}" for problem in self.problems] if tells else []
        self.problems.clear()

    def require_order_of(self, found: "CollectionFacts") -> None:
        """Require that another worker collected the same cases in the same order: xdist deals them out by number.

        Inputs count as well: one process asks ahead for the cases of another.

        Raises:
            UsageError: the cases differ, naming the suites; or the other worker found a problem.
        """
        if found.problems:
            raise pytest.UsageError(printable("\n".join(found.problems)))
        none = SuiteFacts()
        both = {
            name: (self.suites.get(name, none), found.suites.get(name, none)) for name in self.suites | found.suites
        }
        if names := [repr(name) for name, (one, other) in both.items() if one.dealt != other.dealt]:
            raise pytest.UsageError(
                f"suite {', '.join(names)}: its rows are others, or in another order, in each process of -n: give them"
                " fixed inputs and a fixed order (a seed for what is drawn, sorted() around a set, no time, no process"
                " id)"
            )

    def to_json(self) -> str:
        """Return the facts as one ASCII text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "CollectionFacts":
        """Return the facts that ``to_json`` wrote."""
        data: Mapping[str, Any] = json.loads(text)
        suites = {key: {name: SuiteFacts(**suite) for name, suite in data[key].items()} for key in ("suites", "unrun")}
        return cls(**{**data, **suites})
