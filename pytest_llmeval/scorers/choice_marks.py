"""Marks around choice labels and answers: quotes, brackets, Markdown emphasis, list marks, TeX, tags."""

import re

from pytest_llmeval.scorers.answers import normal_text
from pytest_llmeval.scorers.scripts import UNSPACED

__all__ = [
    "BEFORE_LABEL",
    "BREAKS",
    "CLOSE",
    "NOUN",
    "OPEN",
    "SPACED",
    "WORD_END",
    "WORD_START",
    "WRAP",
    "plain",
    "unmarked",
]

_QUOTES = "“”„‟‘’‚‛«»‹›"
WRAP = " \t\r\n*_`\"'()[]{}<>$#.,:;!（）【】「」『』。，：；！、．" + _QUOTES
BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
OPEN = rf"[*_`\"'(\[{{<${_QUOTES}]*"
CLOSE = rf"[*_`\"')\]}}>{_QUOTES}]*"
# Texts match as whole words only: 1 is not found in 10, in 1.5 or in -1.
# A letter of a script that sets no spaces between words (UNSPACED) may touch them.
SPACED = rf"[^\W{UNSPACED}]"
_NON = r"(?<!\bno[nt][-\u2010\u2011])(?<!\bnicht[-\u2010\u2011])(?<!\bun[-\u2010\u2011])"  # "non-toxic", "un-safe"
WORD_START = rf"{_NON}(?<!{SPACED})(?!(?<=[-\u2212])\d)(?!(?<=\d[.,])\d)"
WORD_END = rf"(?!{SPACED})(?![.,]\d)"
# What may stand before a label: "option B", "Choice (B)"
NOUN = r"(?:option|choice|letter|answer)"
BEFORE_LABEL = rf"(?:\b(?i:{NOUN})\s+{OPEN})?"
_TEX = re.compile(r"\\(?:boxed|text|textbf|mathrm)\{")
_ANSWER_TAG = re.compile(r"<(?P<end>/?)answer>", re.IGNORECASE)
_THOUGHTS = re.compile(r"\A\s*<(think(?:ing)?)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_STRUCK = re.compile(r"<(s|del|strike)>(?:(?!<\1>).)*?</\1>", re.DOTALL | re.IGNORECASE)  # of two nested ones the inner
_TAG = re.compile(r"<(\w{1,20})>(?=.{0,200}?</\1>)|</\w{1,20}>", re.DOTALL)


def unmarked(text: str, inline_tex: re.Pattern[str] | None, *, tags: bool) -> str:
    r"""Return an answer without thoughts and without the TeX around labels, its tags rewritten as plain text.

    Args:
        text: the answer.
        inline_tex: finds labels in ``\(...\)``, as its group 1.
        tags: remove ``<think>`` at the start and struck-out text, turn ``<answer>`` into ``answer:`` on a line of its
            own, and other pairs of tags into Markdown emphasis.
    """
    text = _TEX.sub("", text)
    if inline_tex is not None:
        text = inline_tex.sub(r"\1", text)
    if tags and "<" in text:
        text = _STRUCK.sub("", _THOUGHTS.sub("", text))
        text = _ANSWER_TAG.sub(lambda tag: "\n" if tag["end"] else "\nanswer: ", text)
        text = _TAG.sub("**", text)
    return text


def plain(text: str) -> str:
    """Return a text in the form in which the texts of choices are compared."""
    return normal_text(text, casefold=True, collapse=True).replace("’", "'")
