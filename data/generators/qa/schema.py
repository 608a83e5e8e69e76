"""What a topic module declares: layouts of passages, and questions over the values in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .cast import Cast, World


class UnsuitableError(Exception):
    """This draw gives no sound row (a tie, a fraction, a clash of values): draw again."""


@dataclass(frozen=True)
class Passage:
    """One passage: the opener always stands, body sentences are chosen as the question needs."""

    opener: str
    body: tuple[str, ...]
    heading: str = ""
    lines: bool = False
    ordered: bool = False
    most: int = 4


@dataclass(frozen=True)
class Layout:
    """A way to lay out the facts; a held-out layout never occurs in train."""

    name: str
    passages: tuple[Passage, ...]
    held_out: bool = False

    @property
    def multi(self) -> bool:
        """Return whether this layout has several passages, for joins."""
        return len(self.passages) > 1


@dataclass(frozen=True)
class Question:
    """A question: ``operands`` are the values it is answered from, ``names`` label them.

    A lookup has one operand; a join lists its chain from the entity asked about to the answer.
    """

    operation: str
    text: str
    operands: tuple[str, ...]
    names: tuple[str, ...] = ()
    unit: str = ""
    foil: str = ""


@dataclass(frozen=True)
class Topic:
    """A subject with its world, its layouts and its questions."""

    name: str
    world: Callable[[Cast], World]
    layouts: tuple[Layout, ...]
    questions: tuple[Question, ...]
    held_out: bool = field(default=False)


def passage(
    opener: str, *body: str, heading: str = "", lines: bool = False, ordered: bool = False, most: int = 4
) -> Passage:
    """Return a passage; ``lines`` prints a list, ``ordered`` keeps the order of the body."""
    return Passage(opener, body, heading, lines, ordered, most)


def layout(name: str, *passages: Passage, held_out: bool = False) -> Layout:
    """Return a layout of one passage (factual, reasoning) or several (multi-hop)."""
    return Layout(name, passages, held_out)


def fact(text: str, wanted: str) -> Question:
    """Return a question for one stated value."""
    return Question("lookup", text, (wanted,))


def calc(operation: str, text: str, *operands: str, unit: str = "") -> Question:
    """Return a question whose answer is computed from the operands."""
    return Question(operation, text, operands, unit=unit)


def pick(operation: str, text: str, *pairs: tuple[str, str]) -> Question:
    """Return a question for the name with the largest, smallest or middle value."""
    return Question(operation, text, tuple(value for _, value in pairs), tuple(name for name, _ in pairs))


def hop(text: str, *chain: str, foil: str) -> Question:
    """Return a join: each neighbouring pair of the chain shares a sentence of one passage."""
    return Question("join", text, chain, foil=foil)
