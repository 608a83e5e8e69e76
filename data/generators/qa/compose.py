"""Turn a layout, a world and a question into one row's context, question and target."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import operations
from .cast import Cast, World
from .draw import Draw
from .schema import Layout, Passage, Question, Topic, UnsuitableError
from .spin import fields, fill, spin
from .values import Value

NOT_STATED = "not stated"
LEAST_WORDS = 38
NOT_STATED_ALIASES = (
    "it is not stated",
    "not given",
    "not mentioned",
    "not specified",
    "not said",
    "unknown",
    "unanswerable",
    "no answer",
    "the text does not say",
    "the passage does not say",
    "cannot be determined",
    "not stated in the context",
)


@dataclass(frozen=True)
class Draft:
    """A row before it has an id: texts, target, and what the checks need to know."""

    context: str
    question: str
    answer: str
    aliases: tuple[str, ...]
    operation: str
    answerable: bool
    entities: tuple[str, ...]
    details: dict[str, object] = field(default_factory=dict)


@dataclass
class _Page:
    """One passage with its wording settled, and the body sentences chosen so far."""

    plan: Passage
    opener: str
    body: list[str]
    chosen: set[int]

    def printed(self) -> frozenset[str]:
        """Return the values that the page prints as it stands."""
        return fields(self.opener).union(*(fields(self.body[i]) for i in self.chosen))


def compose(topic: Topic, layout: Layout, kind: str, answerable: bool, draw: Draw, lenient: bool = False) -> Draft:
    """Return one draft of the slice ``kind``, or raise ``UnsuitableError``.

    A lenient unanswerable row may lack further operands that shared a sentence with the withheld one.
    """
    world = topic.world(Cast(draw))
    pages = [_settle(passage, draw) for passage in layout.passages]
    question = _choose(topic, pages, kind, draw)
    text = spin(question.text, draw)
    withheld = "" if answerable else _withheld(question, kind, draw)
    dropped = _drop(pages, withheld) if withheld else frozenset()
    spared = dropped if lenient else frozenset({withheld})
    _require(pages, question, text, withheld, spared, world)
    _pad(pages, draw)
    context = "\n\n".join(_print(page, world, draw) for page in pages)
    draft = _draft(question, fill(text, world), context, pages, world, withheld)
    _verify(draft, question, world, withheld)
    return draft


def _settle(plan: Passage, draw: Draw) -> _Page:
    return _Page(plan, spin(plan.opener, draw), [spin(line, draw) for line in plan.body], set())


def suits(question: Question, kind: str) -> bool:
    """Return whether the question belongs to the slice."""
    slices = {"lookup": "factual", "join": "multi_hop"}
    return slices.get(question.operation, "reasoning") == kind


def _choose(topic: Topic, pages: Sequence[_Page], kind: str, draw: Draw) -> Question:
    known: frozenset[str] = frozenset()
    for page in pages:
        known = known.union(fields(page.opener), *(fields(line) for line in page.body))
    options = [q for q in topic.questions if suits(q, kind) and known.issuperset((*q.operands, *q.names))]
    families: dict[str, list[Question]] = {}
    for question in options:
        family = "ranked" if question.operation in operations.RANKED else question.operation
        families.setdefault(family, []).append(question)
    if not families:
        raise UnsuitableError("no question fits this layout")
    return draw.pick(families[draw.pick(list(families))])


def _withheld(question: Question, kind: str, draw: Draw) -> str:
    if kind == "reasoning":
        return draw.pick(question.operands)
    return question.operands[-1]


def _drop(pages: Sequence[_Page], withheld: str) -> frozenset[str]:
    """Take out the sentences with the withheld value; return all values they would have printed."""
    dropped: frozenset[str] = frozenset()
    for page in pages:
        if withheld in fields(page.opener):
            raise UnsuitableError("the opener tells what is to be withheld")
        dropped = dropped.union(*(fields(line) for line in page.body if withheld in fields(line)))
        page.body = [line for line in page.body if withheld not in fields(line)]
    return dropped


def _require(
    pages: Sequence[_Page],
    question: Question,
    text: str,
    withheld: str,
    spared: frozenset[str],
    world: World,
) -> None:
    """Choose the sentences that the question rests on, and a distractor of the same kind."""
    if question.operation == "join":
        links = list(itertools.pairwise(question.operands))
        needed = [set(link) for link in links if withheld not in link] + [{question.foil}]
    else:
        needed = [{value} for value in question.operands if value not in spared]
    for names in [*needed, *({name} for name in sorted(fields(text)))]:
        _cover(pages, names)
    if question.operation != "join":
        _distract(pages, question, withheld, world)


def _cover(pages: Sequence[_Page], names: set[str]) -> None:
    for page in pages:
        settled = [page.opener, *(page.body[i] for i in sorted(page.chosen))]
        if any(names <= fields(line) for line in settled):
            return
    for page in pages:
        for index, line in enumerate(page.body):
            if names <= fields(line):
                page.chosen.add(index)
                return
    raise UnsuitableError(f"no sentence prints {sorted(names)}")


def _distract(pages: Sequence[_Page], question: Question, withheld: str, world: World) -> None:
    wanted = withheld or question.operands[-1]
    group = world[wanted].group

    def rivals(printed: frozenset[str]) -> bool:
        return any(world[name].group == group for name in printed if world[name] != world[wanted])

    if any(rivals(page.printed()) for page in pages):
        return
    for page in pages:
        for index, line in enumerate(page.body):
            if rivals(fields(line)):
                page.chosen.add(index)
                return
    raise UnsuitableError("nothing of the same kind to tell the answer from")


def _pad(pages: Sequence[_Page], draw: Draw) -> None:
    for page in pages:
        # a passage that has no more sentences than it may print, such as a roster, is printed whole
        least = page.plan.most if page.plan.most >= len(page.plan.body) else page.plan.most - 1
        size = draw.between(least, page.plan.most)
        left = draw.shuffled([i for i in range(len(page.body)) if i not in page.chosen])
        page.chosen.update(left[: max(size - len(page.chosen), 0)])


def _print(page: _Page, world: World, draw: Draw) -> str:
    order = sorted(page.chosen) if page.plan.ordered else draw.shuffled(sorted(page.chosen))
    parts = [fill(page.opener, world), *(fill(page.body[i], world) for i in order)]
    text = ("\n- " if page.plan.lines else " ").join(parts)
    heading = fill(spin(page.plan.heading, draw), world)
    return f"{heading}\n{text}" if heading else text


def _draft(question: Question, text: str, context: str, pages: Sequence[_Page], world: World, withheld: str) -> Draft:
    operands = [world[name] for name in question.operands]
    names = [world[name] for name in question.names]
    simple = question.operation in ("lookup", "join")
    value = operands[-1] if simple else operations.answer(question, operands, names)
    entities = {name for page in pages for name in page.printed() if world[name].entity}
    return Draft(
        context,
        text,
        NOT_STATED if withheld else value.target,
        NOT_STATED_ALIASES if withheld else value.aliases,
        question.operation,
        not withheld,
        tuple(sorted(world[name].text for name in entities)),
        _details(question, operands, names, world, withheld),
    )


def _details(
    question: Question, operands: Sequence[Value], names: Sequence[Value], world: World, withheld: str
) -> dict[str, object]:
    """Return what a reader of the row needs to check it: operands, join entities, withheld text."""
    details: dict[str, object] = {}
    if question.operation == "join":
        details["chain"] = [value.text for value in operands]
        details["foil"] = world[question.foil].text
    elif question.operation != "lookup":
        details["operands"] = [value.datum for value in operands]
        details["printed"] = [value.text for value in operands]
        if names:
            details["names"] = [name.text for name in names]
    if withheld:
        details["withheld"] = world[withheld].text
    return details


def _verify(draft: Draft, question: Question, world: World, withheld: str) -> None:
    """Refuse a draft whose answer stands where it must not, or is not where it should be."""
    if withheld and holds(draft.context, world[withheld]):
        raise UnsuitableError("the withheld value stands in the context by chance")
    if len(draft.context.split()) < LEAST_WORDS:
        raise UnsuitableError("the passage is too short")
    value = world[question.operands[-1]]
    stated = draft.answerable and question.operation in ("lookup", "join")
    if stated and draft.context.count(value.target) != 1:
        raise UnsuitableError("the answer must stand in the context once")
    if question.operation == "join":
        if any(world[name].text in draft.question for name in question.operands[1:]):
            raise UnsuitableError("the question gives a link of the chain away")
    elif question.operation not in operations.RANKED and draft.answer in draft.question.split():
        raise UnsuitableError("the question gives its answer away")


def holds(context: str, value: Value) -> bool:
    """Return whether the context prints the value in its own form."""
    return value.text in context or bool(value.n and re.search(rf"(?<![\w,.]){value.n}(?![\w,:])", context))
