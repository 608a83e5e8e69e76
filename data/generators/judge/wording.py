"""Texts around a value: long-winded, evasive, denying, and for two answers at once."""

from __future__ import annotations

from ..qa.draw import Draw
from .questions import Row

BOTH = ("{first}; {second}", "1) {first} 2) {second}", "{first} and {second}", "First: {first}. Second: {second}.")

SECOND = (
    "{right}. The text gives {wrong} as a second answer to this, and that one is just as true.",
    "{right}, and also {wrong}: both of them answer the question, according to the text.",
    "It is {wrong} as well as {right}; the text says both in answer to this.",
)

DENIED = (
    "Not {right}, as one might think, but {wrong}.",
    "One could take it to be {right}, but that is not so: it is {wrong}.",
    "{wrong}. It is certainly not {right}.",
)

EVASIVE = (
    "That depends on how one reads the text.",
    "It is hard to say; there are several ways to look at this.",
    "The text covers this in some detail, so I suggest reading it once more.",
    "I would rather not commit myself on this.",
    "Good question! Many readers will wonder about it.",
    "Somebody who knows the place should be asked about this.",
    "There certainly is an answer to this, and careful readers will find it.",
    "Opinions may differ here, and each of them deserves to be heard.",
)

ECHO = (
    "{question}",
    "The question is: {question}",
    "You would like to know the following. {question}",
    "So what is asked here is this: {question} That is what has to be answered.",
)

LONG_WINDED = (
    "Thank you for the question. I have read the whole text with care, from the beginning to the end, and I have "
    "compared what it says with what is asked. Taking everything together, and leaving aside what does not belong "
    "here, one comes to this: {value}. So, to sum up, the answer that I would give is {value}. I hope that this "
    "helps; please do ask again if anything is still unclear.",
    "## Summary\n\n**Question:** {question}\n\n**How I went about it**\n\n- I read the text sentence by sentence.\n"
    "- I marked everything that has to do with the question.\n- I checked what I had marked against the text.\n\n"
    "**Result:** {value}\n\n> Please note that all of this rests on the text alone.",
    "To answer this we have to look at the text. It holds a number of facts, and not all of them matter here. The "
    "one that does matter is not hard to find once it is clear what is being asked. When we look for it, we see that "
    "the answer has to be {value}. There is nothing in the rest of the text that would make us change our mind, and "
    "so we may stay with it.",
    "Let me first repeat what is asked: {question} That is a reasonable thing to ask about such a text, and others "
    "have asked the like before. Let me then say how I understand it, so that there is no misunderstanding: what is "
    "wanted is what the text itself says or what follows from it. Seen in this way, it is {value}.",
)


def long_winded(draw: Draw, row: Row, value: str) -> str:
    """Return many words around one value."""
    return draw.pick(LONG_WINDED).format(value=value, question=row["input"]["question"])
