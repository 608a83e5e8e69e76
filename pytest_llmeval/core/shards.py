"""Shards: the part of the samples that one of several machines runs."""

from dataclasses import dataclass

from pytest_llmeval.core.ids import digest

__all__ = ["Shard"]

_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``of`` parts of all samples; each sample is in exactly one part, the same on every machine."""

    number: int
    """From 1."""
    of: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Return the shard for a text ``i/N``; raise ValueError for any other text."""
        number, _, of = text.strip().partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise ValueError("expected i/N with i from 1 to N, such as 2/4")
        return cls(int(number), int(of))

    def holds(self, sample_id: str) -> bool:
        """Return whether a sample is in this shard; this depends on its id alone, not on model, epoch or suite."""
        return int(digest(sample_id)[:_DIGITS], 16) % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
