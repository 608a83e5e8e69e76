"""The data read from the dataset of a marked function."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field

import pytest

from pytest_llmeval.bridge.casework.cases import Eval
from pytest_llmeval.bridge.collection.facts import SuiteFacts
from pytest_llmeval.bridge.config.options import flag_of
from pytest_llmeval.core.left_out import add_digests
from pytest_llmeval.loaders.prompt_fields import PromptFields

__all__ = ["Reading"]


@dataclass(slots=True)
class Reading:
    """The data read from one function's dataset."""

    eval: Eval
    definition: pytest.Function
    """The test, whose function several classes may inherit and several modules may import."""
    code_digest: str
    asks_judge: bool
    """Whether the test function itself names a scorer that asks a judge."""
    fields: PromptFields
    """The fields of its rows that its prompt can use."""
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    """Digest of the rows taken, in their order, including those of other shards."""
    digests_sum: int = 0
    """Sum of the digests of these rows, so that their order does not count."""
    inputs: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    """Digest of their inputs, if code may generate different ones in each process."""
    cases: int = 0
    """Number of items made of it, before any parametrize of the user's."""
    slices: set[str] = field(default_factory=set)
    limited: bool = False
    """Whether ``--limit`` left rows out."""
    unread: bool = False
    """Whether a row is invalid, so that what it holds is not known."""
    sliced: bool = False
    """Whether ``--slice`` left rows out."""
    parts: dict[str, tuple[tuple[str, ...], str | None]] = field(default_factory=dict)
    """Slices and cluster of each row taken, by its id; gathered only if a rule or a resumed run needs them."""
    metadata_keys: Counter[str] = field(default_factory=Counter)
    """Number of rows in which each metadata key is not null; gathered only if the marker names a cluster key."""
    unclustered: str = ""
    """In words, how many rows taken lack the cluster key that others have; empty if none does."""

    def suite_facts(self) -> SuiteFacts:
        """Return the facts of this function's suite; its cases are not counted yet."""
        cuts = (("limit", self.limited), ("slice", self.sliced))
        return SuiteFacts(
            function=self.eval.where,
            slices=sorted(self.slices),
            read_to_end=not self.limited,
            prompt=self.eval.prompt.source,
            prompt_digest=self.eval.prompt.digest,
            params_digest=self.eval.params_digest,
            rows_digest=self.digest.hexdigest(),
            row_set_digest=add_digests([f"{self.digests_sum:x}"]),
            inputs_digest=self.inputs.hexdigest(),
            code_digest=self.code_digest,
            made=self.cases,
            left_out=[flag_of(name, self.definition.config) for name, cut in cuts if cut],
        )
