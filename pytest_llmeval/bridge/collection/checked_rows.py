"""The rows of a dataset, each id once; what is wrong with the others is gathered, not raised."""

from collections.abc import Iterator

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.ids import content_id
from pytest_llmeval.core.text import one_line
from pytest_llmeval.core.types import Sample
from pytest_llmeval.loaders.source import Dataset, RowRef

__all__ = ["CheckedRows"]

_MOST_PROBLEMS = 10


class CheckedRows:
    """The good rows of a dataset, each id once; the wrong ones are gathered, ten at most."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._lines: dict[str, int] = {}
        self.wrong: list[str] = []

    def __iter__(self) -> Iterator[tuple[RowRef, Sample]]:
        for ref, sample in self._dataset.rows():
            if len(self.wrong) >= _MOST_PROBLEMS:
                self.wrong.append(f"{self._dataset.shown}:{ref.line}: the rows from here on were not checked")
                return
            if isinstance(sample, DatasetError):
                self.wrong.append(str(sample))
            elif sample.id in self._lines:
                self.wrong.append(f"{self._dataset.shown}:{ref.line}: {self._doubled(sample)}")
            else:
                self._lines[sample.id] = ref.line
                yield ref, sample

    def _doubled(self, sample: Sample) -> str:
        """Return what to do about a row whose id an earlier one has."""
        id_, used = one_line(repr(sample.id)), f"is already used in {self._dataset.unit} {self._lines[sample.id]}"
        if sample.id == content_id(sample.input, sample.target):
            return f"id {id_}, made of input and target, {used}; delete one of the two rows, or give each an 'id'"
        return f"id {id_} {used}; ids must be unique"

    def problems(self) -> list[str]:
        """Return what is wrong with the rows met so far, or that the dataset has none."""
        if self.wrong or self._lines:
            return self.wrong
        return [f"{self._dataset.shown}: empty dataset; it needs at least one row with the key 'input'"]
