"""Collection: each row of a marked function's dataset becomes an item; problems are gathered, not raised."""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.cases import CaseParam, Eval, cluster_of
from pytest_llmeval.bridge.casework.fixtures import uses
from pytest_llmeval.bridge.casework.items import PARAM, suite_named
from pytest_llmeval.bridge.collection.checked_rows import CheckedRows
from pytest_llmeval.bridge.collection.code_digests import code_digest, names_in
from pytest_llmeval.bridge.collection.eval_code import COMPARING, JUDGING, rubric_problems
from pytest_llmeval.bridge.collection.marker_arguments import marker_arguments
from pytest_llmeval.bridge.collection.parameter_sets import parametrized_names
from pytest_llmeval.bridge.collection.readings import Reading
from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.core.errors import DatasetError, UserError
from pytest_llmeval.core.ids import node_part
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.text import counted, one_line, shown_value
from pytest_llmeval.loaders.datasets import open_dataset
from pytest_llmeval.loaders.prompt_fields import PromptFields
from pytest_llmeval.loaders.prompts import load_prompt
from pytest_llmeval.loaders.source import RowRef

__all__ = ["CaseMaker"]


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
        """Whether some rows, or a whole dataset, could not be read."""
        self.readings: list[Reading] = []

    @property
    def cases_per_row(self) -> int:
        """Number of cases that a row gives, before any parametrize of the user's."""
        return len(self._models) * self._settings.epochs

    @property
    def dataset_digest(self) -> str:
        """The sha256 in hex over the rows taken so far, in their order, including those of other shards."""
        return self._digest.hexdigest()

    def parametrize(self, metafunc: pytest.Metafunc, marker: pytest.Mark) -> bool:
        """Make the cases of one function from its valid rows; whether it is selected depends on its cases.

        Problems go to ``problems``.

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
        """Return a problem for each ``--slice`` that no row has; empty if ``--limit`` left rows unread."""
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
                advice = _told_apart(other.definition, reading.definition)
                problems.append(
                    f"suite {suite!r} exists in {other.eval.where} and in {where}; {advice} with suite='...'"
                )
        return problems

    def notes(self, cases: Iterable[tuple[pytest.Item, CaseParam]], *, asks: bool) -> Iterator[str]:
        """Yield notes on the rows of cases that are to run, and on their prompts if a model is asked.

        Each note appears once for each function.
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
        arguments = marker_arguments(marker, metafunc.definition)
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

    def reading(self, eval_: Eval) -> Reading:
        """Return the reading of a function's dataset."""
        return next(each for each in self.readings if each.eval is eval_)

    def cut_by(self) -> str:
        """Return, in words, the options that left out rows; an empty string if none did."""
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
        named: dict[str, CaseParam] = {}
        for model in self._models:
            prefix = f"{node_part(model)}-" if many else ""
            for ref, sample_id, marks in own:
                base = prefix + node_part(sample_id)
                for epoch in range(1, epochs + 1):
                    own_id = f"{base}-e{epoch}" if epochs > 1 else base
                    case = CaseParam(reading.eval, ref, sample_id, model, epoch, own_id)
                    first = named.setdefault(base, case)
                    if (first.sample_id, first.model) != (sample_id, model):
                        raise UserError(_one_name(reading.eval.where, base, first, case))
                    yield pytest.param(case, id=own_id, marks=marks)

    def _taken(self, reading: Reading) -> Iterator[tuple[RowRef, str, tuple[pytest.MarkDecorator, ...]]]:
        """Yield the data kept of each valid row that ``--slice`` and ``--limit`` leave; gather problems."""
        checked = CheckedRows(reading.eval.dataset)
        try:
            yield from self._kept(reading, checked)
        except DatasetError:  # earlier problems are reported first
            reading.unread = True
            self.problems += checked.row_problems
            raise
        if problems := checked.problems():
            self.problems += problems
            self.has_unread = reading.unread = True

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
                    checked.row_problems.append(str(error))
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


def _mark(name: str, where: str) -> pytest.MarkDecorator:
    """Return the pytest mark of a row; the project's settings decide on unknown marks, and a warning names the row."""
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
    """Return the problem of a cluster key that no row has."""
    key, known = reading.eval.cluster or "", sorted(reading.metadata_keys)
    return (
        f"{reading.eval.where}: marker llmeval: cluster={one_line(repr(key))}: no row of {reading.eval.dataset.shown}"
        f" has this key in its metadata; {_hint(key, known, 'metadata keys')}"
    )


def _one_name(where: str, base: str, *cases: CaseParam) -> str:
    """Return the problem that two cases have one node id, which would split the suite, and what to do."""
    twins = " and ".join(f"model {shown_value(case.model)} with row {shown_value(case.sample_id)}" for case in cases)
    return f"{where}: {twins} are both called {base}; name a model in models.yaml, or change an id"


def _is_named_by_class(definition: pytest.Item) -> bool:
    node, marker = next(definition.iter_markers_with_node("llmeval"))
    return isinstance(node, pytest.Class) and marker.kwargs.get("suite") is not None


def _told_apart(one: pytest.Function, other: pytest.Function) -> str:
    """Return advice on two functions that name one suite."""
    if one.function is not other.function:
        is_one = one.nodeid.rpartition("::")[0] == other.nodeid.rpartition("::")[0]
        in_one = is_one and _is_named_by_class(one) and _is_named_by_class(other)
        return f"{'leave suite= out of the marker of the class, or ' if in_one else ''}rename one"
    if one.cls is not None and other.cls is not None:
        return "mark the classes, not the test that they inherit, each"
    return "both are one function: keep one, or mark two that call it, each"


def _hint(name: str, known: list[str], what: str = "slices") -> str:
    there = f"{what} are {one_line(', '.join(known[:12]))}" if known else f"the rows have no {what}"
    return did_you_mean(name, known, there)
