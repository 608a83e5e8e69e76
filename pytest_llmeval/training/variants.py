"""Variants of training rows: the same task with other values in another arrangement.

Values that a target quotes from its input are exchanged for values of other rows, in target and input alike, so that a
model must copy them from where they stand and cannot learn them by heart. Labelled lines and table columns change their
order and form. Values whose meaning matters are left alone: dates, times, years and the words of a short list.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from pytest_llmeval.core.strict_json import rebuilt
from pytest_llmeval.core.types import Sample
from pytest_llmeval.training.arranging import arranged, labels_of
from pytest_llmeval.training.exchanging import Exchange, Values, leaves

__all__ = ["Variants", "as_jsonl"]

_COMMON_LABEL = 8
"""Smallest number of rows that share a label; a rarer one may be the speaker of a chat, and is not a label."""


class Variants:
    """A maker of variants, which draws on the values of all rows."""

    def __init__(self, samples: Sequence[Sample], *, seed: int) -> None:
        """Collect values and labels of all rows. A text that several rows share is an instruction, and stays as it is.

        Args:
            samples: all rows; a target that is neither object nor list gets no other values.
            seed: decides, together with id and number, what a variant looks like.
        """
        self._seed = seed
        texts: Counter[str] = Counter()
        for sample in samples:
            texts.update({value for _, value in leaves(sample.input) if isinstance(value, str)})
        self._common = frozenset(text for text, count in texts.items() if count > 1)
        labels: Counter[str] = Counter()
        for sample in samples:
            labels.update({label for text in self._documents(sample.input) for label in labels_of(text)})
        self._labels = frozenset(label for label, count in labels.items() if count >= _COMMON_LABEL)
        self._values = Values(sample.target for sample in samples)

    def variant(self, sample: Sample, number: int) -> Sample:
        """Return a variant of a row; its input and target are unchanged if a variant would change their sense.

        Args:
            sample: one of the rows that this object was made with.
            number: of the variant, from 1; each number gives another variant.
        """
        rng = Random(f"{self._seed} {number} {sample.id}")  # noqa: S311 - no secret depends on it
        documents = "\n".join(self._documents(sample.input))
        rest = "\n".join(str(value) for _, value in leaves(sample.input) if not self._is_document(value))
        labels = [label for label in labels_of(documents) if label in self._labels]
        exchange = self._values.exchange(sample.target, documents, rest, labels, rng)
        target = rebuilt(sample.target, exchange.in_target)
        asked = rebuilt(sample.input, lambda value: self._asked(value, exchange, _listed(target), rng))
        named = replace(sample, id=f"{sample.id}, variant {number}")
        if not _says_the_same(sample.target, documents, target, "\n".join(self._documents(asked))):
            return named
        return replace(named, input=asked, target=target)

    def _asked(self, value: Any, exchange: Exchange, listed: set[str], rng: Random) -> Any:
        if not self._is_document(value):
            return value
        return arranged(exchange.in_text(value), self._labels, rng, listed=listed)

    def _documents(self, given: Any) -> list[str]:
        return [value for _, value in leaves(given) if self._is_document(value)]

    def _is_document(self, value: Any) -> bool:
        """Whether a value of an input is a text that no other row has."""
        return isinstance(value, str) and value not in self._common


def as_jsonl(samples: Iterable[Sample]) -> str:
    """Return rows as a dataset in JSON Lines."""
    rows = ({"id": each.id, "input": each.input, "target": each.target, "slice": list(each.slices)} for each in samples)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _listed(target: Any) -> set[str]:
    """Return the values in the lists of a target, whose order has a meaning."""
    return {str(value) for path, value in leaves(target) if "[]" in path and value not in (None, "")}


def _says_the_same(target: Any, documents: str, other: Any, others: str) -> bool:
    """Whether each text that ``target`` quotes from ``documents`` has a counterpart in ``other`` within ``others``."""
    pairs = zip(leaves(target), leaves(other), strict=True)
    return all(after in others for (_, before), (_, after) in pairs if isinstance(before, str) and before in documents)
