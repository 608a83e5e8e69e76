"""The valid rows of a dataset, each id once; problems of the others are gathered, not raised."""

from collections.abc import Iterator

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.types import Sample
from pytest_llmeval.loaders.rows import doubled_id
from pytest_llmeval.loaders.source import Dataset, RowRef

__all__ = ["CheckedRows"]

_MOST_PROBLEMS = 10


class CheckedRows:
    """The valid rows of a dataset, each id once; gathers up to ten problems of the others."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._lines: dict[str, int] = {}
        self.row_problems: list[str] = []

    def __iter__(self) -> Iterator[tuple[RowRef, Sample]]:
        for ref, sample in self._dataset.rows():
            if len(self.row_problems) >= _MOST_PROBLEMS:
                self.row_problems.append(f"{self._dataset.shown}:{ref.line}: the rows from here on were not checked")
                return
            if isinstance(sample, DatasetError):
                self.row_problems.append(str(sample))
            elif sample.id in self._lines:
                told = doubled_id(sample, unit=self._dataset.unit, line=self._lines[sample.id])
                self.row_problems.append(f"{self._dataset.shown}:{ref.line}: {told}")
            else:
                self._lines[sample.id] = ref.line
                yield ref, sample

    def problems(self) -> list[str]:
        """Return the problems of the rows read so far, or that the dataset is empty."""
        if self.row_problems or self._lines:
            return self.row_problems
        return [f"{self._dataset.shown}: empty dataset; it needs at least one row with the key 'input'"]
