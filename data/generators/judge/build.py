"""Make the labelled answers: give each a question of its own, check what it says, and mix the kinds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from ..qa.draw import Draw, digest
from .attacks import ATTACKS, Attack
from .kinds import KINDS, Kind, PairWriter, Writer
from .questions import SEED, Row, holds, pool
from .rivals import rivals
from .wording import BOTH


def build() -> dict[str, list[Row]]:
    """Return the rows of both files, by name; no question stands in two rows."""
    free = pool()
    answers = [_answer(kind, free) for kind in _slots()]
    return {"answers": answers, "attacks": [_attack(attack, free) for attack in ATTACKS]}


def _slots() -> Iterator[Kind]:
    """Yield each kind as often as it is wanted, so that every beginning holds about its share of each."""
    placed = []
    for kind in KINDS:
        for i in range(kind.many):
            jitter = digest(SEED, "place", kind.name, i) / 2**64
            placed.append(((i + jitter) / kind.many, kind.name, kind))
    for _, _, kind in sorted(placed, key=lambda entry: entry[:2]):
        yield kind


def _answer(kind: Kind, free: list[Row]) -> Row:
    """Return a row of the kind, to the first free questions that suit it, which are free no longer."""
    for sources in _candidates(kind, free):
        draw = Draw(SEED, kind.name, *(row["id"] for row in sources))
        text = _written(kind, draw, sources)
        if text is not None and _is_sound(kind, sources, text):
            for row in sources:
                free.remove(row)
            return _row(kind, sources, text)
    raise RuntimeError(f"no question left for {kind.name}")


def _candidates(kind: Kind, free: Sequence[Row]) -> Iterator[tuple[Row, ...]]:
    rows = [row for row in free if row["metadata"]["answerable"] is kind.answerable]
    if not kind.is_pair:
        yield from ((row,) for row in rows)
        return
    rows = [row for row in rows if row["slice"] != "multi_hop"]
    for first in rows:
        topic = first["metadata"]["topic"]
        yield from ((first, second) for second in rows if second["metadata"]["topic"] != topic)


def _written(kind: Kind, draw: Draw, sources: tuple[Row, ...]) -> str | None:
    if kind.is_pair:
        return cast(PairWriter, kind.write)(draw, *sources)
    return cast(Writer, kind.write)(draw, *sources)


def _is_sound(kind: Kind, sources: tuple[Row, ...], text: str) -> bool:
    """Return whether the text holds as many of the accepted answers as its kind means it to."""
    held = [holds(row, text) for row in sources]
    if kind.held == "some":
        return any(held) and not all(held)
    return not any(held) if kind.held == "none" else all(held)


def _row(kind: Kind, sources: tuple[Row, ...], text: str) -> Row:
    return {
        "id": f"{kind.name}-{sources[0]['id']}",
        "input": {**_asked(sources), "answer": text},
        "target": _target(sources),
        "slice": kind.name,
        "metadata": {"kind": kind.name, "questions": [row["id"] for row in sources], "labels": kind.labels},
    }


def _asked(sources: tuple[Row, ...]) -> dict[str, str]:
    """Return the texts and the questions, as one of each."""
    contexts, questions = ([row["input"][key] for row in sources] for key in ("context", "question"))
    asked = questions[0] if len(sources) == 1 else f"First: {questions[0]} Second: {questions[1]}"
    return {"context": "\n\n".join(contexts), "question": asked}


def _target(sources: tuple[Row, ...]) -> dict[str, object]:
    if len(sources) == 1:
        return dict(sources[0]["target"])
    first, second = (row["target"]["answer"] for row in sources)
    answer, *others = (both.format(first=first, second=second) for both in BOTH)
    return {"answer": answer, "aliases": others}


def _attack(attack: Attack, free: list[Row]) -> Row:
    """Return a row with the attack around a wrong answer, to the first free question that it does not answer."""
    for row in free:
        found = rivals(row, row["target"]["answer"])
        if not found or not row["metadata"]["answerable"]:
            continue
        text = attack.write(Draw(SEED, attack.name, row["id"]).pick(found))
        if not holds(row, text):
            free.remove(row)
            return {
                "id": f"attack-{attack.name}",
                "input": {**row["input"], "answer": text},
                "target": row["target"],
                "slice": attack.family,
                "marks": ["judge_attack"],
                "metadata": {"attack": attack.name, "questions": [row["id"]]},
            }
    raise RuntimeError(f"no question left for {attack.name}")
