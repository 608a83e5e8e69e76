"""Collection: each row of a marked function's dataset becomes an item; what is wrong is gathered, not raised."""

import hashlib
import inspect
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.cases import CaseParam, Eval, cluster_of
from pytest_llmeval.bridge.casework.fixtures import uses
from pytest_llmeval.bridge.casework.items import PARAM, suite_named
from pytest_llmeval.bridge.collection.checked_rows import CheckedRows
from pytest_llmeval.bridge.collection.code_digests import code_digest, names_in
from pytest_llmeval.bridge.collection.eval_code import COMPARING, JUDGING, rubric_problems
from pytest_llmeval.bridge.collection.parameter_sets import parametrized_names
from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.core.errors import DatasetError, UserError
from pytest_llmeval.core.ids import node_part
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.text import counted, is_storable, one_line, shown_value
from pytest_llmeval.loaders.datasets import open_dataset
from pytest_llmeval.loaders.prompt_fields import PromptFields
from pytest_llmeval.loaders.prompts import load_prompt
from pytest_llmeval.loaders.source import RowRef
from pytest_llmeval.models.params import wrong_params

__all__ = ["CaseMaker", "Reading"]


@dataclass(slots=True)
class Reading:
    """What was read of one function's dataset."""

    eval: Eval
    definition: pytest.Function
    """The test, whose function several classes may inherit, and several modules import."""
    code_digest: str
    asks_judge: bool
    """Whether the test function itself names what asks one."""
    fields: PromptFields
    """What its rows offer its prompt."""
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    """Over the rows taken, those of the other shards too, in their order."""
    digests_sum: int = 0
    """Of the digests of these rows, so that their order is nothing to it."""
    inputs: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    """Over their inputs, where code may make others in each process."""
    cases: int = 0
    """Items that were made of it, before any parametrize of the user's."""
    slices: set[str] = field(default_factory=set)
    limited: bool = False
    """Whether ``--limit`` left rows out."""
    sliced: bool = False
    """Whether ``--slice`` left rows out."""
    parts: dict[str, tuple[tuple[str, ...], str | None]] = field(default_factory=dict)
    """The slices and the cluster of each row taken, by its id; gathered only where rows matter beyond their cases."""
    metadata_keys: Counter[str] = field(default_factory=Counter)
    """In how many of the rows taken each is not null; gathered only where the marker names a cluster key."""
    unclustered: str = ""
    """How many of the rows taken lack the cluster key beside others that have it, in words; empty where none does."""


class CaseMaker:
    """Turns marked functions into cases."""

    def __init__(self, settings: Settings, *, models: Sequence[str], sized: Callable[[str], bool]) -> None:
        """Prepare for one session.

        Args:
            settings: of the session.
            models: the names of the models; at least one.
            sized: whether slices and clusters of a suite's rows are to be kept.
        """
        self._settings = settings
        self._models = models
        self._sized = sized
        self._marks: dict[str, pytest.MarkDecorator] = {}
        self._digest = hashlib.sha256()
        self.problems: list[str] = []
        self.has_unread = False
        """Whether rows, or a whole dataset, could not be read."""
        self.readings: list[Reading] = []

    @property
    def cases_per_row(self) -> int:
        """How many cases a row gives, before any parametrize of the user's."""
        return len(self._models) * self._settings.epochs

    @property
    def dataset_digest(self) -> str:
        """The sha256 in hex over the rows taken so far, those of the other shards too, in their order."""
        return self._digest.hexdigest()

    def parametrize(self, metafunc: pytest.Metafunc, marker: pytest.Mark) -> bool:
        """Make the cases of one function, of its good rows at least: by them one sees whether it is selected.

        What is wrong goes to ``problems``.

        Returns:
            Whether there is a case.
        """
        where = metafunc.definition.nodeid
        try:
            asks_judge = not (JUDGING | COMPARING).isdisjoint(names_in(metafunc.function))
            eval_ = self._eval(metafunc, marker, where)
            reading = Reading(
                eval=eval_,
                definition=metafunc.definition,
                code_digest=code_digest(metafunc.function),
                asks_judge=asks_judge,
                fields=PromptFields(eval_.prompt, parametrized_names(metafunc.definition)),
            )
            sets = list(self._parameter_sets(reading))
        except UserError as error:
            self.problems.append(str(error))
            self.has_unread = True
            return False
        self.readings.append(reading)
        if asks_judge:
            self.problems += rubric_problems(metafunc.definition)
        reading.cases = len(sets)
        if sets:
            metafunc.fixturenames.append(PARAM)
            metafunc.parametrize(PARAM, sets)
        return bool(sets)

    def unknown_slices(self) -> list[str]:
        """Return a problem for each ``--slice`` that no row has; none where ``--limit`` left rows unread."""
        if any(reading.limited for reading in self.readings):
            return []
        known = sorted(set[str]().union(*(reading.slices for reading in self.readings)))
        return [
            f"--slice {name}: no row has it; {_hint(name, known)}"
            for name in self._settings.slices
            if name not in known and self.readings
        ]

    def doubled_suites(self) -> list[str]:
        """Return a problem for each suite that two functions name."""
        first: dict[str, Reading] = {}
        problems = []
        for reading in self.readings:
            suite, where = reading.eval.suite, reading.eval.where
            other = first.setdefault(suite, reading)
            if other.eval.where != where:
                problems.append(
                    f"suite {suite!r} exists in {other.eval.where} and in {where};"
                    f" {_told_apart(other, reading)} with suite='...'"
                )
        return problems

    def notes(self, cases: Iterable[tuple[pytest.Item, CaseParam]], *, asks: bool) -> Iterator[str]:
        """Yield what is odd about the rows of cases that are to run, and about their prompts where a model is asked.

        Each is told once for each function.
        """
        asking = {param.eval.where: item for item, param in cases}
        for reading in self.readings:
            item, suite = asking.get(reading.eval.where), f"suite {one_line(reading.eval.suite, 60)}"
            if item is not None and asks:
                yield from reading.fields.notes(suite, is_sent=uses(item, "response"))
            if item is not None and reading.unclustered:
                key = one_line(repr(reading.eval.cluster), 60)
                yield f"{suite}: cluster={key}: {reading.unclustered} have no such key and count as independent of all"

    def _eval(self, metafunc: pytest.Metafunc, marker: pytest.Mark, where: str) -> Eval:
        try:
            given = inspect.signature(_marker).bind(*marker.args, **marker.kwargs)
        except TypeError as error:
            raise UserError(
                f"{where}: marker llmeval: {error}; llmeval(dataset, *, suite, prompt, params, cluster)"
            ) from None
        _check_single(metafunc.definition, where)
        _check_runs(metafunc.definition)
        given.apply_defaults()
        arguments = given.arguments
        _check_marker(arguments, where)
        place = {"rootdir": self._settings.rootdir, "test_file": metafunc.definition.path}
        try:
            dataset = open_dataset(self._settings.dataset or arguments["dataset"], where=where, **place)
            prompt = load_prompt(arguments["prompt"], **place)
        except UserError as error:
            raise type(error)(f"{where}: {error}") from None
        return Eval(
            suite=suite_named(marker, metafunc),
            where=where,
            dataset=dataset,
            prompt=prompt,
            params=dict(arguments["params"] or {}),
            cluster=arguments["cluster"],
        )

    def cut_by(self) -> str:
        """Return the options that left out rows of what was read; an empty text where none did."""
        limited, sliced = (any(getattr(each, name) for each in self.readings) for name in ("limited", "sliced"))
        return " and ".join([*(["--slice"] if sliced else []), *(["--limit"] if limited else [])])

    def _parameter_sets(self, reading: Reading) -> Iterator[Any]:
        taken = list(self._taken(reading))
        cluster = reading.eval.cluster
        if taken and cluster is not None and cluster not in reading.metadata_keys:
            self.problems.append(_no_cluster(reading))
        elif cluster is not None and (lacking := len(taken) - reading.metadata_keys[cluster]):
            reading.unclustered = f"{lacking} of {counted(len(taken), 'row')}"
        shard, epochs, many = self._settings.shard, self._settings.epochs, len(self._models) > 1
        own = taken if shard is None else [each for each in taken if shard.holds(each[1])]
        named: dict[str, tuple[str, str]] = {}
        for model in self._models:
            prefix = f"{node_part(model)}-" if many else ""
            for ref, sample_id, marks in own:
                base = prefix + node_part(sample_id)
                first = named.setdefault(base, (model, sample_id))
                if first != (model, sample_id):
                    raise UserError(_one_name(reading.eval.where, base, first, (model, sample_id)))
                for epoch in range(1, epochs + 1):
                    own_id = f"{base}-e{epoch}" if epochs > 1 else base
                    case = CaseParam(reading.eval, ref, sample_id, model, epoch, own_id)
                    yield pytest.param(case, id=own_id, marks=marks)

    def _taken(self, reading: Reading) -> Iterator[tuple[RowRef, str, tuple[pytest.MarkDecorator, ...]]]:
        """Yield what is kept of each good row that ``--slice`` and ``--limit`` leave; gather what is wrong."""
        checked = CheckedRows(reading.eval.dataset)
        try:
            yield from self._kept(reading, checked)
        except DatasetError:  # what was wrong before it is told before it
            self.problems += checked.wrong
            raise
        if wrong := checked.problems():
            self.problems += wrong
            self.has_unread = True

    def _kept(
        self, reading: Reading, checked: CheckedRows
    ) -> Iterator[tuple[RowRef, str, tuple[pytest.MarkDecorator, ...]]]:
        left = -1 if self._settings.limit is None else self._settings.limit
        wanted = set(self._settings.slices)
        sized = self._sized(reading.eval.suite)
        for ref, sample in checked:
            reading.slices.update(sample.slices)
            if wanted and wanted.isdisjoint(sample.slices):
                reading.sliced = True
                continue
            if left == 0:
                reading.limited = True
                break
            left -= 1
            marks: tuple[pytest.MarkDecorator, ...] = ()
            if sample.marks:
                try:
                    marks = self._decorators(sample.marks, f"{reading.eval.dataset.shown}:{ref.line}")
                except DatasetError as error:
                    checked.wrong.append(str(error))
                    continue
            if reading.eval.cluster is not None:
                reading.metadata_keys.update([key for key, value in sample.metadata.items() if value is not None])
            if sized:
                reading.parts[sample.id] = (sample.slices, cluster_of(sample, reading.eval.cluster))
            reading.fields.add(sample.input, sample.id)
            told = b"%x;" % ref.checksum
            self._digest.update(told)
            reading.digest.update(told)
            reading.digests_sum += int.from_bytes(hashlib.sha256(told).digest())
            if reading.eval.dataset.unit == "row":
                reading.inputs.update(canonical(sample.input).encode())
            yield ref, sample.id, marks

    def _decorators(self, names: tuple[str, ...], where: str) -> tuple[pytest.MarkDecorator, ...]:
        for name in names:
            if name not in self._marks:
                self._marks[name] = _mark(name, where)
        return tuple(self._marks[name] for name in names)


def _marker(
    dataset: object,
    *,
    suite: str | None = None,
    prompt: object = None,
    params: Mapping[str, Any] | None = None,
    cluster: str | None = None,
) -> None:
    """The signature of the marker ``llmeval``."""


def _check_single(definition: pytest.Item, where: str) -> None:
    """Raise UserError where the closest marker has another one beside it: of a class's and a function's one counts."""
    nodes = [node for node, _ in definition.iter_markers_with_node("llmeval")]
    together = nodes.count(nodes[0])
    if together > 1:
        raise UserError(
            f"{where}: {together} markers llmeval stand on {nodes[0].name}, inherited ones too, and one would be read;"
            " write a function for each dataset, mark subclasses alone, or name a callable that joins the rows"
        )


def _check_runs(definition: pytest.Function) -> None:
    """Raise UserError where a test is an async generator: pytest collects it, and neither it nor a plugin runs it."""
    if inspect.isasyncgenfunction(definition.function):
        path, line, name = definition.location
        raise UserError(
            f"{path}:{(line or 0) + 1}: {name} is an async generator, as it holds a yield, and nothing runs its body;"
            " take the yield out: what is set up and torn down around a test belongs into a fixture"
        )


def _is_named_by_class(definition: pytest.Item) -> bool:
    node, marker = next(definition.iter_markers_with_node("llmeval"))
    return isinstance(node, pytest.Class) and marker.kwargs.get("suite") is not None


def _check_marker(arguments: Mapping[str, Any], where: str) -> None:
    for key in ("suite", "cluster"):
        value = arguments[key]
        if value is not None and (not isinstance(value, str) or not value):
            raise UserError(f"{where}: marker llmeval: {key} must be a text that is not empty, found {value!r}")
    if not is_storable(arguments["suite"] or ""):
        told = "must be without NUL and lone surrogates, which the database cannot keep"
        raise UserError(f"{where}: marker llmeval: suite {told}, found {shown_value(arguments['suite'])}")
    params = {} if arguments["params"] is None else arguments["params"]
    if not isinstance(params, Mapping):
        raise UserError(f"{where}: marker llmeval: params must be a mapping, found {one_line(repr(params))}")
    for _, told in wrong_params(params):
        raise UserError(f"{where}: marker llmeval: params: {told}")
    try:
        canonical(params)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: marker llmeval: params must be what JSON can hold; {one_line(str(error))}") from None


def _mark(name: str, where: str) -> pytest.MarkDecorator:
    """Return the pytest mark of a row, by the project's own rule on unknown marks; a warning names the row."""
    place, _, line = where.rpartition(":")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            mark: pytest.MarkDecorator = getattr(pytest.mark, name)
        for each in told:
            warnings.warn_explicit(each.message, each.category, place or where, int(line) if line.isdecimal() else 1)
        return mark
    except pytest.fail.Exception as error:
        raise DatasetError(f"{where}: marks: {error}; register it or take it out") from None
    except Warning as error:
        raise DatasetError(f"{where}: marks: {error}") from None


def _no_cluster(reading: Reading) -> str:
    """Return what is wrong with a cluster key that no row has."""
    key, known = reading.eval.cluster or "", sorted(reading.metadata_keys)
    return (
        f"{reading.eval.where}: marker llmeval: cluster={one_line(repr(key))}: no row of {reading.eval.dataset.shown}"
        f" has this key in its metadata; {_hint(key, known, 'metadata keys')}"
    )


def _one_name(where: str, base: str, *cases: tuple[str, str]) -> str:
    """Return that two cases have one node id, which makes a suite fall apart, and what to do."""
    told = " and ".join(f"model {shown_value(model)} with row {shown_value(id_)}" for model, id_ in cases)
    return f"{where}: {told} are both called {base}; name a model in models.yaml, or change an id"


def _told_apart(first: Reading, second: Reading) -> str:
    """Return what to do about two functions of one suite."""
    one, other = first.definition, second.definition
    if one.function is not other.function:
        is_one = first.eval.where.rpartition("::")[0] == second.eval.where.rpartition("::")[0]
        in_one = is_one and _is_named_by_class(one) and _is_named_by_class(other)
        return f"{'leave suite= out of the marker of the class, or ' if in_one else ''}rename one"
    if one.cls is not None and other.cls is not None:
        return "mark the classes, not the test that they inherit, each"
    return "both are one function: keep one, or mark two that call it, each"


def _hint(name: str, known: list[str], what: str = "slices") -> str:
    there = f"{what} are {one_line(', '.join(known[:12]))}" if known else f"the rows have no {what}"
    return did_you_mean(name, known, there)
